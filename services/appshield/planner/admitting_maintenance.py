"""Admission of what people ask about repositories: forget, prune, check, repair, pin, copy."""

from msgspec.structs import replace

from appshield.application.upkeeping import last_good_would_go
from appshield.bus import Reject
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import RunKind, same_place
from appshield.contracts.maintenance import (
    CheckProgress,
    ForgetProgress,
    PinProgress,
    PruneProgress,
    VersionsAt,
)
from appshield.contracts.message import Request
from appshield.contracts.requests import (
    RequestCheck,
    RequestCopy,
    RequestForget,
    RequestPin,
    RequestPrune,
    RequestRepair,
)
from appshield.contracts.runs import Failure, Run
from appshield.planner.catalog import Catalog
from appshield.planner.copies import CopyPlanning
from appshield.planner.minting import asked, new_run, run_of_history
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.targeting import DueCopy, named, readable_at, repair_at
from appshield.service import Clock

_Request = RequestForget | RequestPrune | RequestCheck | RequestRepair | RequestPin | RequestCopy
_SEE = "`appshield versions` lists them."


class MaintenanceAdmission:
    """Turns such requests into runs, or into refusals in words."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        catalog: Catalog,
        queue: Queue,
        copies: CopyPlanning,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._catalog = catalog
        self._queue = queue
        self._copies = copies
        self._clock = clock

    async def admit(self, request: Request) -> None:
        """Admit any such request.

        Raises:
            Reject: it is of another kind.
        """
        match request:
            case RequestForget():
                await self.forget(request)
            case RequestPrune():
                await self.prune(request)
            case RequestCheck():
                await self.check(request)
            case RequestRepair():
                await self.repair(request)
            case RequestPin():
                await self.pin(request)
            case RequestCopy():
                await self.copy(request)
            case other:
                raise Reject(f"the planner does not admit {type(other).__name__}")

    async def forget(self, request: RequestForget) -> None:
        """Admit a wish to let versions stop to exist."""
        record = await self._begin("forget", request)
        if record is None:
            return
        versions = await self._catalog.versions(record.app_id)
        if request.vault:
            versions = [here for one in versions if (here := one.at(request.vault)) is not None]
        going = [one for one in versions if one.facts.number in request.versions]
        why = _unforgettable(request, versions, going)
        if why is None:
            why = await self._awaited(request, record)
        run = self._run("forget", request, record, going[0].vault if going else "")
        if why is not None:
            await self._queue.refuse(run, why)
            return
        first, *others = _by_vault(going)
        progress = ForgetProgress(
            versions=first.versions, even_last=request.even_last, elsewhere=tuple(others)
        )
        wanted = replace(run, vault=first.vault, forget=progress)
        await self._queue.admit(await self._runs.create(wanted))

    async def _awaited(self, request: RequestForget, record: ApplicationRecord) -> Failure | None:
        """Say which restore would find nothing to bring back when somebody approves of it."""
        for waiting in record.awaiting_approval:
            entry = await self._runs.get(waiting)
            number = entry.value.restore.version if entry and entry.value.restore else None
            found = await self._catalog.get(record.app_id, number) if number else None
            stays = found and set(found.vaults) - {request.vault or found.vault}
            if number not in request.versions or (request.vault and stays):
                continue
            return Failure(
                what=f"restore {waiting} of version {number} waits for approval",
                next_step=f"`appshield approve {waiting}` or `appshield cancel {waiting}` first.",
            )
        return None

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

    async def repair(self, request: RequestRepair) -> None:
        """Admit a wish to make a repository whole again."""
        record = await self._begin("repair", request)
        if record is None:
            return
        run = self._run("repair", request, record, request.vault)
        versions = await self._catalog.versions(record.app_id)
        repair = repair_at(versions, request.vault)
        await self._queue.admit(await self._runs.create(replace(run, repair=repair)))

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
        first, *others = _by_vault([found])
        progress = PinProgress(
            version=first.versions[0], pinned=request.pinned, elsewhere=tuple(others)
        )
        await self._queue.start_beside(
            await self._runs.create(replace(run, version=request.version, pin=progress))
        )

    async def copy(self, request: RequestCopy) -> None:
        """Admit a wish to copy a version now; one that is being copied already is that run."""
        record = await self._begin("copy", request)
        if record is None:
            return
        found = await self._catalog.get(record.app_id, request.version)
        run = self._run("copy", request, record, request.vault)
        readable = readable_at(record, found) if found else []
        good = [one for one in readable if one.damage is None and one.vault != request.vault]
        if found is None or not good:
            await self._queue.refuse(run, _uncopyable(request, found))
            return
        copy = found.copy_at(request.vault)
        if copy is not None and copy.state == "copying":
            entry = await self._runs.create(run)
            await self._runs.write(entry, replace(run, state="folded", folded_into=copy.run))
            return
        due = DueCopy(found, good[0].vault, request.vault)
        await self._copies.begin(record, due, run.trigger)

    async def _begin(self, kind: RunKind, request: _Request) -> ApplicationRecord | None:
        """Find the history that is meant; None once the request has its run or its refusal."""
        run = new_run(kind, request.app, asked(request, self._clock.now()), self._clock.now())
        existing = await self._runs.get(run.id)
        if existing is not None and existing.value.app_id:
            await self._queue.go_on(existing)
            return None
        record = self._registry.get(request.app_id)
        if record is None or not same_place(record.app, request.app):
            what = f"there is no history {request.app_id} of {request.app}"
            why = Failure(what=what, next_step="`appshield apps --all` lists every history.")
            await self._queue.refuse(run, why)
            return None
        return record

    def _run(self, kind: RunKind, request: _Request, record: ApplicationRecord, vault: str) -> Run:
        reason = request.reason if isinstance(request, RequestForget) else ""
        now = self._clock.now()
        return run_of_history(kind, record, asked(request, now, reason=reason), now, vault=vault)


def _unforgettable(
    request: RequestForget, versions: list[VersionRecord], going: list[VersionRecord]
) -> Failure | None:
    """Say why these versions cannot be forgotten, None if they can."""
    missing = set(request.versions) - {one.facts.number for one in going}
    if missing or not going:
        where = f" in Vault {request.vault}" if request.vault else ""
        number = _numbers(missing) or "of no number"
        what = f"application {request.app} has no version {number}{where}"
        return Failure(what=what, next_step=_SEE)
    if pinned := [one.facts.number for one in going if one.pinned]:
        return Failure(
            what=f"version {_numbers(pinned)} of {request.app} is pinned",
            next_step="`appshield unpin` lets go of it.",
        )
    if not request.even_last and last_good_would_go(versions, request.versions):
        return Failure(
            what=f"no good version of {request.app} would be left",
            next_step="Make another one first, or ask with --even-last.",
        )
    return None


def _uncopyable(request: RequestCopy, version: VersionRecord | None) -> Failure:
    if version is None:
        return Failure(
            what=f"application {request.app} has no version {request.version}", next_step=_SEE
        )
    if version.vaults == (request.vault,):
        return Failure(
            what=f"version {request.version} of {request.app} is in Vault {request.vault} alone",
            why="there is nothing to copy it from",
        )
    return Failure(
        what=f"version {request.version} of {request.app} cannot be copied",
        why="no other Vault has a good copy of it",
        next_step="`appshield version` says what is damaged.",
    )


def _by_vault(versions: list[VersionRecord]) -> list[VersionsAt]:
    """Name versions as they are in each of their Vaults."""
    vaults = dict.fromkeys(vault for version in versions for vault in version.vaults)
    return [
        VersionsAt(
            vault=vault,
            versions=tuple(named(here) for one in versions if (here := one.at(vault)) is not None),
        )
        for vault in vaults
    ]


def _numbers(numbers: set[int] | list[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
