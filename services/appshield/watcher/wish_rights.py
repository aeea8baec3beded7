"""Whether whoever wrote a Restore may create what it brings back: as at the other doors (ADR 60).

The API server has looked at the writer's rights on what nearly every version holds. What this one
holds besides is asked for here, for the writer whom the object names; of an object that names none,
a version that holds more is refused. The request then says the very version that was looked at.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import same_place
from appshield.contracts.requests import RequestRestore
from appshield.contracts.runs import Failure
from appshield.doors import choosing, naming
from appshield.doors.records import applications, version_of, versions_of
from appshield.errors import AppShieldError, DeniedError, NotFoundError
from appshield.kubernetes import Actor
from appshield.language.admission import RESTORED_KINDS
from appshield.language.requesters import REQUESTED_BY, UNKNOWN, Requester
from appshield.rights.access import Access
from appshield.rights.restoring import Kinds, ensure_may_create, kinds_made


class WishRights:
    """Looks at what a Restore object asks for before it goes on."""

    def __init__(self, bus: Bus, access: Access, kinds: Kinds) -> None:
        self._bus = bus
        self._access = access
        self._kinds = kinds

    async def checked(self, request: RequestRestore, requester: Requester | None) -> RequestRestore:
        """Return the request for one certain version, or with the reason why it is refused.

        Raises:
            UnavailableError: the cluster cannot be asked now.
        """
        try:
            record, version = await self._meant(request)
            await self._ensure(request, version, requester)
        except (NotFoundError, DeniedError) as error:
            denied = isinstance(error, DeniedError)
            return replace(request, refusal=_failure(error), denied=denied)
        number = version.facts.number
        return replace(request, app_id=record.app_id, version=number, choice=None)

    async def _meant(self, request: RequestRestore) -> tuple[ApplicationRecord, VersionRecord]:
        """Find the version that is meant, as the planner would.

        Raises:
            NotFoundError: there is none.
        """
        known = await applications(self._bus)
        if request.app_id:
            found = [one for one in known if one.app_id == request.app_id]
            _ensure_own(request, found)
        else:
            own = [one for one in known if one.app == request.app]
            want = naming.Wanted(request.app.name, request.app.namespace)
            found = naming.histories(own, want)
        if request.choice is not None:
            for record in found:
                versions = await versions_of(self._bus, record.app_id)
                if (chosen := choosing.chosen(versions, request.choice)) is not None:
                    return record, chosen
            nothing = choosing.nothing(request.app, request.choice)
            raise NotFoundError(nothing.what, why=nothing.why, next_step=nothing.next_step)
        return await self._numbered(request.version, found)

    async def _numbered(
        self, number: int, found: Sequence[ApplicationRecord]
    ) -> tuple[ApplicationRecord, VersionRecord]:
        missing: NotFoundError | None = None
        for record in found:
            try:
                return record, await version_of(self._bus, record, number)
            except NotFoundError as error:
                missing = missing or error
        raise missing or NotFoundError(f"there is no version {number}")

    async def _ensure(
        self, request: RequestRestore, version: VersionRecord, requester: Requester | None
    ) -> None:
        target = request.target_namespace or request.app.namespace
        made = kinds_made(version.facts, request.paths, target)
        if requester is not None:
            actor = Actor(name=requester.name, groups=requester.groups)
            await ensure_may_create(
                self._access, self._kinds, actor, made, target, existing=request.existing
            )
        elif unseen := await self._unseen(made, target):
            raise DeniedError(
                f"this may not be restored into namespace {target}",
                why=f"it holds {', '.join(unseen)}, and who wrote the {request.about} is {UNKNOWN}",
                next_step="Write it again under another name: it is annotated with "
                f"{REQUESTED_BY} while AppShield is reached. Or restore a part of it (paths).",
            )

    async def _unseen(self, made: Iterable[str], target: str) -> list[str]:
        """List kinds on which the API server has not looked at the writer's rights."""
        unseen = []
        for kind in made:
            served = await self._kinds.served(kind)
            seen = served is not None and (served.group, served.resource) in RESTORED_KINDS
            there = kind == "Namespace" and await self._kinds.has_namespace(target)
            if not (seen or there):
                unseen.append(kind)
        return unseen


def _ensure_own(request: RequestRestore, found: Sequence[ApplicationRecord]) -> None:
    """Take histories of the object's own namespace only.

    Raises:
        NotFoundError: it is none of them.
    """
    if not found or not same_place(found[0].app, request.app):
        raise NotFoundError(
            f"{request.app_id} is no history of application {request.app}",
            next_step=f"`appshield versions {request.app}` lists those that there are.",
        )


def _failure(error: AppShieldError) -> Failure:
    return Failure(what=error.what, why=error.why, next_step=error.next_step)
