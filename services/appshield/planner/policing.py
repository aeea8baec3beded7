"""A policy that has changed is in force at once; applications are brought in line after that.

Whoever gets the turn of an application that is behind brings it in line first. So a policy is in
force as soon as the turns have ended in which something was being decided when it came, however
many applications it concerns; their records and timers follow, and a planner that takes over begins
with them.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec
import structlog

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.backups import DocumentRevision
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyObserved, policy_key
from appshield.planner.alerting import Alerting
from appshield.planner.copies import CopyPlanning
from appshield.planner.observing import Observation
from appshield.planner.policies import Policies
from appshield.planner.reactions import Reactions
from appshield.planner.recovery import promised_s
from appshield.planner.registry import Registry
from appshield.planner.targeting import targets_differ
from appshield.planner.turns import Turns
from appshield.service import Clock

_AT_ONCE = 1_500
"""Three batches of the bus: while one is being stored, those that follow are worked out."""
_BEGIN_AT_ONCE = 50
"""So many begin before everybody else has a turn."""
MANY = 500
FOLLOW_AFTER_S = 0.5
"""So long many applications are left as they are: whoever acts by the policy has the processor."""


class _Behind(msgspec.Struct, frozen=True):
    """An application that is not in line with a policy; `since` is when the first came in force."""

    since: datetime


class Policing:
    """Lets policies take effect."""

    def __init__(
        self,
        *,
        policies: Policies,
        registry: Registry,
        observation: Observation,
        copies: CopyPlanning,
        reactions: Reactions,
        alerting: Alerting,
        clock: Clock,
    ) -> None:
        self._policies = policies
        self._registry = registry
        self._observation = observation
        self._copies = copies
        self._reactions = reactions
        self._alerting = alerting
        self._clock = clock
        self._behind: dict[AppRef, _Behind] = {}
        self._renewing: set[AppRef] = set()

    async def observed(self, fact: PolicyObserved, turns: Turns) -> None:
        """Take in the newest fact about one Policy object.

        One that comes after it waits until this one is in force, not for what follows.
        """
        key = policy_key(fact.app)
        async with turns.of(f"policy {key}"):
            await self._policies.take_in(fact)
            concerned = self._policies.concerned(fact, self._registry.all())
            now = self._clock.now()
            self._fall_behind(concerned, now)
            await turns.over(but=self._renewing)  # they see that they are behind before they decide
            since = await self._policies.put_in_force(key, now)
        if len(concerned) > MANY:
            await asyncio.sleep(FOLLOW_AFTER_S)  # see there: gates and changes are looked at first
        await self._take_turns(turns, [record.app for record in concerned])
        async with turns.of(f"policy {key}"):
            await self._policies.settle(key, since)
        structlog.get_logger().info(
            "policy taken in", policy=fact.app.name, applications=len(concerned)
        )

    async def reconcile(self, turns: Turns) -> None:
        """After taking over: end what another planner has left half done."""
        await self._policies.load()
        now = self._clock.now()
        self._fall_behind(self._registry.all(), self._policies.unsettled_since() or now)
        await self.catch_up(turns)
        for key in self._policies.names():
            await self._policies.settle(key, await self._policies.put_in_force(key, now))

    async def bring_in_line(self, app: AppRef) -> None:
        """Bring an application in line that is behind; only who has its turn may do so."""
        before: dict[str, ApplicationRecord] = {}
        while (behind := self._behind.get(app)) is not None:
            histories = list(self._registry.histories_of(app))
            before = {record.app_id: record for record in histories} | before
            with self._renewed(app):
                for record in histories:
                    await self._observation.renew(record.app_id, behind.since)
            if self._behind.get(app) is behind:  # else another policy came meanwhile
                del self._behind[app]
        for app_id, record in before.items():
            await self._look(app_id, record)

    @contextmanager
    def _renewed(self, app: AppRef) -> Iterator[None]:
        """Note that nothing is decided about an application for the time of the block."""
        self._renewing.add(app)
        try:
            yield
        finally:
            self._renewing.discard(app)

    async def catch_up(self, turns: Turns) -> None:
        """Bring in line whatever is behind: for who looks at all applications without a turn."""
        await self._take_turns(turns, list(self._behind))

    def revisions_for(self, record: ApplicationRecord) -> tuple[DocumentRevision, ...]:
        """Name the content of each policy that is in force for an application."""
        return self._policies.revisions_for(record)

    def _fall_behind(self, records: Iterable[ApplicationRecord], since: datetime) -> None:
        for record in records:
            known = self._behind.get(record.app)
            self._behind[record.app] = _Behind(min(known.since, since) if known else since)

    async def _take_turns(self, turns: Turns, apps: list[AppRef]) -> None:
        """Take the turn of each application, which brings it in line."""
        waiting = iter(apps)

        async def take_some(number: int) -> None:
            for _ in range(number // _BEGIN_AT_ONCE):
                await asyncio.sleep(0)  # others have their turn before so many more begin
            for app in waiting:
                async with turns.of(app):
                    pass

        takers = map(take_some, range(min(_AT_ONCE, len(apps))))
        # None is cancelled for another's error: a write cut short leaves a revision unknown.
        ended = await asyncio.gather(*takers, return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _look(self, app_id: str, before: ApplicationRecord) -> None:
        """Let what stands on an application's rules follow them."""
        record = self._registry.get(app_id)
        if record is None or record == before:
            return
        if targets_differ(record, before):
            await self._copies.plan(app_id)
        if _promises(record) != _promises(before):
            await self._alerting.look(app_id)
        await self._reactions.look(app_id)


def _promises(record: ApplicationRecord) -> tuple[int, int]:
    return promised_s(record), record.rto_alert_s
