"""What an API server itself counts of the requests of a service: no more than its settings say."""

import asyncio
import re
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from appshield.kubernetes import Cluster, Kind
from appshield.kubernetes.requests import Call
from control_plane import control_plane

pytestmark = pytest.mark.timeout(300)
PER_S: Final = 50
BURST: Final = 10
ASKED: Final = 100
_NOBODY_ELSE_ASKS = Kind("", "v1", "PodTemplate", "podtemplates", namespaced=True)
_METRICS = Call(method="GET", path="/metrics", doing="read the metrics", accept="text/plain")
_COUNT = re.compile(r'^apiserver_request_total\{.*resource="podtemplates".*\} (\S+)$', re.MULTILINE)


async def test_the_api_server_counts_no_more_than_the_pace(tmp_path: Path) -> None:
    """However many ask at once; looked at again and again while they wait for their turns."""
    async with control_plane(tmp_path) as plane, plane.connect() as looking:
        access = replace(plane.access(), requests_per_s=PER_S, requests_burst=BURST)
        async with Cluster.connect(access) as cluster:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            asking = asyncio.gather(
                *(cluster.get(_NOBODY_ELSE_ASKS, f"none-{n}", "default") for n in range(ASKED))
            )
            while not asking.done():
                counted = await _counted(looking)
                assert counted <= BURST + PER_S * (loop.time() - began_s)
                await asyncio.wait({asking}, timeout=0.1)
            await asking
        assert await _counted(looking) == ASKED


async def _counted(cluster: Cluster) -> int:
    """Return how many requests for these objects the API server has answered."""
    async with cluster.requests.stream(_METRICS, silence_s=30) as reader:
        text = (await reader.read()).decode()
    return sum(int(float(count)) for count in _COUNT.findall(text))
