"""Rules of applications that wait for changes, worked out when one of its objects is looked at.

Records, documents and policies say what is in force. A policy counts from when the planner decides
by it, also before the record of each application says so, and costs as much for many as for one.
"""

from collections.abc import Callable, Iterator

import msgspec
import structlog

from appshield.application.rules_in_force import RulesInForce, own_protection
from appshield.contracts.applications import (
    ApplicationRecord,
    Described,
    OwnProtection,
    Protection,
)
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord
from appshield.language.expression_errors import ExpressionError
from appshield.language.expression_tree import Read
from appshield.language.resolved import ResolvedApplication
from appshield.watcher.documents import Documents
from appshield.watcher.projecting import meaning, reads_of


class WaitingRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of an application that waits for changes; `means` is what its memory depends on."""

    app: AppRef
    app_id: str
    application: ResolvedApplication
    rule: Protection
    means: str
    reads: frozenset[Read]


class _Asks(msgspec.Struct, frozen=True, kw_only=True):
    """What of a record decides which rules wait; its runs are not in it."""

    app: AppRef
    uid: str
    own: OwnProtection
    application_type: str
    criticality: str
    described: Described


class WaitingRules:
    """What waits for changes in one cluster."""

    def __init__(self, documents: Callable[[], Documents]) -> None:
        self._documents = documents
        self._in_force = RulesInForce(_waits)
        self._records: dict[str, ApplicationRecord] = {}
        self._in: dict[str, set[str]] = {}
        self._by_uid: dict[str, str] = {}
        self._own: dict[str, frozenset[str]] = {}
        self._worked_out: dict[str, tuple[WaitingRule, ...]] = {}

    def know_policies(self) -> None:
        """Note that all policies were taken in."""
        self._in_force.complete = True

    def take_record(self, app_id: str, record: ApplicationRecord | None) -> bool:
        """Take in a record, None when it is gone; say whether other rules may wait now."""
        before = self._records.pop(app_id, None)
        if record is not None and record.state == "active":
            self._records[app_id] = record
        now = self._records.get(app_id)
        if (before and _asks(before)) == (now and _asks(now)):
            return False  # its runs go on, or its record follows a policy
        if before is not None:
            self._in[before.app.namespace].discard(app_id)
            self._by_uid.pop(before.uid, None)
        if now is not None:
            self._in.setdefault(now.app.namespace, set()).add(app_id)
            self._by_uid[now.uid] = app_id
        self._worked_out.pop(app_id, None)
        own = _asks(now).own.protections if now is not None else ()
        kinds = frozenset(of for rule in own if _waits(rule) for of in rule.change_of)
        had = self._own.pop(app_id, None)
        if kinds:
            self._own[app_id] = kinds
        return bool(had or kinds or self._in_force.offers())

    def take_policy(self, key: str, policy: PolicyRecord | None) -> bool:
        """Take in a policy, None when it is gone; say whether other rules wait now."""
        if not self._in_force.take(key, policy):
            return False
        self._worked_out.clear()
        return True

    def take_document(self, uid: str) -> str:
        """Take in that a document is another one; return its application, empty if unknown."""
        app_id = self._by_uid.get(uid, "")
        self._worked_out.pop(app_id, None)
        return app_id

    def kinds(self) -> set[str]:
        """Name the kinds that rules wait for, as rules name them."""
        named = {of for kinds in self._own.values() for of in kinds}
        return named | {
            of for one in self._in_force.offers() for r in one.rules for of in r.change_of
        }

    def offered(self, named: frozenset[str]) -> frozenset[tuple[str, str, str, str]]:
        """Return what policies ask of some kinds: policy, match, rule and expression of each."""
        return frozenset(
            (one.policy, one.match, rule.name, rule.when)
            for one in self._in_force.offers()
            for rule in one.rules
            if not named.isdisjoint(rule.change_of)
        )

    def applications(self) -> list[str]:
        """List all applications."""
        return list(self._records)

    def in_namespace(self, namespace: str) -> set[str]:
        """Return the applications of a namespace."""
        return self._in.get(namespace, set())

    def of(self, app_id: str) -> tuple[WaitingRule, ...]:
        """Return the rules of an application, worked out once as long as nothing changes."""
        found = self._worked_out.get(app_id)
        if found is None:
            record = self._records.get(app_id)
            document = self._documents().get(record.uid) if record else None
            found = tuple(self._work_out(record, document)) if record and document else ()
            self._worked_out[app_id] = found
        return found

    def _work_out(
        self, record: ApplicationRecord, application: ResolvedApplication
    ) -> Iterator[WaitingRule]:
        belongs = (application.resources, [one.workload for one in application.components])
        for rule in self._in_force.of(record):
            try:
                reads = reads_of(rule)
            except ExpressionError as error:
                structlog.get_logger().warning(
                    "rule not understood", rule=rule.name, problem=str(error)
                )
                continue
            yield WaitingRule(
                app=record.app,
                app_id=record.app_id,
                application=application,
                rule=rule,
                means=meaning(rule, belongs),
                reads=reads,
            )


def _asks(record: ApplicationRecord) -> _Asks:
    return _Asks(
        app=record.app,
        uid=record.uid,
        own=own_protection(record),
        application_type=record.application_type,
        criticality=record.criticality,
        described=record.described,
    )


def _waits(rule: Protection) -> bool:
    return rule.trigger == "change"
