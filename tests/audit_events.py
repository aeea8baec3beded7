"""Events for tests of the audit."""

from datetime import UTC, datetime
from typing import Any

from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef

APP = AppRef(cluster="test", namespace="shop", name="shop")
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(identity: str, **fields: Any) -> AuditEvent:
    """Make an event with this identity."""
    said: dict[str, Any] = {
        "app": APP,
        "id": identity,
        "teller": "planner",
        "at": AT,
        "action": "backup",
        "outcome": "admitted",
        "door": "local",
        **fields,
    }
    return AuditEvent(**said)
