"""Messages that could not be handled: to look at, to send again, to drop."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.bus import DeadLetter
from appshield.doors.actions import HANDLE_PARKED
from appshield.gateway.api.frame.audit import Act, audited
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import LIMIT, Cursor, Limit, sorting
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.rights import in_cluster

_TAGS = ["AppShield"]


LetterNumber = Annotated[int, PathParameter(ge=1, description="The message's number.")]


class DeadLetterSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A message that could not be handled, without its content; `number` names it."""

    number: int
    service: str
    subject: str
    message_id: str
    reason: str
    deliveries: int
    parked_at: datetime


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message is again, as a new one."""

    stream: str
    sequence: int


SORT_KEYS: dict[str, SortKey[DeadLetter]] = {
    "number": lambda letter: letter.sequence,
    "service": lambda letter: letter.service,
}


@get("/dead-letters", opt=in_cluster(HANDLE_PARKED), tags=_TAGS)
async def list_dead_letters(
    backend: OnBackend,
    *,
    service: Annotated[str, QueryParameter(description="Only those of this service.")] = "",
    sort: Annotated[str, sorting(*SORT_KEYS)] = "-number",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[DeadLetterSummary]:
    """List the messages that could not be handled, and why."""
    letters = [one for one in await backend.dead_letters.list() if service in {"", one.service}]
    page = page_of(
        letters,
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=SORT_KEYS,
        name=lambda letter: f"{letter.sequence:020}",
    )
    return Page(items=[_summary(one) for one in page.items], total=page.total, next=page.next)


@post(
    "/dead-letters/{number:int}/replay",
    status_code=200,
    opt=in_cluster(HANDLE_PARKED),
    tags=_TAGS,
)
async def replay(
    request: AnyRequest, backend: OnBackend, caller: AsCaller, number: LetterNumber
) -> Replayed:
    """Send a message again where it was, as a new one; replaying twice at once sends once."""
    async with audited(backend.auditor, _act(request, caller, f"replay of message {number}")):
        receipt = await backend.dead_letters.replay(number)
    return Replayed(stream=receipt.stream, sequence=receipt.sequence)


@delete("/dead-letters/{number:int}", opt=in_cluster(HANDLE_PARKED), tags=_TAGS)
async def drop(
    request: AnyRequest, backend: OnBackend, caller: AsCaller, number: LetterNumber
) -> None:
    """Forget a message that could not be handled."""
    async with audited(backend.auditor, _act(request, caller, f"removal of message {number}")):
        await backend.dead_letters.remove(number)


def _act(request: AnyRequest, caller: Caller, what: str) -> Act:
    return Act(
        caller=caller,
        action=HANDLE_PARKED.name,
        outcome="succeeded",
        object=what,
        request_id=request_id(request.scope),
    )


def _summary(letter: DeadLetter) -> DeadLetterSummary:
    return DeadLetterSummary(
        number=letter.sequence,
        service=letter.service,
        subject=letter.subject,
        message_id=letter.message_id,
        reason=letter.reason,
        deliveries=letter.deliveries,
        parked_at=letter.parked_at,
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (list_dead_letters, replay, drop)
