"""Whatever the description of the API allows, and much that it does not: no 5xx, no surprise.

Requests are made from the OpenAPI document for a gateway over a real bus; each answer is one that
is described, in status, kind and shape.
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, settings
from msgspec.structs import replace
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from appshield.bus import Bus, connect_bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.runs import Run, Trigger
from appshield.contracts.streams import APPLICATIONS, CATALOG, RUNS
from appshield.gateway.api.application import document
from appshield.gateway.serving import HEAD_BYTES_MAX
from appshield.kubernetes import Cluster
from embedded_bus import running_bus
from fake_kubernetes import FakeKubernetes
from planned_versions import NOW, version
from planner_world import APP
from rest_api import ADMIN, rest_api, served

EXAMPLES = 8
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_ENDLESS = "/api/v1/events"
_HEAD_BESIDE_BYTES = 4096
"""So much of a head may be something else than the query."""

_DESCRIBED = document("")
schema = schemathesis.openapi.from_dict(_DESCRIBED).exclude(path=_ENDLESS)


async def _fill(bus: Bus) -> None:
    """Let there be something to find."""
    record = ApplicationRecord(
        app_id="a-1", app=APP, uid="u", vault="primary", state="active", last_version=2
    )
    await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)
    for number in (1, 2):
        facts = replace(version(number).facts, kinds=("ConfigMap",))
        held = replace(version(number), facts=facts)
        await bus.bucket(CATALOG, VersionRecord).put(f"a-1.{number}", held)
    run = Run(
        id="b-" + "0" * 20,
        kind="backup",
        app=APP,
        app_id="a-1",
        vault="primary",
        trigger=Trigger(kind="manual", identity="request/x"),
        state="succeeded",
        epoch=1,
        requested_at=NOW,
    )
    await bus.bucket(RUNS, Run).put(run.id, run)


async def _serve(folder: Path, address: "Future[str]", stopping: threading.Event) -> None:
    async with (
        running_bus(folder) as server,
        connect_bus(server.access("tester"), name="tests") as bus,
        FakeKubernetes() as fake,
        Cluster.connect(fake.access) as cluster,
    ):
        await bus.ensure_topology()
        await _fill(bus)
        async with served(rest_api(bus, cluster=cluster)) as url:
            address.set_result(url)
            await asyncio.to_thread(stopping.wait)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the API in a thread: what makes the requests waits for each of them."""
    address: Future[str] = Future()
    stopping = threading.Event()

    def serve() -> None:
        try:
            asyncio.run(_serve(tmp_path_factory.mktemp("bus"), address, stopping))
        except BaseException as error:
            if not address.done():
                address.set_exception(error)
            raise

    thread = threading.Thread(target=serve, name="gateway")
    thread.start()
    try:
        yield address.result(timeout=60)
    finally:
        stopping.set()
        thread.join()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_is_described(case: "schemathesis.Case[Any]", url: str) -> None:
    """For whoever may everything; heads that are too large are refused below the application."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    query = urlencode(case.query or {}, doseq=True)
    assume(len(query) < HEAD_BYTES_MAX - _HEAD_BESIDE_BYTES)
    case.call_and_validate(base_url=url, headers=headers, checks=_CHECKS, timeout=30)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"namespace": "shop"}, 200),
        ({"namespace": "n" * 254}, 400),
        ({"Last-Event-ID": "of another time"}, 200),
        ({"Last-Event-ID": "i" * 101}, 400),
    ],
)
def test_what_never_ends_is_answered_as_it_is_described(
    asked: dict[str, str], status: int, url: str
) -> None:
    """The stream of events: read up to its first bytes."""
    headers = {"Authorization": f"Bearer {ADMIN}"}
    headers |= {name: text for name, text in asked.items() if name == "Last-Event-ID"}
    query = {name: text for name, text in asked.items() if name != "Last-Event-ID"}
    described = _DESCRIBED["paths"][_ENDLESS]["get"]["responses"]
    with httpx.stream("GET", url + _ENDLESS, headers=headers, params=query, timeout=30) as answer:
        assert answer.status_code == status
        kind = answer.headers["Content-Type"].split(";")[0]
        assert kind in described[str(status)]["content"]
        assert next(answer.iter_bytes())
