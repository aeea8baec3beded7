"""Services that are forks of one process: each lives and ends alone, and none is left over."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import free_port
from appshield.local.forking.services import ForkedService, ServiceParent
from service_process import readiness
from waiting import wait_for_now, wait_until

STOP_DEADLINE_S = 20.0
START_DEADLINE_S = 45.0
KEEPER = """
import asyncio, json, signal, sys
from pathlib import Path
from appshield.local.forking.parent import fork_parent
from appshield.local.forking.services import ForkedService, ServiceParent

environment, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
log = folder / "services.log"
forked = fork_parent(log, environment) if sys.argv[3] == "forked" else None

async def keep():
    parent = ServiceParent(environment=environment, log_file=log, forked=forked)
    service = ForkedService("planner", parent, environment=environment, log_file=folder / "log")
    await service.start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print(service.pid, flush=True)
    await stopping.wait()
    await service.stop(20)
    await parent.stop()

asyncio.run(keep())
"""

MakeService = Callable[[str], tuple[ForkedService, int]]


@pytest.fixture
def make(server: EmbeddedBus, parent: ServiceParent, tmp_path: Path) -> MakeService:
    """Describe a service that needs nothing but the bus; gives it and the port of its health."""

    def made(service: str) -> tuple[ForkedService, int]:
        port = free_port()
        return (
            ForkedService(
                service,
                parent,
                environment=settings_of(service, server, port),
                log_file=tmp_path / f"{service}.log",
            ),
            port,
        )

    return made


def settings_of(service: str, server: EmbeddedBus, port: int) -> dict[str, str]:
    """Write the environment of a service."""
    access = server.access(service)
    prefix = f"APPSHIELD_{service.upper()}_"
    return {
        f"{prefix}NATS_URL": access.url,
        f"{prefix}NATS_SEED_FILE": access.seed_file,
        f"{prefix}CLUSTER": "another",
        f"{prefix}HEALTH_PORT": str(port),
    }


async def until_ready(port: int) -> None:
    """Wait until a service says that it is ready."""

    async def ready() -> bool:
        return await readiness(port) == {}

    await wait_until(ready, deadline_s=START_DEADLINE_S, what="ready")


def parent_of(pid: int) -> int:
    """Return the id of a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def name_of(pid: int) -> str:
    """Return the short name of a process, as `ps` and `top` show it."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def lines_of(log: Path) -> list[dict[str, str]]:
    """Read a log of JSON lines."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, buried or not."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_a_service_that_is_killed_is_started_again_and_the_others_do_not_notice(
    make: MakeService,
) -> None:
    """They have nothing in common but memory that nobody writes."""
    leading, leading_port = make("planner")
    waiting, waiting_port = make("planner")
    await leading.start()
    await until_ready(leading_port)
    await waiting.start()
    await until_ready(waiting_port)
    assert waiting.pid is not None
    other = leading.pid
    os.kill(waiting.pid, signal.SIGKILL)
    assert await waiting.wait() == -signal.SIGKILL
    assert not waiting.running
    await waiting.start()
    await until_ready(waiting_port)
    assert leading.running
    assert leading.pid == other
    for service in (leading, waiting):
        await service.stop(STOP_DEADLINE_S)
        assert await service.wait() == 0


async def test_a_service_has_the_environment_the_log_and_the_group_that_it_was_given(
    make: MakeService, tmp_path: Path
) -> None:
    """Nothing of its parent's or its keeper's."""
    planner, port = make("planner")
    await planner.start()
    await until_ready(port)
    assert planner.pid is not None
    assert os.getpgid(planner.pid) == planner.pid
    assert name_of(planner.pid) == "planner"
    await planner.stop(STOP_DEADLINE_S)
    assert {line["service"] for line in lines_of(tmp_path / "planner.log")} == {"planner"}
    assert lines_of(tmp_path / "services.log") == []


async def test_a_service_that_cannot_run_ends_with_its_exit_code_and_one_error(
    parent: ServiceParent, tmp_path: Path
) -> None:
    """As it does when it is started alone."""
    log = tmp_path / "planner.log"
    planner = ForkedService("planner", parent, environment={}, log_file=log)
    await planner.start()
    assert await planner.wait() == 2
    assert "APPSHIELD_PLANNER_NATS_URL is missing" in log.read_text()
    assert "Traceback" not in log.read_text()


async def test_when_the_parent_is_killed_its_services_stop_and_start_again_under_another(
    make: MakeService,
) -> None:
    """No service goes on that nobody could stop."""
    planner, port = make("planner")
    await planner.start()
    await until_ready(port)
    first = planner.pid
    assert first is not None
    os.kill(parent_of(first), signal.SIGKILL)
    async with asyncio.timeout(STOP_DEADLINE_S):
        assert await planner.wait() == -signal.SIGTERM
    assert is_gone(first)
    await planner.start()
    await until_ready(port)
    assert planner.pid != first
    await planner.stop(STOP_DEADLINE_S)


@pytest.fixture(params=["forked", "started"])
def keeper(
    request: pytest.FixtureRequest, server: EmbeddedBus, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that keeps a service, whose parent it has forked or started; and the service."""
    environment = {**os.environ, **settings_of("planner", server, 0)}
    words = [json.dumps(environment), str(tmp_path), request.param]
    command = [sys.executable, "-c", KEEPER, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kept = int(process.stdout.readline())
        assert not is_gone(kept)
        yield process, kept
        process.kill()


def test_a_service_does_not_outlive_a_keeper_that_is_killed(
    keeper: tuple[subprocess.Popen[str], int],
) -> None:
    """A second `up` must not find the services of the first beside its own."""
    process, kept = keeper
    parent = parent_of(kept)
    process.kill()
    for left in (kept, parent):
        wait_for_now(partial(is_gone, left), deadline_s=STOP_DEADLINE_S, what="its end")


def test_a_keeper_that_stops_leaves_nothing_and_ends_well(
    keeper: tuple[subprocess.Popen[str], int],
) -> None:
    """Also where the parent of the services is its own fork."""
    process, kept = keeper
    parent = parent_of(kept)
    process.terminate()
    assert process.wait(STOP_DEADLINE_S) == 0
    assert is_gone(kept)
    assert is_gone(parent)
