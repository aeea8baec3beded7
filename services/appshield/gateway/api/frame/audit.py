"""What the doors tell the audit, as the routes see it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from appshield.doors.auditing import Stored
from appshield.errors import AppShieldError, DeniedError
from appshield.gateway.api.frame.callers import Caller

Outcome = Literal["begun", "allowed", "denied", "succeeded", "refused", "failed"]


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody did something, or tried to: names only, no content.

    `action` is the name of an action (`appshield.doors.actions`). `object` is what else was meant,
    such as a document, and `cause` the generation that it has become.
    """

    caller: Caller
    action: str
    outcome: Outcome
    namespace: str = ""
    name: str = ""
    versions: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    size_bytes: int = 0
    vault: str = ""
    object: str = ""
    cause: str = ""
    reason: str = ""
    request_id: str = ""


class Auditor(Protocol):
    """Keeps what was done."""

    async def record(self, act: Act) -> None:
        """Keep an act; when this returns it is kept.

        Raises:
            UnavailableError: it cannot be kept now; then it is not to be done either.
        """


@asynccontextmanager
async def audited(auditor: Auditor, act: Act) -> AsyncIterator[Stored]:
    """Record that an act begins, then how it went: as it says, or that it was refused, and why.

    What is cut off in between has left its beginning, with the same request id. That somebody was
    denied is recorded for every route (see `audit_on_bus`). Whoever writes a document notes what
    came of it.

    Raises:
        UnavailableError: it cannot be recorded now; if that was its beginning, it is not done.
    """
    await auditor.record(replace(act, outcome="begun"))
    stored = Stored()
    try:
        yield stored
    except DeniedError:
        raise
    except AppShieldError as error:
        await auditor.record(replace(act, outcome="refused", reason=error.what))
        raise
    await auditor.record(replace(act, cause=stored.generation))
