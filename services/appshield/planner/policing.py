"""A policy has changed: every application that it concerns is brought in line."""

import asyncio
from collections.abc import Callable

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

_AT_ONCE = 2_000
"""Several batches of the bus: while one is being stored, those that follow are worked out."""


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
    ) -> None:
        self._policies = policies
        self._registry = registry
        self._observation = observation
        self._copies = copies
        self._reactions = reactions
        self._alerting = alerting

    async def observed(self, fact: PolicyObserved, turn: Callable[[AppRef], asyncio.Lock]) -> None:
        """Take in the newest fact about one Policy object; each application has its turn."""
        await self._policies.take_in(fact)
        concerned = self._policies.concerned(fact, self._registry.all())

        async def renew(record: ApplicationRecord) -> None:
            async with turn(record.app):
                await self._renew(record.app_id)

        for start in range(0, len(concerned), _AT_ONCE):
            together = concerned[start : start + _AT_ONCE]
            # None is cancelled for another's error: a write cut short leaves a revision unknown.
            ended = await asyncio.gather(*map(renew, together), return_exceptions=True)
            for error in ended:
                if error is not None:
                    raise error
        await self._policies.settle(policy_key(fact.app))
        structlog.get_logger().info(
            "policy taken in", policy=fact.app.name, applications=len(concerned)
        )

    async def reconcile(self) -> None:
        """After taking over: end what another planner has left half done."""
        await self._policies.load()
        for record in self._registry.all():
            await self._renew(record.app_id)
        for key in self._policies.names():
            await self._policies.settle(key)

    def revisions_for(self, record: ApplicationRecord) -> tuple[DocumentRevision, ...]:
        """Name the content of each policy that is in force for an application."""
        return self._policies.revisions_for(record)

    async def _renew(self, app_id: str) -> None:
        before = self._registry.get(app_id)
        await self._observation.renew(app_id)
        record = self._registry.get(app_id)
        if record is not None and targets_differ(record, before):
            await self._copies.plan(app_id)
        if record != before:
            await self._reactions.look(app_id)
        if record is not None and (before is None or promised_s(record) != promised_s(before)):
            await self._alerting.look(app_id)
