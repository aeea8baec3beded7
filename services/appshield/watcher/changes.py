"""Changes that rules wait for: seen, compared with what is remembered, told once.

    object ─► what the rules name of it ─► the same as before? ─► the expression ─► fact on the bus

What is told is remembered afterwards: whoever is interrupted in between tells it again, under the
same identity. What happened while nobody watched shows as a difference when all objects are read
again. Objects that a rule sees for the first time are no change, unless it has seen all of
their kind before: then they are new.

Which rules an object matters for is worked out when it comes, so that a policy for many
applications acts as soon as one for a single one.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

import msgspec
import structlog

from appshield.bus import Bus
from appshield.contracts.changes import ChangeMatched
from appshield.kubernetes import Kind, Object
from appshield.language.expression_errors import UndecidedError
from appshield.manifests.membership import select
from appshield.manifests.objects import Reference, metadata, reference_of
from appshield.service import Clock, together
from appshield.watcher.projecting import Projected, matches, project
from appshield.watcher.remembering import Memory, Remembered
from appshield.watcher.waiting_rules import WaitingRule, WaitingRules

_AT_ONCE = 128
"""So many objects of a whole set are compared side by side; then others have their turn."""
_LISTED_AT_ONCE = 100
"""For so many applications it is noted together that a kind was listed; then others have theirs."""
Belonged = Mapping[str, frozenset[Reference]]
"""What belonged to each application at its last snapshot, also what it only refers to."""


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
    """The follower of one kind, `named` so in rules, for those that wait for its objects now.

    `listed` is called when it is time for `keep_listed`.
    """

    metadata_only = False

    def __init__(
        self,
        *,
        bus: Bus,
        memory: Memory,
        clock: Clock,
        key: bytes,
        rules: WaitingRules,
        named: frozenset[str],
        belonged: Belonged,
        listed: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._memory = memory
        self._clock = clock
        self._key = key
        self._belonged = belonged
        self._waiting = rules
        self._named = named
        self._listed = listed
        self._rules: dict[str, dict[str, WaitingRule]] = {}
        self._in: dict[str, list[WaitingRule]] = {}
        self._seen_all = False
        self._outdated: set[str] = set()
        self._unlisted: set[str] = set()
        self._turn = asyncio.Lock()

    def outdate(self, app_id: str) -> None:
        """Take that other rules of an application may wait than when the objects were listed."""
        self._outdated.add(app_id)

    def confirm(self, app_ids: Iterable[str]) -> None:
        """Take that the same rules wait as when the objects were listed."""
        confirmed = self._outdated.intersection(app_ids)
        self._outdated -= confirmed
        if self._seen_all and confirmed:
            self._unlisted |= confirmed
            self._listed()

    def waits_otherwise(self, app_id: str) -> bool:
        """Say whether other rules of an application wait for this kind than were worked out."""
        now = self._worked_out(app_id)
        known = self._rules.get(app_id, {})
        return {name: one.means for name, one in now.items()} != {
            name: one.means for name, one in known.items()
        }

    def waits_in(self, app_id: str) -> bool:
        """Say whether a rule of an application waits for objects of this kind."""
        return bool(self._rules_of(app_id))

    def _worked_out(self, app_id: str) -> dict[str, WaitingRule]:
        rules = self._waiting.of(app_id)
        return {
            one.rule.name: one for one in rules if not self._named.isdisjoint(one.rule.change_of)
        }

    def _rules_of(self, app_id: str) -> dict[str, WaitingRule]:
        rules = self._rules.get(app_id)
        if rules is None:
            rules = self._rules[app_id] = self._worked_out(app_id)
        return rules

    def _rules_in(self, namespace: str) -> list[WaitingRule]:
        rules = self._in.get(namespace)
        if rules is None:
            here = self._waiting.in_namespace(namespace)
            rules = self._in[namespace] = [
                one for app_id in here for one in self._rules_of(app_id).values()
            ]
        return rules

    def keep(self, _kind: Kind, obj: Object) -> Sighting:
        """See `Follower`."""
        reference = reference_of(obj)
        seen: dict[str, dict[str, tuple[str, Projected]]] = {}
        chosen: dict[str, bool] = {}
        for one in self._rules_in(reference.namespace):
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
            if uid not in present and self.waits_in(app_id)
        ]
        async with self._turn:
            for first in range(0, len(kept), _AT_ONCE):
                some = kept[first : first + _AT_ONCE]
                await together((self._take(kind, one) for one in some), at_once=_AT_ONCE)
            for app_id, uid in gone:
                await self._gone(app_id, uid)
        self._seen_all = True
        self._unlisted.update(self._waiting.applications())
        self._listed()

    async def keep_listed(self, kind: Kind) -> None:
        """Remember for which applications all objects of the kind were looked at.

        Others have their turn in between; meanwhile this follower knows it by itself.
        """
        while self._unlisted:
            some = list(islice(self._unlisted, _LISTED_AT_ONCE))
            listing = (self._keep_listed(app_id, kind) for app_id in some)
            await together(listing, at_once=_LISTED_AT_ONCE)
            self._unlisted.difference_update(some)

    async def _keep_listed(self, app_id: str, kind: Kind) -> None:
        meanings = {one.means for one in self._rules_of(app_id).values()}
        if meanings and app_id not in self._outdated:
            await self._memory.put_listed(app_id, kind.resource, meanings)

    async def changed(self, kind: Kind, kept: Sighting) -> None:
        """See `Follower`."""
        async with self._turn:
            await self._take(kind, kept)

    async def deleted(self, _kind: Kind, kept: Sighting) -> None:
        """See `Follower`."""
        async with self._turn:
            for app_id in filter(self.waits_in, self._memory.apps_of(kept.uid)):
                await self._gone(app_id, kept.uid)

    async def unknown(self, _kind: Kind) -> None:
        """See `Follower`: what is remembered stays, as nobody says that it is gone."""

    async def _take(self, kind: Kind, kept: Sighting) -> None:
        for app_id in self._memory.apps_of(kept.uid) - kept.seen.keys():
            if self.waits_in(app_id):
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
            waiting = self._rules_of(app_id)[name]
            known = before.rules.get(name) if before else None
            old = known[1] if known is not None and known[0] == means else None
            is_new = before is None and app_id in kept.selected
            if old is None and not (is_new and self._is_listed(app_id, now.kind, means)):
                continue
            if _waits_for(waiting, old, new):
                await self._tell(waiting, kept.uid, now)
        await self._memory.put(app_id, kept.uid, now)

    def _is_listed(self, app_id: str, kind: str, means: str) -> bool:
        """Say whether all objects were looked at for a rule, so that others are new."""
        here = self._seen_all and app_id not in self._outdated
        return here or self._memory.is_listed(app_id, kind, means)

    async def _gone(self, app_id: str, uid: str) -> None:
        before = await self._memory.get(app_id, uid)
        for name, (means, old) in before.rules.items() if before else ():
            waiting = self._rules_of(app_id).get(name)
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
