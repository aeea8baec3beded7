"""A policy that has changed is in force at once; applications are brought in line after that.

Whoever gets the turn of an application that is behind brings it in line first. So a policy is in
force as soon as the turns have ended that were under way when it came, however many applications it
concerns; their records and timers follow, and a planner that takes over begins with them.
"""

import asyncio
from collections.abc import Iterable
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

    async def observed(self, fact: PolicyObserved, turns: Turns) -> None:
        """Take in the newest fact about one Policy object."""
        await self._policies.take_in(fact)
        concerned = self._policies.concerned(fact, self._registry.all())
        since = self._clock.now()
        self._fall_behind(concerned, since)
        await turns.over()
        await self._policies.put_in_force(policy_key(fact.app), since)
        await self._take_turns(turns, [record.app for record in concerned])
        await self._policies.settle(policy_key(fact.app))
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
            await self._policies.put_in_force(key, now)
            await self._policies.settle(key)

    async def bring_in_line(self, app: AppRef) -> None:
        """Bring an application in line that is behind; only who has its turn may do so."""
        behind = self._behind.get(app)
        if behind is None:
            return
        for record in self._registry.histories_of(app):
            await self._renew(record.app_id, behind.since)
        if self._behind.get(app) is behind:  # else another policy came meanwhile
            del self._behind[app]

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

        async def take_some() -> None:
            for app in waiting:
                async with turns.of(app):
                    pass

        takers = (take_some() for _ in range(min(_AT_ONCE, len(apps))))
        # None is cancelled for another's error: a write cut short leaves a revision unknown.
        ended = await asyncio.gather(*takers, return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def _renew(self, app_id: str, since: datetime) -> None:
        before = self._registry.get(app_id)
        await self._observation.renew(app_id, since)
        record = self._registry.get(app_id)
        if record is not None and targets_differ(record, before):
            await self._copies.plan(app_id)
        if record is not None and (before is None or _promises(record) != _promises(before)):
            await self._alerting.look(app_id)
        if record != before:
            await self._reactions.look(app_id)


def _promises(record: ApplicationRecord) -> tuple[int, int]:
    return promised_s(record), record.rto_alert_s
