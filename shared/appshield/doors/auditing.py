"""Telling the audit what a person at a terminal reads or writes, before it is done."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from appshield.bus import Bus, trace_id
from appshield.contracts.audit import AuditEvent, AuditOutcome
from appshield.contracts.identities import AppRef
from appshield.doors.actions import READ_DATA
from appshield.doors.requesting import user_here
from appshield.errors import AppShieldError


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


class Stored(msgspec.Struct):
    """What came of writing a document: the entries of other tellers about it say the same.

    `generation` is what it is now (see `doors.documents.generation_text`), `run` what a Backup or
    Restore asks for.
    """

    generation: str = ""
    run: str = ""


@asynccontextmanager
async def told_write(bus: Bus, app: AppRef, what: str) -> AsyncIterator[Stored]:
    """Tell that this person begins to write the document `what`, then how it went.

    Both entries have one request id; what is cut off in between has left its beginning. Whoever
    writes notes what came of it.

    Raises:
        UnavailableError: it cannot be told now; if that was its beginning, it is not done.
    """
    begun = AuditEvent(
        app=app,
        id=str(uuid.uuid4()),
        teller="person",
        at=datetime.now(UTC),
        action="write-document",
        outcome="begun",
        door="local",
        actor=user_here(),
        object=what,
        request_id=str(uuid.uuid4()),
        trace_id=trace_id(),
    )
    await bus.publish(begun)
    stored = Stored()
    try:
        yield stored
    except AppShieldError as error:
        await bus.publish(_ended(begun, "refused", error.what))
        raise
    succeeded = _ended(begun, "succeeded")
    await bus.publish(replace(succeeded, cause=stored.generation, run=stored.run))


def _ended(begun: AuditEvent, outcome: AuditOutcome, reason: str = "") -> AuditEvent:
    return replace(
        begun, id=str(uuid.uuid4()), at=datetime.now(UTC), outcome=outcome, reason=reason
    )
