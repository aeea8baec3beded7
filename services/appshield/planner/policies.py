"""Policies in force, and what they make of an application's own protection.

Kept in memory with an index of which applications they match, and written through. A refused
document changes nothing but what is said about it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from appshield.application.facts import facts_of
from appshield.application.rules_in_force import combine, offer, own_protection
from appshield.bus import Bus
from appshield.contracts.applications import (
    ApplicationRecord,
    OwnProtection,
    Protection,
    SignalProblem,
)
from appshield.contracts.backups import DocumentRevision
from appshield.contracts.health import Reacted, Reaction
from appshield.contracts.policies import PolicyObserved, PolicyRecord, policy_key, policy_place
from appshield.contracts.streams import POLICIES
from appshield.language.expression_errors import ExpressionError
from appshield.language.matching import Matching
from appshield.planner.leading import Leadership
from appshield.planner.remembering import Remembered

_COMBINED_MAX = 20_000
_Combination: TypeAlias = tuple[str, bytes, tuple[str, ...]]
"""A cluster, what a document says by itself (written down), and the policies that match."""


class _InForce(msgspec.Struct, frozen=True):
    protections: tuple[Protection, ...]
    targets: tuple[str, ...]
    findings: tuple[str, ...]
    reactions: tuple[Reaction, ...]
    rpo_alert_s: int
    rto_alert_s: int


class Policies:
    """Records of policies; written by the leading planner only."""

    def __init__(self, bus: Bus, leadership: Leadership) -> None:
        self._records = Remembered(bus, POLICIES, PolicyRecord, leadership)
        self._matching: dict[str, Matching[str]] = {}
        self._combined: dict[_Combination, _InForce] = {}

    async def load(self) -> None:
        """Read every policy anew, as another planner may have written them."""
        self._matching = {}
        self._combined = {}
        await self._records.load()
        for record in self._records.values():
            self._match(record)

    async def take_in(self, fact: PolicyObserved) -> None:
        """Take in the newest fact about a policy.

        Raises:
            StaleRevisionError: memory was behind, and is not any more: take it in again.
        """
        key = policy_key(fact.app)
        seen = self._records.get(key)
        if not fact.exists:
            if seen is not None and seen.uid == fact.uid:
                await self._records.delete(key)
                self._combined = {}
                self._in(fact.app.cluster).remove_policy(fact.app.name)
            return
        record = self._match(_remembered(fact))
        if seen is None or replace(seen, in_force_since=None, settled=False) != record:
            await self._write(key, record)

    async def put_in_force(self, key: str, now: datetime) -> datetime | None:
        """Note that all is decided by a policy from now on; return since when, None if it is gone.

        Once that is noted it stays.
        """
        seen = self._records.get(key)
        if seen is not None and seen.in_force_since is None:
            seen = await self._records.write(key, replace(seen, in_force_since=now))
        return seen.in_force_since if seen else None

    async def settle(self, key: str, since: datetime | None) -> None:
        """Note that all applications are in line with a policy as it is in force since then."""
        seen = self._records.get(key)
        if seen is not None and seen.in_force_since == since:
            await self._records.write(key, replace(seen, settled=True))

    def unsettled_since(self) -> datetime | None:
        """Return since when a policy is in force that some application may not be in line with."""
        unsettled = (one.in_force_since for one in self._records.values() if not one.settled)
        return min((since for since in unsettled if since is not None), default=None)

    def names(self) -> list[str]:
        """List the keys of all policies."""
        return self._records.keys()

    def concerned(
        self, fact: PolicyObserved, records: Iterable[ApplicationRecord]
    ) -> list[ApplicationRecord]:
        """List the applications for which a policy matters, or mattered before."""
        name, matching = fact.app.name, self._in(fact.app.cluster)
        now = matching.applications_of(name) | set(matching.undecided_by(name))
        return [
            record
            for record in records
            if record.app.cluster == fact.app.cluster
            and (record.app_id in now or name in record.policies or name in record.undecided)
        ]

    def in_force(self, record: ApplicationRecord) -> ApplicationRecord:
        """Return an active application with the protection that is in force for it now."""
        matching = self._in(record.app.cluster)
        matching.put_application(record.app_id, facts_of(record))
        names = matching.policies_of(record.app_id)
        own = own_protection(record)
        in_force = self._combine(record.app.cluster, own, names)
        return replace(
            record,
            own=own,
            protections=in_force.protections,
            targets=in_force.targets,
            vault=in_force.targets[0],
            policies=names,
            undecided=matching.undecided_of(record.app_id),
            findings=in_force.findings,
            reactions=in_force.reactions,
            reacted=still_asked(record.reacted, in_force.reactions),
            rpo_alert_s=in_force.rpo_alert_s,
            rto_alert_s=in_force.rto_alert_s,
            signal_problems=still_meant(record.signal_problems, in_force.protections),
        )

    def revisions_for(self, record: ApplicationRecord) -> tuple[DocumentRevision, ...]:
        """Name the content of each policy that is in force for an application."""
        return tuple(
            DocumentRevision(kind="Policy", name=policy.app.name, revision=policy.revision)
            for policy in self._named(record.app.cluster, record.policies)
        )

    def forget(self, record: ApplicationRecord) -> None:
        """Match an application no more: its object is gone."""
        self._in(record.app.cluster).remove_application(record.app_id)

    def _combine(self, cluster: str, own: OwnProtection, names: tuple[str, ...]) -> "_InForce":
        """Bring rules together; once for all applications with the same ones of their own."""
        key = (cluster, msgspec.json.encode(own), names)
        known = self._combined.get(key)
        if known is None:
            if len(self._combined) >= _COMBINED_MAX:
                self._combined = {}  # of documents as they were once
            policies = self._named(cluster, names)
            offers = [offer(one.app.name, one.protections, one.targets) for one in policies]
            combined = combine(own, offers)
            known = self._combined[key] = _InForce(
                protections=tuple(rule for _, rule in combined.rules),
                targets=combined.targets,
                findings=tuple(f"{finding.kind}: {finding.text}" for finding in combined.findings),
                reactions=_reactions(policies),
                rpo_alert_s=_strictest(one.rpo_alert_s for one in policies),
                rto_alert_s=_strictest(one.rto_alert_s for one in policies),
            )
        return known

    def _named(self, cluster: str, names: Iterable[str]) -> list[PolicyRecord]:
        found = (self._records.get(policy_key(policy_place(cluster, name))) for name in names)
        return [policy for policy in found if policy is not None]

    async def _write(self, key: str, record: PolicyRecord) -> None:
        before = self._records.get(key)
        if await self._records.write(key, record) != before:
            self._combined = {}

    def _in(self, cluster: str) -> Matching[str]:
        return self._matching.setdefault(cluster, Matching())

    def _match(self, record: PolicyRecord) -> PolicyRecord:
        """Put a policy into the index; the watcher's expressions may be of another version."""
        matching = self._in(record.app.cluster)
        if not record.match:
            matching.remove_policy(record.app.name)
            return record
        try:
            matching.put_policy(record.app.name, record.match)
        except ExpressionError as error:
            matching.remove_policy(record.app.name)
            return replace(record, refused=str(error))
        return record


def _remembered(fact: PolicyObserved) -> PolicyRecord:
    return PolicyRecord(
        app=fact.app,
        uid=fact.uid,
        resource_version=fact.resource_version,
        generation=fact.generation,
        revision=fact.revision,
        match=fact.match,
        protections=fact.protections,
        targets=fact.targets,
        refused=fact.refused,
        reactions=fact.reactions,
        rpo_alert_s=fact.rpo_alert_s,
        rto_alert_s=fact.rto_alert_s,
    )


def still_asked(
    reacted: tuple[Reacted, ...], reactions: tuple[Reaction, ...]
) -> tuple[Reacted, ...]:
    """Return how far reactions are that are still in force."""
    digests = {reaction.digest for reaction in reactions}
    return tuple(one for one in reacted if one.digest in digests)


def still_meant(
    problems: dict[str, SignalProblem], rules: tuple[Protection, ...]
) -> dict[str, SignalProblem]:
    """Return what is wrong with expressions of rules that still say the same."""
    meant = {rule.name: rule.when for rule in rules}
    return {name: one for name, one in problems.items() if meant.get(name) == one.when}


def _strictest(promised_s: Iterable[int]) -> int:
    return min((one for one in promised_s if one), default=0)


def _reactions(policies: list[PolicyRecord]) -> tuple[Reaction, ...]:
    """Bring reactions together: each one once, as that of the first policy that asks for it."""
    found: dict[str, Reaction] = {}
    for policy in sorted(policies, key=lambda one: one.app.name):
        for reaction in policy.reactions:
            found.setdefault(reaction.digest, replace(reaction, policy=policy.app.name))
    return tuple(found.values())
