"""How far the steps of runs have come: heard on the bus, kept for a short while, in memory only."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import msgspec

from appshield.bus import Bus
from appshield.contracts.message import Message
from appshield.contracts.runs import Progress
from appshield.contracts.subjects import ROOT
from appshield.errors import AppShieldError
from appshield.service import Clock, pause

RUNS_MAX = 2_000
"""Of how many runs it is known how far they are; the one that was silent longest goes first."""
_LIVE = f"{ROOT}.live.progress.>"
_AGAIN_S = 5.0


class StepProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a step has come; `rate_bytes_s` is between the last two words about it."""

    step: str
    bytes_done: int
    bytes_total: int
    bytes_stored: int
    rate_bytes_s: float
    at: datetime


class HeardProgress:
    """The latest word about each step of each run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runs: dict[str, dict[str, StepProgress]] = {}
        self._told: list[Callable[[Progress], None]] = []

    @contextmanager
    def heard_by(self, whom: Callable[[Progress], None]) -> Iterator[None]:
        """Let somebody hear of every word, too, for the time of the block."""
        self._told.append(whom)
        try:
            yield
        finally:
            self._told.remove(whom)

    def of(self, run: str) -> tuple[StepProgress, ...]:
        """Return how far the steps of a run are; nothing where none was heard."""
        return tuple(self._runs.get(run, {}).values())

    async def keep(self, bus: Bus, stopping: asyncio.Event) -> None:
        """Listen until told to stop."""
        while not stopping.is_set():
            with suppress(AppShieldError):
                async with bus.listen(_LIVE, self.hear):
                    await stopping.wait()
            await pause(stopping, _AGAIN_S)

    async def hear(self, message: Message, _: str = "") -> None:
        """Take a word in."""
        if not isinstance(message, Progress):
            return
        steps = self._runs.pop(message.run, {})
        steps[message.step] = self._step(message, steps.get(message.step))
        self._runs[message.run] = steps
        if len(self._runs) > RUNS_MAX:
            del self._runs[next(iter(self._runs))]
        for whom in self._told:
            whom(message)

    def _step(self, message: Progress, before: StepProgress | None) -> StepProgress:
        now = self._clock.now()
        took_s = (now - before.at).total_seconds() if before else 0.0
        moved = max(0, message.bytes_done - before.bytes_done) if before else 0
        return StepProgress(
            step=message.step,
            bytes_done=message.bytes_done,
            bytes_total=message.bytes_total,
            bytes_stored=message.bytes_stored,
            rate_bytes_s=moved / took_s if took_s > 0 else 0.0,
            at=now,
        )
