"""Keeping one component alive: start it when it can work, see that it does, start it again.

A component ends with its supervisor, however that ends (PR_SET_PDEATHSIG), so nobody is left who
would fight with the next supervisor.
"""

import asyncio
import contextlib
import functools
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from appshield.local.cluster.commands import SYSTEM_PATH
from appshield.local.cluster.components import Component
from appshield.local.cluster.processes import MARK
from appshield.local.cluster.settings import Layout
from appshield.local.cluster.state import StateFile
from appshield.local.cluster.waiting import Backoff, until

_log = logging.getLogger(__name__)

_LOG_BYTES = 32 << 20
_HEALTHY_S = 20.0
"""A component that ran this long begins with short waits again."""
_STOP_S = 4.0
_PROBE_S = 2.0


class Keeper:
    """Runs components. `ready` has an event for each component and step that others wait for."""

    def __init__(
        self, layout: Layout, state: StateFile, ready: Mapping[str, asyncio.Event]
    ) -> None:
        self._layout = layout
        self._state = state
        self._ready = ready

    async def keep(self, component: Component) -> None:
        """Run it until cancelled; then end it and return when it is gone."""
        pauses = Backoff(first_s=0.1, longest_s=5.0, factor=2.0)
        while True:
            for name in component.after:
                await self._ready[name].wait()
            begin = time.monotonic()
            code = await self._run_once(component)
            if time.monotonic() - begin > _HEALTHY_S:
                pauses.reset()
            pause_s = pauses.next_s()
            _log.warning("%s ended with code %s: again in %.1f s", component.name, code, pause_s)
            await asyncio.sleep(pause_s)

    async def _run_once(self, component: Component) -> int:
        # taken before the start: a node can report itself before its start is on record
        started_at = time.time()
        process = await self._start(component)
        self._state.started(component.name, process.pid, at=started_at)
        try:
            watching = asyncio.create_task(self._watch(component))
            try:
                return await process.wait()
            finally:
                watching.cancel()
                await asyncio.wait({watching})
                self._ready[component.name].clear()
        finally:
            code = await _end(process)
            self._state.ended(component.name, code)

    async def _start(self, component: Component) -> asyncio.subprocess.Process:
        log = self._layout.logs / f"{component.name}.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", "--", *component.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=component_environment(self._layout.home),
            )

    async def _watch(self, component: Component) -> None:
        await until(functools.partial(is_ready, component))
        self._state.ready(component.name)
        self._ready[component.name].set()
        _log.info("%s is ready", component.name)


def component_environment(home: Path) -> dict[str, str]:
    """What a component sees: the mark of its cluster and hardly more."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "HOME", "TZ") if name in os.environ}
    return {**kept, "PATH": SYSTEM_PATH, MARK: str(home)}


async def is_ready(component: Component) -> bool:
    """Ask the component once, the way that it wants to be asked."""
    try:
        async with asyncio.timeout(_PROBE_S):
            for socket in component.ready_sockets:
                _, writer = await asyncio.open_unix_connection(str(socket))
                writer.close()
            if component.ready_url:
                return await _answers(component.ready_url)
    except (OSError, TimeoutError, aiohttp.ClientError):
        return False
    return True


async def _answers(url: str) -> bool:
    # Nothing is told and nothing is believed but "200", on an address that only this node has:
    # the certificate need not be checked (two components make one up at each start).
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as answer:
        return answer.status == 200


async def _end(process: asyncio.subprocess.Process) -> int:
    """Ask it to end, insist after a while, and return its exit code."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                return await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    return await process.wait()
