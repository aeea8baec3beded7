"""Who did what in a team, through every door and with every outcome, for tests of the interface."""

from datetime import datetime, timedelta
from typing import Any

from appshield.audit.chain import Head, link
from appshield.bus import Bus
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef
from appshield.contracts.subjects import AUDITED
from rest_api import CLUSTER

_SHOP, _LEDGER = ("shop", "shop"), ("bank", "ledger")
_DONE: tuple[tuple[tuple[str, str], dict[str, Any]], ...] = (
    (_SHOP, {"action": "backup", "outcome": "admitted", "door": "local", "actor": "ann@laptop"}),
    (_SHOP, {"action": "backup", "outcome": "succeeded", "door": "appshield", "cause": "run"}),
    (_SHOP, {"action": "read-data", "outcome": "allowed", "paths": ("volumes/data/today.txt",)}),
    (_LEDGER, {"action": "restore", "outcome": "denied", "actor": "ben", "target": "bank-copy"}),
    (_LEDGER, {"action": "restore", "outcome": "admitted", "versions": (13,), "reason": "a drill"}),
    (_LEDGER, {"action": "approve", "outcome": "allowed", "actor": "carla"}),
    (_LEDGER, {"action": "restore", "outcome": "failed", "door": "appshield", "cause": "run"}),
    (_SHOP, {"action": "forget", "outcome": "refused", "versions": (3,), "reason": "pinned"}),
    (_SHOP, {"action": "pause", "outcome": "succeeded", "door": "bus", "actor": "argo-cd"}),
    (_SHOP, {"action": "document-written", "outcome": "succeeded", "door": "object"}),
    (
        _SHOP,
        {
            "action": "restore",
            "outcome": "admitted",
            "door": "object",
            "actor": "system:serviceaccount:platform-continuous-delivery:production-deployer",
        },
    ),
    (("", ""), {"action": "sign-in", "outcome": "denied", "actor": "", "reason": "expired token"}),
    (_SHOP, {"action": "gate-overridden", "outcome": "allowed", "door": "gate", "actor": "dora"}),
)


async def seed_audit(bus: Bus, now: datetime) -> None:
    """Write a chain of entries, some hours apart, the newest a minute ago."""
    events = [
        _event(at, now - timedelta(minutes=1, hours=5 * (len(_DONE) - 1 - at)), place, said)
        for at, (place, said) in enumerate(_DONE)
    ]
    lines, _ = link(Head(chain="c0ffee"), events, now)
    await bus.append(AUDITED, b"\n".join(lines), after_sequence=0)


def _event(number: int, at: datetime, place: tuple[str, str], said: dict[str, Any]) -> AuditEvent:
    namespace, name = place
    fields = {"door": "rest", "actor": "ann", "address": "10.4.0.17", **said}
    return AuditEvent(
        app=AppRef(cluster=CLUSTER, namespace=namespace, name=name),
        id=f"e{number}",
        teller="planner",
        at=at,
        **fields,
    )
