"""A service stops within its deadline, and an error of ours ends it in one line and a code."""

import asyncio
import os
import signal
import time

import pytest

from appshield.errors import DeniedError, UnavailableError
from appshield.service import ServiceSettings, run_service, start_service

DEADLINE_S = 20.0


def tell_to_stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_told_to_stop_a_service_ends_by_itself_and_well() -> None:
    """SIGTERM sets the event; what the service does then is its own."""
    ended: list[str] = []

    async def serve(stopping: asyncio.Event) -> None:
        asyncio.get_running_loop().call_soon(tell_to_stop)
        await stopping.wait()
        ended.append("well")

    assert run_service(serve, stop_deadline_s=DEADLINE_S) == 0
    assert ended == ["well"]


def test_what_does_not_stop_is_cancelled_at_the_deadline() -> None:
    """Nobody waits for ever for a service that hangs."""

    async def serve(_: asyncio.Event) -> None:
        asyncio.get_running_loop().call_soon(tell_to_stop)
        await asyncio.Event().wait()

    started = time.monotonic()
    assert run_service(serve, stop_deadline_s=0.1) == 0
    assert time.monotonic() - started < DEADLINE_S


def test_an_error_of_ours_is_one_line_and_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Also out of a group of tasks; no trace is shown."""

    async def serve(_: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    async def fail() -> None:
        raise DeniedError("no entry", why="a wrong key", next_step="Take the right one.")

    assert run_service(serve, stop_deadline_s=1) == DeniedError.exit_code
    written = capsys.readouterr().err
    assert "error: no entry: a wrong key. Take the right one.\n" in written
    assert "Traceback" not in written


@pytest.mark.parametrize(
    ("told", "error", "code"),
    [
        (True, UnavailableError("the bus is away"), 0),
        (True, DeniedError("no entry"), DeniedError.exit_code),
        (False, UnavailableError("the bus is away"), UnavailableError.exit_code),
    ],
)
def test_what_is_away_is_no_error_for_a_service_that_was_told_to_stop(
    told: bool, error: Exception, code: int
) -> None:
    """It ends as it was told; any other error, and any without that word, stays one."""

    async def serve(stopping: asyncio.Event) -> None:
        if told:
            asyncio.get_running_loop().call_soon(tell_to_stop)
            await stopping.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
        await asyncio.Event().wait()

    async def fail() -> None:
        raise error

    assert run_service(serve, stop_deadline_s=DEADLINE_S) == code


def test_a_defect_is_not_told_as_if_it_were_the_surroundings() -> None:
    """It comes out as it is, together with whatever else failed."""

    async def serve(_: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail(ValueError("a defect")))
            tasks.create_task(fail(UnavailableError("not there")))

    async def fail(error: Exception) -> None:
        raise error

    with pytest.raises(ExceptionGroup):
        run_service(serve, stop_deadline_s=1)


def test_wrong_settings_end_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    """With the code of wrong input."""

    def wire(_: ServiceSettings) -> None:
        raise AssertionError("it was started")

    code = start_service("x", ServiceSettings, {}, wire)  # type: ignore[arg-type] # never called
    assert code == 2
    written = capsys.readouterr().err
    assert written.startswith("error: the settings cannot be used: ")
    assert "APPSHIELD_X_NATS_URL is missing" in written
