"""Measure the watcher's memory with 50,000 objects: `python -m bench.watching`.

On the real API server of the local cluster (`APPSHIELD_BENCH_CLUSTER`, `bench` by default) and a
real message bus. A hundred namespaces hold an application each, with ConfigMaps of 1 KiB,
Deployments without replicas (each makes a ReplicaSet) and headless Services; all of them belong to
their application. The watcher begins with all of them there, so the highest it takes is that of
reading everything at once. The section (d) of `RESULTS-PLANNER.md` is written.
"""

import asyncio
import datetime as dt
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appshield.bus import Bus, connect_bus
from appshield.contracts import decode
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import HealthChanged, MemberRef, Members
from appshield.contracts.identities import AppRef
from appshield.contracts.permissions import USERS
from appshield.contracts.streams import APPLICATIONS, MEMBERS, STATE
from appshield.errors import AppShieldError
from appshield.kubernetes import AlreadyExistsError, Cluster, ClusterAccess, Kind, Object
from appshield.kubernetes.kinds import (
    APPLICATION,
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    REPLICA_SET,
    SERVICE,
)
from appshield.local.cluster import ClusterSettings, cluster_up
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.watcher.kinds import install_kinds
from bench.sections import with_section
from bench.services import memory_mib, serving
from embedded_bus import TESTER
from waiting import wait_until

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS-PLANNER.md"
TITLE: Final = "(d) The watcher's memory"
LIMIT_MIB: Final = 256
NAMESPACES: Final = 100
PER_NAMESPACE: Final = {CONFIG_MAP: 350, DEPLOYMENT: 50, SERVICE: 50}
OBJECTS: Final = NAMESPACES * (sum(PER_NAMESPACE.values()) + PER_NAMESPACE[DEPLOYMENT])
AT_ONCE: Final = 64
READY_DEADLINE_S: Final = 600
MADE_DEADLINE_S: Final = 1800
SETTLED_S: Final = 20
LABELS: Final = {"app.kubernetes.io/part-of": "bench"}
CLUSTER: Final = "bench"


def bodies(namespace: str) -> Iterator[tuple[Kind, Object]]:
    """Yield every object of a namespace."""
    document: Object = {"type": "web", "resources": {"selector": {"matchLabels": LABELS}}}
    yield APPLICATION, _object(APPLICATION, namespace, "shop", spec=document)
    for kind, count in PER_NAMESPACE.items():
        for number in range(count):
            yield kind, _object(kind, namespace, f"object-{number}", **_content(kind, number))


def _object(kind: Kind, namespace: str, name: str, **content: object) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": LABELS}
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
    return {**head, **content}


def _content(kind: Kind, number: int) -> dict[str, object]:
    if kind == CONFIG_MAP:
        return {"data": {"content": "x" * 1024}}
    if kind == SERVICE:
        return {"spec": {"clusterIP": "None", "ports": [{"port": 80}]}}
    labels = {**LABELS, "number": str(number)}
    containers = [{"name": "main", "image": "none.invalid/none:1"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    selector = {"matchLabels": labels}
    return {"spec": {"replicas": 0, "selector": selector, "template": template}}


async def fill(cluster: Cluster) -> None:
    """Make all objects that are not there; a second run finds those of the first."""
    await install_kinds(cluster)
    at_once = asyncio.Semaphore(AT_ONCE)

    async def make(kind: Kind, body: Object, namespace: str) -> None:
        async with at_once:
            try:
                await cluster.create(kind, body, namespace=namespace)
            except AlreadyExistsError:
                return

    for number in range(NAMESPACES):
        name = _namespace(number)
        space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await make(NAMESPACE, space, "")
        if number % 10 == 0:
            _say(f"making objects: {number} of {NAMESPACES} namespaces")
        await asyncio.gather(*(make(kind, body, name) for kind, body in bodies(name)))
    await _until_made(cluster)


async def know(bus: Bus, cluster: Cluster) -> None:
    """Let the registry know the applications, and which objects belonged to each."""
    records = bus.bucket(APPLICATIONS, ApplicationRecord)
    members = bus.bucket(MEMBERS, Members)
    for obj in await cluster.list(APPLICATION, label_selector="app.kubernetes.io/part-of=bench"):
        namespace = obj["metadata"]["namespace"]
        app = AppRef(cluster=CLUSTER, namespace=namespace, name="shop")
        app_id = f"a-{namespace}"
        record = ApplicationRecord(
            app_id=app_id, app=app, uid=obj["metadata"]["uid"], vault="primary", state="active"
        )
        refs = tuple(
            MemberRef(
                group=kind.group, kind=kind.kind, namespace=namespace, name=body["metadata"]["name"]
            )
            for kind, body in bodies(namespace)
            if kind != APPLICATION
        )
        await members.put(app_id, Members(app=app, app_id=app_id, run="b-0", objects=refs))
        await records.put(app_id, record)


async def _until_made(cluster: Cluster) -> None:
    """Wait until the cluster's controllers have made what the objects ask for."""
    selector = "app.kubernetes.io/part-of=bench"
    wanted = NAMESPACES * PER_NAMESPACE[DEPLOYMENT]

    async def look() -> bool:
        made = len(await cluster.list(REPLICA_SET, label_selector=selector))
        _say(f"controllers have made {made} of {wanted} ReplicaSets")
        return made >= wanted

    await wait_until(look, deadline_s=MADE_DEADLINE_S, what="ReplicaSets made", every_s=10)


async def told(bus: Bus) -> int:
    """Count the applications whose health was told."""
    messages = [decode(stored.body) async for stored in bus.read(STATE)]
    return sum(isinstance(one, HealthChanged) for one in messages)


async def measure(folder: Path) -> str:
    """Return the section."""
    named = os.environ.get("APPSHIELD_BENCH_CLUSTER", "bench")
    settings = ClusterSettings.from_environment(os.environ, name=named)
    facts = await cluster_up(settings, _say)
    async with (
        Cluster.connect(ClusterAccess(kubeconfig=str(facts.kubeconfig))) as cluster,
        EmbeddedBus(folder / "bus", users=(*USERS, TESTER)) as server,
        connect_bus(server.access("tester"), name="bench") as bus,
    ):
        await fill(cluster)
        await bus.ensure_topology()
        await know(bus, cluster)
        started = time.monotonic()
        log = folder / "watcher.log"
        async with serving(
            "watcher", server, log, cluster=CLUSTER, kubeconfig=facts.kubeconfig
        ) as pid:
            await wait_until(
                lambda: _all_told(bus), deadline_s=READY_DEADLINE_S, what="every health is told"
            )
            ready_s = time.monotonic() - started
            await asyncio.sleep(SETTLED_S)
            now_mib, most_mib = memory_mib(pid)
    return _section(ready_s, now_mib, most_mib)


async def _all_told(bus: Bus) -> bool:
    return await told(bus) == NAMESPACES


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _section(ready_s: float, now_mib: float, most_mib: float) -> str:
    kept = "yes" if most_mib <= LIMIT_MIB else "NO"
    date = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    return f"""\
`PYTHONPATH=tests python -m bench.watching`, {date}, {os.cpu_count()} cores, \
Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}. {OBJECTS:,} objects of \
{NAMESPACES} applications; every one belongs to its application. Resident memory of the watcher's \
process, which was started with all objects there.

| what | measured | limit | kept |
| --- | --- | --- | --- |
| most, while everything was read | {most_mib:.0f} MiB | {LIMIT_MIB} MiB | {kept} |
| {SETTLED_S} s after that | {now_mib:.0f} MiB | | |
| from its start to the last application's health on the bus | {ready_s:.0f} s | | |
"""


def _namespace(number: int) -> str:
    return f"bench-watching-{number:03}"


def main() -> None:
    """Measure, and write the section."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            section = asyncio.run(measure(Path(folder)))
        except AppShieldError as error:
            sys.exit(f"error: {error}")
    before = (
        RESULTS.read_text() if RESULTS.exists() else "# The planner and the watcher, measured\n"
    )
    RESULTS.write_text(with_section(before, TITLE, section))
    sys.stdout.write(section)


if __name__ == "__main__":
    main()
