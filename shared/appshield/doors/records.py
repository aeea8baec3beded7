"""Reading what is kept on the bus: applications, versions, runs."""

from datetime import datetime

import msgspec

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import RunKind
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.runs import Run, RunState
from appshield.contracts.streams import APPLICATIONS, CATALOG, POLICIES, RUNS
from appshield.doors.naming import Wanted
from appshield.errors import InvalidInputError, NotFoundError


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are meant; what is empty leaves them all.

    `app` is the application that a run is about; `since` leaves those that were asked for before.
    """

    app: Wanted | None = None
    namespace: str = ""
    kinds: frozenset[RunKind] = frozenset()
    states: frozenset[RunState] = frozenset()
    since: datetime | None = None

    def fits(self, run: Run) -> bool:
        """Say whether a run is meant."""
        return (
            (self.app is None or self.app.fits(run.app))
            and self.namespace in {"", run.app.namespace}
            and (not self.kinds or run.kind in self.kinds)
            and (not self.states or run.state in self.states)
            and (self.since is None or run.requested_at >= self.since)
        )


ALL_RUNS = RunFilter()


async def applications(bus: Bus) -> list[ApplicationRecord]:
    """List every history, by place."""
    bucket = bus.bucket(APPLICATIONS, ApplicationRecord)
    found = [entry.value async for entry in bucket.items()]
    return sorted(found, key=lambda record: (record.app, record.app_id))


async def policies_of(bus: Bus) -> list[PolicyRecord]:
    """List every policy, by place."""
    found = [entry.value async for entry in bus.bucket(POLICIES, PolicyRecord).items()]
    return sorted(found, key=lambda record: record.app)


async def versions_of(bus: Bus, app_id: str) -> list[VersionRecord]:
    """List the versions of a history, oldest first."""
    bucket = bus.bucket(CATALOG, VersionRecord)
    found = [entry.value async for entry in bucket.items(f"{app_id}.")]
    return sorted(found, key=lambda version: version.facts.number)


async def version_of(bus: Bus, record: ApplicationRecord, number: int) -> VersionRecord:
    """Read one version.

    Raises:
        NotFoundError: there is none of that number; says which there are.
    """
    entry = await bus.bucket(CATALOG, VersionRecord).get(f"{record.app_id}.{number}")
    if entry is not None:
        return entry.value
    numbers = [str(version.facts.number) for version in await versions_of(bus, record.app_id)]
    raise NotFoundError(
        f"application {record.app} has no version {number}",
        why=f"it has {', '.join(numbers)}" if numbers else "it has no version yet",
        next_step=f"`appshield versions {record.app}` lists them.",
    )


async def histories_in(bus: Bus, vault: str, want: Wanted | None = None) -> list[ApplicationRecord]:
    """List the histories that have something in a Vault, of all applications or of one.

    Raises:
        NotFoundError: there is none, or none that is meant.
    """
    held = []
    for record in await applications(bus):
        if want is not None and not want.fits(record.app):
            continue
        versions = await versions_of(bus, record.app_id)
        known = {held_in for one in versions for held_in in one.vaults}
        known.update(one.vault for one in record.upkeep)
        if vault in known:
            held.append(record)
    if not held:
        raise NotFoundError(
            f"Vault {vault} holds no version of {want or 'any application'}",
            next_step="`appshield rebuild-catalog` reads a Vault that the catalog does not know.",
        )
    return held


async def run_of(bus: Bus, given: str) -> Run:
    """Read one run by its id, or by a beginning that is its alone.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several begin so.
    """
    bucket = bus.bucket(RUNS, Run)
    keys = [key for key in await bucket.keys() if key.startswith(given)]
    if len(keys) > 1 and given not in keys:
        raise InvalidInputError(
            f"{given} is the beginning of several runs", why=", ".join(sorted(keys)[:5])
        )
    entry = await bucket.get(given if given in keys else keys[0]) if keys else None
    if entry is None:
        raise NotFoundError(f"run {given} is unknown", next_step="`appshield runs` lists them.")
    return entry.value


async def runs(bus: Bus, meant: RunFilter = ALL_RUNS) -> list[Run]:
    """List runs, newest first."""
    items = bus.bucket(RUNS, Run).items()
    found = [entry.value async for entry in items if meant.fits(entry.value)]
    return sorted(found, key=lambda run: run.requested_at, reverse=True)
