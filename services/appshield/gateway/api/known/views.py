"""What is known, as the routes read it: applications, versions, runs, policies."""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.requests import Asked
from appshield.contracts.runs import Run, Trigger, Wait
from appshield.contracts.streams import ASKED, RUNS
from appshield.doors import records
from appshield.doors.run_rows import RunRow, row_of

T = TypeVar("T")
_RUN = re.compile(r"[a-z]-[0-9a-f]{20}")


class Views(Protocol):
    """Reads what the planner keeps."""

    async def applications(self) -> Sequence[ApplicationRecord]:
        """List every history."""

    def remembered(self, what: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` makes of the applications, as long as none of them changes."""

    async def policies(self) -> Sequence[PolicyRecord]:
        """List every policy."""

    async def versions(self, app_id: str) -> Sequence[VersionRecord]:
        """List the versions of a history, oldest first."""

    async def runs(self) -> Sequence[RunRow]:
        """List every run."""

    async def run(self, run: str) -> Run | None:
        """Read one run; None when there is none. One that was asked for is pending until it is."""


async def run_known(bus: Bus, run: str) -> Run | None:
    """Read a run; one that was asked for over REST is pending before a planner takes it up."""
    if not _RUN.fullmatch(run):
        return None
    entry = await bus.bucket(RUNS, Run).get(run)
    if entry is not None:
        return entry.value
    asked = await bus.bucket(ASKED, Asked).get(run)
    return _pending(run, asked.value) if asked and asked.value.kind else None


def _pending(run: str, asked: Asked) -> Run:
    return Run(
        id=run,
        kind=asked.kind or "backup",
        app=asked.app,
        app_id="",
        vault="",
        trigger=Trigger(kind="manual", identity="", actor=asked.actor),
        state="pending",
        epoch=0,
        requested_at=asked.at,
        wait=Wait(reason="limit", why="no planner has taken it up yet", since=asked.at),
    )


class BusViews:
    """Reads the buckets each time."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def applications(self) -> Sequence[ApplicationRecord]:
        """List every history."""
        return await records.applications(self._bus)

    def remembered(self, what: Hashable, make: Callable[[], T]) -> T:  # noqa: ARG002 - the port
        """Remember nothing: it is not known when something changes."""
        return make()

    async def policies(self) -> Sequence[PolicyRecord]:
        """List every policy."""
        return await records.policies_of(self._bus)

    async def versions(self, app_id: str) -> Sequence[VersionRecord]:
        """List the versions of a history, oldest first."""
        return await records.versions_of(self._bus, app_id)

    async def runs(self) -> Sequence[RunRow]:
        """List every run."""
        return [row_of(run) for run in await records.runs(self._bus)]

    async def run(self, run: str) -> Run | None:
        """Read one run."""
        return await run_known(self._bus, run)
