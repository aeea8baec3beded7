"""Facts about applications: what the registry learns from them, and which timers follow."""

from datetime import datetime

import structlog
from msgspec.structs import replace

from appshield.application.upkeeping import next_moment
from appshield.bus import Bus
from appshield.contracts import decode, encode, subjects
from appshield.contracts.applications import (
    ApplicationObserved,
    ApplicationRecord,
    OwnProtection,
    Protection,
)
from appshield.contracts.catalog import ApplicationFound, VersionRecord
from appshield.contracts.identities import application_id
from appshield.contracts.runs import CopyDue, UpkeepDue
from appshield.contracts.streams import PLANNER_FACTS, STATE
from appshield.planner.policies import Policies
from appshield.planner.registry import Registry
from appshield.planner.timing import Timing
from appshield.planner.turns import Turns
from appshield.service import Clock


class Observation:
    """Keeps registry and schedule timers in line with what is observed."""

    def __init__(
        self, *, bus: Bus, registry: Registry, policies: Policies, timing: Timing, clock: Clock
    ) -> None:
        self._bus = bus
        self._timing = timing
        self._registry = registry
        self._policies = policies
        self._clock = clock

    async def observed(self, fact: ApplicationObserved) -> ApplicationRecord | None:
        """Take in the newest fact about one Application object; return the active history."""
        if not fact.exists:
            for history in self._registry.histories_of(fact.app):
                if history.uid == fact.uid and history.state == "active":
                    await self._orphan(history, fact)
            return None
        app_id = self._history_of(fact)
        known = self._registry.get(app_id)
        record = self._policies.in_force(remembered(known, fact, app_id))
        await self._orphan_others(record)
        # The record is written last: whoever is interrupted before does all of it again. A rule
        # that stays as it is keeps its timer, which may be about to fire.
        if known is not None:
            await self._cancel_timers(known, kept=record.protections)
        was_active = known is not None and known.state == "active"
        now = self._clock.now()
        before = known.protections if known and was_active else ()
        await self._set_timers(record, now, unless=before)
        await self._registry.write(record)
        # A policy that came meanwhile did not find the application among those that it concerns.
        await self.renew(app_id, now)
        if known is None:
            await self.schedule_upkeep(record, now)
        return self._registry.get(app_id)

    async def has_lost_everything(self) -> bool:
        """Say whether the registry is empty though facts were taken in before."""
        if any(True for _ in self._registry.all()):
            return False
        return await self._bus.acknowledged(PLANNER_FACTS) > 0

    async def relearn(self, turns: Turns) -> int:
        """Take in what was told of applications that the registry does not know; count them.

        Each in its turn: others may be learning of it at this moment.
        """
        seen = subjects.event(ApplicationObserved.noun, ApplicationObserved.verb)
        learned = 0
        async for stored in self._bus.read(STATE, filters=(seen,)):
            fact = decode(stored.body)
            if not isinstance(fact, ApplicationObserved) or not fact.exists:
                continue
            async with turns.of(fact.app):
                known = {record.uid for record in self._registry.histories_of(fact.app)}
                if fact.uid not in known:
                    await self.observed(fact)
                    learned += 1
        if learned:
            structlog.get_logger().warning("applications learned again", applications=learned)
        return learned

    async def renew(self, app_id: str, since: datetime) -> None:
        """Bring a known application in line with the policies in force `since` then.

        The record is written last: whoever is interrupted before does all of it again.
        """
        known = self._registry.get(app_id)
        if known is None or known.state != "active":
            return
        record = self._policies.in_force(known)
        if record != known:
            await self._cancel_timers(known, kept=record.protections)
            await self._set_timers(record, since, unless=known.protections)
            await self._registry.write(record)

    async def found(self, fact: ApplicationFound, newest: VersionRecord | None) -> None:
        """Take in what a Vault holds of one application; `newest` is its newest version."""
        known = self._registry.get(fact.app_id)
        unknown = known is None
        if known is None:
            known = ApplicationRecord(
                app_id=fact.app_id, app=fact.app, uid=fact.uid, vault=fact.vault, state="orphaned"
            )
        record = await self._registry.write(
            replace(
                known,
                highest_version=max(known.highest_version or 0, fact.highest_version),
                last_version=newest.facts.number if newest else 0,
                last_backup_at=newest.facts.cut_at if newest else None,
            )
        )
        if unknown:
            await self.schedule_upkeep(record, self._clock.now())
            await self._continue(fact)

    async def _continue(self, found: ApplicationFound) -> None:
        """Let an object that goes on with this history do so: it was seen before it was known."""
        subject = subjects.event(ApplicationObserved.noun, ApplicationObserved.verb, found.app)
        async for stored in self._bus.read(STATE, filters=(subject,)):
            seen = decode(stored.body)
            if isinstance(seen, ApplicationObserved) and seen.adopts == found.app_id:
                await self.observed(seen)

    async def schedule_upkeep(self, record: ApplicationRecord, after: datetime) -> None:
        """Set the timer for the application's next daily moment."""
        at = next_moment(record.app_id, after)
        due = UpkeepDue(app=record.app, app_id=record.app_id, at=at)
        await self._bus.schedule(
            f"upkeep.{record.app_id}", at, encode(due), message_id=due.message_id()
        )

    async def schedule_copies(self, record: ApplicationRecord, at: datetime) -> None:
        """Set the timer for the next time at which a copy is tried again."""
        due = CopyDue(app=record.app, app_id=record.app_id, at=at)
        await self._bus.schedule(
            f"copy.{record.app_id}", at, encode(due), message_id=due.message_id()
        )

    def _history_of(self, fact: ApplicationObserved) -> str:
        adopted = self._registry.get(fact.adopts) if fact.adopts else None
        same_name = adopted is not None and (
            (adopted.app.namespace, adopted.app.name) == (fact.app.namespace, fact.app.name)
        )
        return fact.adopts if same_name else application_id(fact.app.cluster, fact.uid)

    async def _orphan(self, record: ApplicationRecord, fact: ApplicationObserved) -> None:
        self._policies.forget(record)
        await self._registry.write(
            replace(record, state="orphaned", resource_version=fact.resource_version)
        )
        await self._cancel_timers(record)

    async def _orphan_others(self, record: ApplicationRecord) -> None:
        for other in self._registry.histories_of(record.app):
            if other.app_id != record.app_id and other.state == "active":
                self._policies.forget(other)
                await self._registry.write(replace(other, state="orphaned"))
                await self._cancel_timers(other)

    async def _set_timers(
        self, record: ApplicationRecord, since: datetime, *, unless: tuple[Protection, ...]
    ) -> None:
        for rule in record.protections:
            if rule not in unless:
                await self._timing.set(record, rule, since)

    async def _cancel_timers(
        self, record: ApplicationRecord, *, kept: tuple[Protection, ...] = ()
    ) -> None:
        still = {(rule.name, rule.trigger) for rule in kept}
        for rule in record.protections:
            if (rule.name, rule.trigger) not in still:
                await self._timing.cancel(record, rule)


def remembered(
    known: ApplicationRecord | None, fact: ApplicationObserved, app_id: str
) -> ApplicationRecord:
    """Fold a fact into what is known; a refused document leaves the last good one in force.

    Where nothing is known any more, that is the one which the fact tells.
    """
    record = known or ApplicationRecord(
        app_id=app_id, app=fact.app, uid=fact.uid, vault=fact.targets[0], state="active"
    )
    record = replace(
        record,
        app=fact.app,
        uid=fact.uid,
        state="active",
        resource_version=fact.resource_version,
        refused=fact.refused,
    )
    if fact.refused and record.revision:
        return record
    return replace(
        record,
        revision=fact.revision,
        application_type=fact.application_type,
        criticality=fact.criticality,
        own=OwnProtection(
            protections=fact.protections, targets=fact.targets if fact.targets_named else ()
        ),
        described=fact.described,
    )
