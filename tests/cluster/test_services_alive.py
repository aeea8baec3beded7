"""Every service as a process: alive, ready, not ready with a reason, and stopped when asked."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from appshield.bus import connect_bus
from appshield.contracts.permissions import users_of
from appshield.local.cluster import ClusterFacts
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import free_port
from appshield.local.programs import NODE_AGENTS, SERVICES, service_of
from embedded_bus import running_bus
from service_process import readiness, started
from waiting import wait_until

CLUSTER = "another"
STOP_DEADLINE_S = 60.0
WITH_CLUSTER = ("watcher", "snapshotter", "uploader", "restorer", "gateway")
PROGRAMS = (*SERVICES, *NODE_AGENTS)


@pytest.fixture
async def server(local_cluster: ClusterFacts, tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    """A bus of its own for each test, which may end it."""
    async with running_bus(tmp_path / "bus", users_of(CLUSTER, local_cluster.node_name)) as running:
        async with connect_bus(running.access("tester"), name="tests") as bus:
            await bus.ensure_topology()
        yield running


@asynccontextmanager
async def alone(
    service: str, server: EmbeddedBus, facts: ClusterFacts, port: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one service, and no other, until the block ends."""
    access = server.access(service)
    settings: dict[str, str | Path] = {
        "nats_url": access.url,
        "nats_seed_file": access.seed_file,
        "cluster": CLUSTER,
        "health_port": str(port),
        "stop_deadline_s": str(STOP_DEADLINE_S),
    }
    if service_of(service) in WITH_CLUSTER:
        settings["kubeconfig"] = facts.kubeconfig
    if service in NODE_AGENTS:
        settings |= {"node": facts.node_name, "kubelet_root": facts.kubelet_root}
    process = await started(service_of(service), **settings)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_ready(port: int) -> None:
    async def ready() -> bool:
        return await readiness(port) == {}

    await wait_until(ready, deadline_s=45, what="ready")


async def alive(port: int) -> bool:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/livez") as answer,
    ):
        return answer.status == 200


async def stopped(process: asyncio.subprocess.Process) -> None:
    """Ask the service to stop, sure that it ended by itself and not at its deadline."""
    process.send_signal(signal.SIGTERM)
    written, _ = await asyncio.wait_for(process.communicate(), STOP_DEADLINE_S + 30)
    said = written.decode()
    assert (process.returncode, "Traceback" in said) == (0, False), said
    assert "stop deadline passed" not in said


@pytest.mark.parametrize("service", PROGRAMS)
async def test_a_service_is_alive_becomes_ready_and_stops_when_asked(
    service: str, server: EmbeddedBus, local_cluster: ClusterFacts
) -> None:
    """It needs none of the others for that."""
    port = free_port()
    async with alone(service, server, local_cluster, port) as process:
        await until_ready(port)
        assert await alive(port)
        await stopped(process)


@pytest.mark.parametrize("service", PROGRAMS)
async def test_a_service_without_its_bus_is_alive_says_why_it_is_not_ready_and_stops(
    service: str, server: EmbeddedBus, local_cluster: ClusterFacts
) -> None:
    """The bus dies beneath it: the service waits for it, until it is told to stop."""
    port = free_port()
    async with alone(service, server, local_cluster, port) as process:
        await until_ready(port)
        await server.stop()

        async def told() -> bool:
            return "bus" in (await readiness(port) or {})

        await wait_until(told, deadline_s=30, what="readiness names the bus")
        assert await alive(port)
        await stopped(process)


@pytest.mark.parametrize("service", PROGRAMS)
async def test_a_service_whose_bus_came_back_is_ready_again(
    service: str, server: EmbeddedBus, local_cluster: ClusterFacts
) -> None:
    """Nobody has to start it again."""
    port = free_port()
    async with alone(service, server, local_cluster, port) as process:
        await until_ready(port)
        await server.stop()
        await server.start()
        await until_ready(port)
        await stopped(process)
