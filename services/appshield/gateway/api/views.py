"""What is known, as the routes read it: applications, versions, runs, policies."""

from collections.abc import Sequence
from typing import Protocol

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.runs import Run
from appshield.contracts.streams import RUNS
from appshield.doors import records


class Views(Protocol):
    """Reads what the planner keeps."""

    async def applications(self) -> Sequence[ApplicationRecord]:
        """List every history."""

    async def policies(self) -> Sequence[PolicyRecord]:
        """List every policy."""

    async def versions(self, app_id: str) -> Sequence[VersionRecord]:
        """List the versions of a history, oldest first."""

    async def runs(self) -> Sequence[Run]:
        """List every run, newest first."""

    async def run(self, run: str) -> Run | None:
        """Read one run; None when there is none."""


class BusViews:
    """Reads the buckets each time."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._runs = bus.bucket(RUNS, Run)

    async def applications(self) -> Sequence[ApplicationRecord]:
        """List every history."""
        return await records.applications(self._bus)

    async def policies(self) -> Sequence[PolicyRecord]:
        """List every policy."""
        return await records.policies_of(self._bus)

    async def versions(self, app_id: str) -> Sequence[VersionRecord]:
        """List the versions of a history, oldest first."""
        return await records.versions_of(self._bus, app_id)

    async def runs(self) -> Sequence[Run]:
        """List every run, newest first."""
        return await records.runs(self._bus)

    async def run(self, run: str) -> Run | None:
        """Read one run; None when there is none."""
        entry = await self._runs.get(run)
        return entry.value if entry else None
