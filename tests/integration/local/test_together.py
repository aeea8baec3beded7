"""All services as one process: each is kept running alone, and the process by its owner."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import free_port
from appshield.local.forking.services import ServiceParent, ServicesTogether
from appshield.local.keeping import keep_running
from appshield.local.programs import pid_file
from service_process import readiness
from waiting import wait_until

STOP_DEADLINE_S = 25.0
START_DEADLINE_S = 45.0


def settings_of(service: str, server: EmbeddedBus, port: int = 0, **more: str) -> dict[str, str]:
    """Write the environment of a service."""
    access = server.access(service)
    told = {
        "NATS_URL": access.url,
        "NATS_SEED_FILE": access.seed_file,
        "CLUSTER": "another",
        "HEALTH_PORT": str(port),
        **more,
    }
    return {f"APPSHIELD_{service.upper()}_{name}": text for name, text in told.items()}


async def until_ready(port: int) -> None:
    """Wait until a service says that it is ready."""

    async def ready() -> bool:
        return await readiness(port) == {}

    await wait_until(ready, deadline_s=START_DEADLINE_S, what="ready")


def lines_of(log: Path) -> list[dict[str, str]]:
    """Read the lines of a log that are JSON."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def told(log: Path, service: str, event: str) -> Callable[[], bool]:
    """Make a question: whether a service has logged this."""
    return lambda: any(
        line["event"].startswith(event) and line["service"] == service for line in lines_of(log)
    )


async def test_a_service_that_cannot_run_is_tried_again_and_the_others_do_not_notice(
    parent: ServiceParent, server: EmbeddedBus, tmp_path: Path
) -> None:
    """Each line says whose it is; told to stop, the process ends well."""
    port, log = free_port(), tmp_path / "services.log"
    services = ServicesTogether(
        parent, {"uploader-agent": {}, "planner": settings_of("planner", server, port)}
    )
    await services.start()
    await until_ready(port)
    await wait_until(
        told(log, "services", "uploader-agent ended with 2; it starts again in 0.4 s"),
        deadline_s=START_DEADLINE_S,
        what="the second attempt",
    )
    assert told(log, "uploader", "not started")()
    assert "APPSHIELD_UPLOADER_NATS_URL is missing" in log.read_text()
    assert await readiness(port) == {}
    await services.stop(STOP_DEADLINE_S)
    assert await services.wait() == 0
    assert "Traceback" not in log.read_text()


@asynccontextmanager
async def kept(services: ServicesTogether, pids: Path) -> AsyncIterator[list[str]]:
    """Keep the services running, as `appshield up` does; gives what is reported."""
    reports: list[str] = []
    stopping = asyncio.Event()
    keeping = asyncio.create_task(
        keep_running(services, pids=pids, stopping=stopping, report=reports.append)
    )
    try:
        yield reports
    finally:
        stopping.set()
        await keeping


async def test_the_process_is_started_again_when_it_is_killed(
    parent: ServiceParent, server: EmbeddedBus, tmp_path: Path
) -> None:
    """Nothing is left of the first one; the second is another program, not a fork."""
    port = free_port()
    services = ServicesTogether(parent, {"planner": settings_of("planner", server, port)})
    async with kept(services, tmp_path) as reports:
        await until_ready(port)
        first = services.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)

        def again() -> bool:
            return services.pid not in {None, first}

        await wait_until(again, deadline_s=START_DEADLINE_S, what="another process")
        await until_ready(port)
        assert pid_file(tmp_path, "services").read_text() == f"{services.pid}\n"
    assert reports == ["services ended with -9; it starts again in 0.2 s"]
    assert services.pid is None
    assert not pid_file(tmp_path, "services").exists()
