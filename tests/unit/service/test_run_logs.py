"""What services log about a run is sent to the bus: bounded, without secrets, never in the way."""

import asyncio

import pytest
import structlog

from appshield.contracts import streams
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Message
from appshield.contracts.runs import LogLine
from appshield.service import run_logs_forwarded, set_up_logs
from appshield.service.run_logs import log_line
from memory_bus import MemoryBus

RUN = "b-0123456789abcdef0123"


class Hanging(MemoryBus):
    """A bus on which nothing gets through."""

    async def tell(self, subject: str, message: Message) -> None:
        await asyncio.Event().wait()


def lines(bus: MemoryBus) -> list[LogLine]:
    return [message for _, message in bus.told if isinstance(message, LogLine)]


async def test_lines_with_a_run_are_sent_and_others_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The service's own log stays complete."""
    bus = MemoryBus()
    set_up_logs("uploader")
    log = structlog.get_logger()
    async with run_logs_forwarded(bus, service="uploader", cluster="c"):
        log.info("elsewhere")
        with structlog.contextvars.bound_contextvars(run=RUN, app="shop/web", delivery=1):
            await asyncio.to_thread(log.warning, "stored", files=3, password="planted")
    log.info("too late", run=RUN)
    [line] = lines(bus)
    assert (line.run, line.service, line.level, line.event) == (
        RUN,
        "uploader",
        "warning",
        "stored",
    )
    assert line.app == AppRef(cluster="c", namespace="shop", name="web")
    assert line.fields == {"files": "3", "password": "[hidden]"}
    assert bus.told[0][0] == f"appshield.v1.log.{RUN}.uploader"
    assert capsys.readouterr().err.count("\n") == 3


async def test_services_of_one_process_each_send_their_own_lines() -> None:
    """Also those that threads of theirs log; nobody sends a line twice."""
    set_up_logs("services")
    buses = {name: MemoryBus() for name in ("planner", "uploader")}
    both = asyncio.Barrier(len(buses))

    async def serve(service: str) -> None:
        async with run_logs_forwarded(buses[service], service=service, cluster="c"):
            await both.wait()
            structlog.get_logger().info(f"{service} in a task", run=RUN)
            await asyncio.to_thread(structlog.get_logger().info, f"{service} aside", run=RUN)
            await both.wait()

    async with asyncio.TaskGroup() as tasks:
        for name in buses:
            tasks.create_task(serve(name))
    for name, bus in buses.items():
        found = [(line.service, line.event) for line in lines(bus)]
        assert found == [(name, f"{name} in a task"), (name, f"{name} aside")]


async def test_an_exception_is_sent_as_text() -> None:
    """With the run's lines one sees why."""
    bus = MemoryBus()
    set_up_logs("planner")
    async with run_logs_forwarded(bus, service="planner", cluster="c"):
        try:
            int("odd")
        except ValueError:
            structlog.get_logger().exception("handler failed", run=RUN)
    assert "ValueError: invalid literal" in lines(bus)[0].fields["exception"]


async def test_a_bus_that_hangs_holds_nothing_up() -> None:
    """Logging goes on, lines beyond the bound are dropped, and the block ends."""
    set_up_logs("planner")
    async with asyncio.timeout(20):
        async with run_logs_forwarded(Hanging(), service="planner", cluster="c"):
            for number in range(2_000):
                structlog.get_logger().info("line", number=number, run=RUN)


@pytest.mark.parametrize("run", ["", "b-1", "b.*.>", "x" * 50, None])
def test_only_a_run_s_own_name_becomes_part_of_a_subject(run: object) -> None:
    """A request may name anything as a run; no wildcard gets into a subject."""
    assert log_line({"run": run, "event": "x"}, service="planner", cluster="c") is None


def test_long_texts_are_cut() -> None:
    """One line never fills the stream."""
    line = log_line(
        {"run": RUN, "event": "e" * 9_000, "text": "t" * 9_000}, service="s", cluster="c"
    )
    assert line
    assert len(line.event) < 5_000
    assert len(line.fields["text"]) < 5_000


def test_the_stream_of_logs_drops_the_oldest() -> None:
    """Logs never push back on a service."""
    assert streams.LOGS.discard == "old"
