"""Run a service until it is told to stop: signals, graceful stop within a deadline, exit code.

A service is one coroutine function that takes its settings and a `stopping` event. On SIGTERM or
SIGINT the event is set; what still runs after `stop_deadline_s` is cancelled, and what is away
then is no error. An error that AppShield raises on purpose ends the process with one line and its
exit code, never a traceback.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog

from appshield.allocator import give_memory_back
from appshield.errors import AppShieldError, UnavailableError
from appshield.service.logs import set_up_logs
from appshield.service.settings import ServiceSettings, read_settings
from appshield.service.together import first_of

Serve = Callable[[asyncio.Event], Awaitable[None]]

S = TypeVar("S", bound=ServiceSettings)


def start_service(
    name: str, group: type[S], environment: Mapping[str, str], wire: Callable[[S], Serve]
) -> int:
    """Read the settings of service `name`, set up logs, and run it; return the exit code."""
    give_memory_back()
    try:
        settings = read_settings(group, environment, f"APPSHIELD_{name.upper()}_")
    except AppShieldError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    set_up_logs(name, form=settings.log_format, level=settings.log_level)
    return run_service(wire(settings), stop_deadline_s=settings.stop_deadline_s)


def run_service(serve: Serve, *, stop_deadline_s: float) -> int:
    """Run `serve` to its end; return the exit code for the process."""
    return asyncio.run(_until_signalled(serve, stop_deadline_s))


async def _until_signalled(serve: Serve, stop_deadline_s: float) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return await exit_code(serve_until_told(serve, stopping, stop_deadline_s=stop_deadline_s))


async def exit_code(work: Awaitable[None]) -> int:
    """Wait for the end of a service's work; tell an error of ours in one line, return its code.

    A defect comes out as it is.
    """
    try:
        await work
    except AppShieldError as error:
        return _told(error)
    except BaseExceptionGroup as group:
        known, unknown = group.split(AppShieldError)
        if unknown is not None or known is None:
            raise
        return _told(first_of(known))
    return 0


def _told(error: AppShieldError) -> int:
    structlog.get_logger().error("stopped by an error", problem=str(error))
    sys.stderr.write(f"error: {error}\n")
    return error.exit_code


async def serve_until_told(
    serve: Serve, stopping: asyncio.Event, *, stop_deadline_s: float
) -> None:
    """Run `serve` to its end; cancel what still runs `stop_deadline_s` after it was told to stop.

    What is away is no error for a service that was told to stop.
    """
    work = asyncio.ensure_future(serve(stopping))
    told = asyncio.create_task(stopping.wait(), name="told to stop")
    try:
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            structlog.get_logger().info("stopping", deadline_s=stop_deadline_s)
            await asyncio.wait({work}, timeout=stop_deadline_s)
        if not work.done():
            structlog.get_logger().warning("stop deadline passed: cancelling what still runs")
            work.cancel()
            await asyncio.wait({work})
        if not work.cancelled():
            _judge(work, told_to_stop=stopping.is_set())
    finally:
        told.cancel()


def _judge(work: asyncio.Future[None], *, told_to_stop: bool) -> None:
    try:
        work.result()
    except* UnavailableError as missing:
        if not told_to_stop:
            raise
        structlog.get_logger().warning("stopped without", problem=str(first_of(missing)))
