"""Admission of what people ask about repositories: forget, prune, check, pin."""

from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import RunKind
from appshield.contracts.maintenance import (
    CheckProgress,
    ForgetProgress,
    NamedVersion,
    PinProgress,
    PruneProgress,
)
from appshield.contracts.requests import RequestCheck, RequestForget, RequestPin, RequestPrune
from appshield.contracts.runs import Failure, Run
from appshield.planner.catalog import Catalog
from appshield.planner.minting import asked, new_run, run_of_history
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.upkeeping import last_good_would_go
from appshield.service import Clock

_Request = RequestForget | RequestPrune | RequestCheck | RequestPin
_SEE = "`appshield versions` lists them."


class MaintenanceAdmission:
    """Turns such requests into runs, or into refusals in words."""

    def __init__(
        self, *, runs: Runs, registry: Registry, catalog: Catalog, queue: Queue, clock: Clock
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._queue = queue
        self._clock = clock

    async def forget(self, request: RequestForget) -> None:
        """Admit a wish to let versions stop to exist."""
        record = await self._begin("forget", request)
        if record is None:
            return
        versions = await self._catalog.versions(record.app_id)
        named = [one for one in versions if one.facts.number in request.versions]
        why = _unforgettable(request, versions, named)
        run = self._run("forget", request, record, named[0].vault if named else "")
        if why is not None:
            await self._queue.refuse(run, why)
            return
        names = tuple(
            NamedVersion(number=one.facts.number, snapshot_id=one.snapshot_id) for one in named
        )
        progress = ForgetProgress(versions=names, even_last=request.even_last)
        await self._queue.admit(await self._runs.create(replace(run, forget=progress)))

    async def prune(self, request: RequestPrune) -> None:
        """Admit a wish to remove what no version needs."""
        record = await self._begin("prune", request)
        if record is None:
            return
        run = self._run("prune", request, record, request.vault)
        progress = PruneProgress(grace_s=request.grace_s)
        await self._queue.admit(await self._runs.create(replace(run, prune=progress)))

    async def check(self, request: RequestCheck) -> None:
        """Admit a wish to check; it stands beside whatever is being done."""
        record = await self._begin("check", request)
        if record is None:
            return
        run = self._run("check", request, record, request.vault)
        progress = CheckProgress(part=request.part, parts=request.parts)
        await self._queue.start_beside(await self._runs.create(replace(run, check=progress)))

    async def pin(self, request: RequestPin) -> None:
        """Admit a wish to keep a version whatever the rules say, or not any more."""
        record = await self._begin("pin", request)
        if record is None:
            return
        found = await self._catalog.get(record.app_id, request.version)
        run = self._run("pin", request, record, found.vault if found else "")
        if found is None:
            what = f"application {record.app} has no version {request.version}"
            await self._queue.refuse(run, Failure(what=what, next_step=_SEE))
            return
        name = NamedVersion(number=request.version, snapshot_id=found.snapshot_id)
        progress = PinProgress(version=name, pinned=request.pinned)
        await self._queue.start_beside(
            await self._runs.create(replace(run, version=request.version, pin=progress))
        )

    async def _begin(self, kind: RunKind, request: _Request) -> ApplicationRecord | None:
        """Find the history that is meant; None once the request has its run or its refusal."""
        run = new_run(kind, request.app, asked(request, self._clock.now()), self._clock.now())
        existing = await self._runs.get(run.id)
        if existing is not None:
            beside = kind in {"check", "pin"}
            await (self._queue.start_beside if beside else self._queue.admit)(existing)
            return None
        record = self._registry.get(request.app_id)
        if record is None:
            what = f"there is no history {request.app_id} of {request.app}"
            why = Failure(what=what, next_step="`appshield apps --all` lists every history.")
            await self._queue.refuse(run, why)
        return record

    def _run(self, kind: RunKind, request: _Request, record: ApplicationRecord, vault: str) -> Run:
        reason = request.reason if isinstance(request, RequestForget) else ""
        now = self._clock.now()
        return run_of_history(kind, record, asked(request, now, reason=reason), now, vault=vault)


def _unforgettable(
    request: RequestForget, versions: list[VersionRecord], named: list[VersionRecord]
) -> Failure | None:
    """Say why these versions cannot be forgotten, None if they can."""
    missing = set(request.versions) - {one.facts.number for one in named}
    if missing or not named:
        what = f"application {request.app} has no version {_numbers(missing) or 'of no number'}"
        return Failure(what=what, next_step=_SEE)
    if pinned := [one.facts.number for one in named if one.pinned]:
        return Failure(
            what=f"version {_numbers(pinned)} of {request.app} is pinned",
            next_step="`appshield unpin` lets go of it.",
        )
    if len({one.vault for one in named}) > 1:
        return Failure(
            what="these versions are in several Vaults",
            next_step="Forget those of one Vault at a time.",
        )
    if not request.even_last and last_good_would_go(versions, request.versions):
        return Failure(
            what=f"no good version of {request.app} would be left",
            next_step="Make another one first, or ask with --even-last.",
        )
    return None


def _numbers(numbers: set[int] | list[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
