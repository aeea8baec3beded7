"""Log lines about a run go to the bus too, where `appshield logs RUN` finds those of all services.

Best effort and bounded: a line may be lost, long texts are cut, and nothing ever waits for it. The
log of the service itself stays complete.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import structlog

from appshield.bus import Bus
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import LogLine

_WAITING_MAX = 1_000
_TEXT_CHARACTERS_MAX = 4_000
_DRAIN_S = 2.0
_WAITING: ContextVar[asyncio.Queue[LogLine] | None] = ContextVar("run logs", default=None)
_RUN = re.compile(r"[a-z]-[0-9a-f]{20}")
_TOLD_APART = frozenset(
    {"run", "app", "service", "level", "event", "timestamp", "subject", "message_id", "delivery"}
)


@asynccontextmanager
async def run_logs_forwarded(bus: Bus, *, service: str, cluster: str) -> AsyncIterator[None]:
    """Send every line that is logged with a bound `run` to the bus, for the time of the block.

    Lines of the tasks and threads that begin in the block: another service may be in this process.
    """
    waiting: asyncio.Queue[LogLine] = asyncio.Queue(_WAITING_MAX)
    loop = asyncio.get_running_loop()

    def keep(line: LogLine) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            waiting.put_nowait(line)

    def copied(
        _logger: object, _method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if _WAITING.get() is waiting and (
            message := log_line(line, service=service, cluster=cluster)
        ):
            with contextlib.suppress(RuntimeError):  # the loop is closed: the service has ended
                loop.call_soon_threadsafe(keep, message)
        return line

    processors: list[Any] = structlog.get_config()["processors"]
    processors.insert(len(processors) - 1, copied)  # right before the line is rendered
    sending = asyncio.create_task(_send(bus, waiting), name="run logs")
    _WAITING.set(waiting)
    try:
        yield
    finally:
        processors.remove(copied)
        await asyncio.sleep(0)  # one turn of the loop: what threads have handed over is kept now
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await waiting.join()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def log_line(line: MutableMapping[str, Any], *, service: str, cluster: str) -> LogLine | None:
    """Make a message of a structured line; None when it is not about a run. Pure."""
    run = str(line.get("run", ""))
    if not _RUN.fullmatch(run):
        return None
    namespace, _, name = str(line.get("app", "")).partition("/")
    return LogLine(
        app=AppRef(cluster=cluster, namespace=namespace, name=name),
        run=run,
        service=service,
        level=str(line.get("level", "")),
        event=_cut(line.get("event", "")),
        at=datetime.now(UTC),
        fields={field: _cut(value) for field, value in line.items() if field not in _TOLD_APART},
    )


def _cut(value: Any) -> str:  # noqa: ANN401  whatever a line holds
    text = str(value)
    return text if len(text) <= _TEXT_CHARACTERS_MAX else f"{text[:_TEXT_CHARACTERS_MAX]}…"


async def _send(bus: Bus, waiting: asyncio.Queue[LogLine]) -> None:
    while True:
        line = await waiting.get()
        await bus.tell(line.subject(), line)
        waiting.task_done()
