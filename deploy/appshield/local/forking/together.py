"""All services as one process: each a task with its own settings, connections and keys.

They meet on the bus as ever. One that ends by an error is started again alone, after a pause that
grows while it fails; the others go on.
"""

import asyncio
import gc
import importlib
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from appshield.allocator import give_free_pages_back
from appshield.errors import AppShieldError, RefusedError
from appshield.local.keeping import keep_serving
from appshield.local.programs import service_of
from appshield.service import (
    ServiceSettings,
    exit_code,
    look_for_cycles_rarely,
    pause,
    read_settings,
    run_service,
    serve_until_told,
    set_up_logs,
)

NAME: Final = "services"
STOP_DEADLINE_S: Final = 22.0
"""More than a service takes for itself, less than whoever keeps the process waits."""
DEFECT: Final = 1
_GIVE_BACK_EVERY_S: Final = 20.0
"""It takes some milliseconds."""
_THREADS_EACH: Final = min(32, (os.cpu_count() or 1) + 4)
"""What the loop of a service alone would have: no service waits for threads of another."""


def run_together(environments: Mapping[str, Mapping[str, str]]) -> int:
    """Run the services and agents that are named until told to stop; return the exit code."""
    set_up_logs(NAME, level=_level(environments))
    look_for_cycles_rarely()

    async def serve(stopping: asyncio.Event) -> None:
        threads = ThreadPoolExecutor(_THREADS_EACH * len(environments), thread_name_prefix=NAME)
        asyncio.get_running_loop().set_default_executor(threads)
        async with asyncio.TaskGroup() as tasks:
            for program, environment in environments.items():
                kept = _kept(ServiceTask(program, environment), stopping)
                tasks.create_task(kept, name=program)
            tasks.create_task(_give_back(stopping), name="memory")

    return run_service(serve, stop_deadline_s=STOP_DEADLINE_S)


class ServiceTask:
    """One service, from its start to its end; it can be started again."""

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self._environment = environment
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[int] | None = None

    async def start(self) -> None:
        """Start it; it may not be ready yet when this returns."""
        self._stopping.clear()
        self._running = asyncio.create_task(self._run(), name=self.program)

    async def wait(self) -> int:
        """Wait for its end; return what its exit code would be."""
        if self._running is None:
            raise RefusedError(f"{self.program} was not started")
        return await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Ask it to end and wait; what does not end within its deadline is cancelled."""
        self._stopping.set()
        if self._running is not None:
            await asyncio.wait({self._running})

    async def _run(self) -> int:
        service = service_of(self.program)
        structlog.contextvars.bind_contextvars(service=service)
        try:
            settings = self._settings(service)
            serve = importlib.import_module(f"appshield.{service}.service").serve
            work = serve_until_told(
                lambda stopping: serve(settings, stopping),
                self._stopping,
                stop_deadline_s=settings.stop_deadline_s,
            )
            return await exit_code(work)
        except AppShieldError as error:
            structlog.get_logger().error("not started", problem=str(error))
            return error.exit_code
        except Exception:  # noqa: BLE001 - the end of a service: others go on, it starts again
            structlog.get_logger().exception("ended by a defect")
            return DEFECT

    def _settings(self, service: str) -> ServiceSettings:
        group: type[ServiceSettings] = importlib.import_module(
            f"appshield.{service}.settings"
        ).Settings
        return read_settings(group, self._environment, f"APPSHIELD_{service.upper()}_")


async def _kept(service: ServiceTask, stopping: asyncio.Event) -> None:
    """Run a service until told to stop."""
    log = structlog.get_logger()
    await service.start()
    try:
        await keep_serving(service.program, service, stopping=stopping, report=log.warning)
    finally:
        await service.stop()


async def _give_back(stopping: asyncio.Event) -> None:
    """Give memory back that nobody needs any more: what many small steps leave adds up."""
    while not stopping.is_set():
        await pause(stopping, _GIVE_BACK_EVERY_S)
        gc.collect()
        give_free_pages_back()


def _level(environments: Mapping[str, Mapping[str, str]]) -> str:
    """Choose the level of the most talkative; a process has one."""
    asked = {
        text.upper()
        for environment in environments.values()
        for name, text in environment.items()
        if name.endswith("_LOG_LEVEL")
    }
    known = logging.getLevelNamesMapping()
    return min(asked & known.keys(), key=known.__getitem__, default="info")
