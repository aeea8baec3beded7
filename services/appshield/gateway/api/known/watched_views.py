"""What is known, kept in memory by following the buckets, so that a page costs no reading.

Applications and policies are kept whole. Of runs, of which there are many more, only what lists are
filtered and sorted by; the runs of a page are read one by one.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from appshield.bus import Bus, Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS, POLICIES, RUNS
from appshield.doors import records
from appshield.doors.run_rows import RunRow, row_of
from appshield.gateway.api.known.followed_bucket import Followed
from appshield.gateway.api.known.views import run_known

T = TypeVar("T")
_MADE_MAX = 16
"""How many orders of the applications are remembered; each takes a MiB or two of 10,000."""


class Hears(Protocol):
    """Whoever wants to know of changes, after they were taken in."""

    def application_changed(self, record: ApplicationRecord, *, gone: bool) -> None:
        """Hear of an application."""

    def run_changed(self, run: Run) -> None:
        """Hear of a run."""

    def policy_changed(self, record: PolicyRecord, *, gone: bool) -> None:
        """Hear of a policy."""


class Revisions(NamedTuple):
    """How far each bucket was taken in."""

    applications: int = 0
    runs: int = 0
    policies: int = 0


class Changed(NamedTuple):
    """What was written after some revisions."""

    applications: list[ApplicationRecord]
    runs: list[RunRow]
    policies: list[PolicyRecord]


class WatchedViews:
    """Answers from memory, and tells of changes; `applications` is a watch that others share."""

    def __init__(self, bus: Bus, applications: Watchable[ApplicationRecord] | None = None) -> None:
        self._bus = bus
        self._hearing: list[Hears] = []
        self._made: dict[Hashable, Any] = {}  # each of the type that its maker gives
        self._applications: Followed[ApplicationRecord, ApplicationRecord] = Followed(
            applications or bus.bucket(APPLICATIONS, ApplicationRecord),
            keeps=lambda record: record,
            told=self._application,
        )
        self._runs: Followed[Run, RunRow] = Followed(
            bus.bucket(RUNS, Run), keeps=row_of, told=self._run
        )
        self._policies: Followed[PolicyRecord, PolicyRecord] = Followed(
            bus.bucket(POLICIES, PolicyRecord), keeps=lambda record: record, told=self._policy
        )

    @property
    def revisions(self) -> Revisions:
        """How far each bucket was taken in."""
        return Revisions(self._applications.revision, self._runs.revision, self._policies.revision)

    @contextmanager
    def heard_by(self, whom: Hears) -> Iterator[None]:
        """Let somebody hear of changes for the time of the block."""
        self._hearing.append(whom)
        try:
            yield
        finally:
            self._hearing.remove(whom)

    async def keep(self, stopping: asyncio.Event) -> None:
        """Follow until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            for followed in (self._applications, self._runs, self._policies):
                tasks.create_task(followed.keep(stopping), name="followed")

    async def applications(self) -> Sequence[ApplicationRecord]:
        """List every history."""
        return self._applications.values()

    def remembered(self, what: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` makes of the applications, as long as none of them changes."""
        if what not in self._made:
            self._made[what] = make()
            if len(self._made) > _MADE_MAX:
                del self._made[next(iter(self._made))]
        made: T = self._made[what]
        return made

    async def policies(self) -> Sequence[PolicyRecord]:
        """List every policy."""
        return self._policies.values()

    async def versions(self, app_id: str) -> Sequence[VersionRecord]:
        """List the versions of a history, oldest first; read from the bus."""
        return await records.versions_of(self._bus, app_id)

    async def runs(self) -> Sequence[RunRow]:
        """List every run."""
        return self._runs.values()

    async def run(self, run: str) -> Run | None:
        """Read one run from the bus."""
        return await run_known(self._bus, run)

    def app_id_of(self, run: str) -> str:
        """Return the history that a run is about; empty where that is not known."""
        found = self._runs.get(run)
        return found.app_id if found else ""

    def changed_since(self, since: Revisions) -> Changed | None:
        """List what was written after these revisions; None where not all of it is known.

        That is so when something went meanwhile whose place is not known any more, or the bus is
        another one.

        Raises:
            UnavailableError: not everything is known yet.
        """
        now = self.revisions
        ahead = any(then > here for then, here in zip(since, now, strict=True))
        if ahead or self._applications.gone_unseen > since.applications:
            return None
        return Changed(
            self._applications.since(since.applications),
            self._runs.since(since.runs),
            self._policies.since(since.policies),
        )

    def _application(self, before: ApplicationRecord | None, now: ApplicationRecord | None) -> None:
        self._made.clear()
        if (latest := now or before) is not None:
            for one in self._hearing:
                one.application_changed(latest, gone=now is None)

    def _run(self, _before: RunRow | None, now: Run | None) -> None:
        if now is not None:
            for one in self._hearing:
                one.run_changed(now)

    def _policy(self, before: PolicyRecord | None, now: PolicyRecord | None) -> None:
        if (latest := now or before) is not None:
            for one in self._hearing:
                one.policy_changed(latest, gone=now is None)
