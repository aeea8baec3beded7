"""Changes that rules wait for: seen, compared with what is remembered, told once.

    object ─► what the rules name of it ─► the same as before? ─► the expression ─► fact on the bus

What is told is remembered afterwards: whoever is interrupted in between tells it again, under the
same identity. What happened while nobody watched shows as a difference when all objects are read
again. Objects that a rule sees for the first time are no change, unless it has seen all of
their kind before: then they are new.
"""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec
import structlog

from appshield.bus import Bus
from appshield.contracts.applications import Protection
from appshield.contracts.changes import ChangeMatched
from appshield.contracts.identities import AppRef
from appshield.kubernetes import Kind, Object
from appshield.language.expression_errors import UndecidedError
from appshield.language.expression_tree import Read
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.membership import select
from appshield.manifests.objects import Reference, metadata, reference_of
from appshield.service import Clock, together
from appshield.watcher.projecting import Projected, matches, project
from appshield.watcher.remembering import Memory, Remembered

_AT_ONCE = 128
"""So many objects of a whole set are compared side by side; then others have their turn."""
_LISTED_AT_ONCE = 500
"""For so many applications it is noted together that a kind was listed: one batch of the bus."""
Belonged = Mapping[str, frozenset[Reference]]
"""What belonged to each application at its last snapshot, also what it only refers to."""


class WaitingRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of an application that waits for changes; `means` is what its memory depends on."""

    app: AppRef
    app_id: str
    application: ResolvedApplication
    rule: Protection
    means: str
    reads: frozenset[Read]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an object as it comes: for each application what its rules name of it.

    `selected`: the applications to which it belongs by itself, not just as what others refer to.
    """

    uid: str
    object: str
    resource_version: str
    seen: dict[str, dict[str, tuple[str, Projected]]]
    selected: frozenset[str]


class Changes:
    """The follower of one kind, for the rules that wait for its objects at this time."""

    metadata_only = False

    def __init__(
        self,
        *,
        bus: Bus,
        memory: Memory,
        clock: Clock,
        key: bytes,
        rules: Iterable[WaitingRule],
        belonged: Belonged,
    ) -> None:
        self._bus = bus
        self._memory = memory
        self._clock = clock
        self._key = key
        self._belonged = belonged
        self._rules: dict[tuple[str, str], WaitingRule] = {}
        self._in: dict[str, list[WaitingRule]] = {}
        for one in rules:
            self._rules[one.app_id, one.rule.name] = one
            self._in.setdefault(one.app.namespace, []).append(one)
        self._apps = {one.app_id for one in self._rules.values()}
        self._turn = asyncio.Lock()

    def keep(self, _kind: Kind, obj: Object) -> Sighting:
        """See `Follower`."""
        reference = reference_of(obj)
        seen: dict[str, dict[str, tuple[str, Projected]]] = {}
        chosen: dict[str, bool] = {}
        for one in self._in.get(reference.namespace, ()):
            if one.app_id not in chosen:
                chosen[one.app_id] = bool(select(one.application, [obj]).members)
            if chosen[one.app_id] or reference in self._belonged.get(one.app_id, ()):
                projected = project(obj, one.reads, self._key)
                seen.setdefault(one.app_id, {})[one.rule.name] = (one.means, projected)
        meta = metadata(obj)
        return Sighting(
            uid=str(meta["uid"]),
            object=f"{reference.kind} {reference.namespace}/{reference.name}",
            resource_version=str(meta["resourceVersion"]),
            seen=seen,
            selected=frozenset(app_id for app_id, is_chosen in chosen.items() if is_chosen),
        )

    async def replace(self, kind: Kind, kept: list[Sighting]) -> None:
        """See `Follower`: what is remembered and not in the set is gone."""
        present = {sighting.uid for sighting in kept}
        gone = [
            (app_id, uid)
            for app_id, uid in self._memory.of_kind(kind.resource)
            if uid not in present and app_id in self._apps
        ]
        async with self._turn:
            for first in range(0, len(kept), _AT_ONCE):
                some = kept[first : first + _AT_ONCE]
                await together((self._take(kind, one) for one in some), at_once=_AT_ONCE)
            for app_id, uid in gone:
                await self._gone(app_id, uid)
        listed: dict[str, set[str]] = {}
        for one in self._rules.values():
            listed.setdefault(one.app_id, set()).add(one.means)
        listing = (
            self._memory.put_listed(app_id, kind.resource, meanings)
            for app_id, meanings in listed.items()
        )
        await together(listing, at_once=_LISTED_AT_ONCE)

    async def changed(self, kind: Kind, kept: Sighting) -> None:
        """See `Follower`."""
        async with self._turn:
            await self._take(kind, kept)

    async def deleted(self, _kind: Kind, kept: Sighting) -> None:
        """See `Follower`."""
        async with self._turn:
            for app_id in self._memory.apps_of(kept.uid) & self._apps:
                await self._gone(app_id, kept.uid)

    async def unknown(self, _kind: Kind) -> None:
        """See `Follower`: what is remembered stays, as nobody says that it is gone."""

    async def _take(self, kind: Kind, kept: Sighting) -> None:
        for app_id in (self._memory.apps_of(kept.uid) & self._apps) - kept.seen.keys():
            await self._gone(app_id, kept.uid)
        for app_id, rules in kept.seen.items():
            now = Remembered(
                kind=kind.resource,
                object=kept.object,
                resource_version=kept.resource_version,
                rules=rules,
            )
            if not self._memory.is_known(app_id, kept.uid, now):
                await self._compare(app_id, kept, now)

    async def _compare(self, app_id: str, kept: Sighting, now: Remembered) -> None:
        before = await self._memory.get(app_id, kept.uid)
        for name, (means, new) in now.rules.items():
            waiting = self._rules[app_id, name]
            known = before.rules.get(name) if before else None
            old = known[1] if known is not None and known[0] == means else None
            is_new = before is None and app_id in kept.selected
            if old is None and not (is_new and self._memory.is_listed(app_id, now.kind, means)):
                continue
            if _waits_for(waiting, old, new):
                await self._tell(waiting, kept.uid, now)
        await self._memory.put(app_id, kept.uid, now)

    async def _gone(self, app_id: str, uid: str) -> None:
        before = await self._memory.get(app_id, uid)
        for name, (means, old) in before.rules.items() if before else ():
            waiting = self._rules.get((app_id, name))
            if before is None or waiting is None or waiting.means != means:
                continue
            if _waits_for(waiting, old, None):
                await self._tell(waiting, uid, before, deleted=True)
        await self._memory.forget(app_id, uid)

    async def _tell(
        self, waiting: WaitingRule, uid: str, what: Remembered, *, deleted: bool = False
    ) -> None:
        fact = ChangeMatched(
            app=waiting.app,
            protection=waiting.rule.name,
            object=what.object,
            uid=uid,
            resource_version=what.resource_version,
            seen_at=self._clock.now(),
            deleted=deleted,
        )
        await self._bus.publish(fact)
        structlog.get_logger().info(
            "change told",
            app=str(waiting.app),
            rule=waiting.rule.name,
            object=what.object,
            deleted=deleted,
        )


def _waits_for(waiting: WaitingRule, old: Projected | None, new: Projected | None) -> bool:
    """Say whether a rule waits for a change; what has no answer is no change that it waits for."""
    try:
        return matches(waiting.rule.when, old, new)
    except UndecidedError as error:
        structlog.get_logger().debug(
            "change not understood", rule=waiting.rule.name, problem=str(error)
        )
        return False
