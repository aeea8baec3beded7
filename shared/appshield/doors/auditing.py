"""Telling the audit that a person at a terminal reads data, before the first byte is shown."""

import uuid
from datetime import UTC, datetime

from appshield.bus import Bus, trace_id
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef
from appshield.doors.actions import READ_DATA
from appshield.doors.requesting import user_here


async def tell_read(
    bus: Bus,
    app: AppRef,
    *,
    versions: tuple[int, ...] = (),
    paths: tuple[str, ...] = (),
    what: str = "",
    vault: str = "",
) -> None:
    """Tell that this person reads `paths` of versions of an application, or `what` else.

    Raises:
        UnavailableError: it cannot be told now; then it is not to be read either.
    """
    await bus.publish(
        AuditEvent(
            app=app,
            id=str(uuid.uuid4()),
            teller="person",
            at=datetime.now(UTC),
            action=READ_DATA.name,
            outcome="allowed",
            door="local",
            actor=user_here(),
            versions=versions,
            paths=paths,
            vault=vault,
            object=what,
            trace_id=trace_id(),
        )
    )
