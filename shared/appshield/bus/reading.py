"""Reading streams in order without consuming them.

Pages come by direct get, so a reader makes nothing on the server and needs no right to make
consumers (whoever may make one can have the server deliver to any subject). To follow, the stream
tells on `stored.<stream>.…` what it has just stored; that is a hint only, the pages are the truth.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

import msgspec

from appshield.bus.api import PREFIX, Api, missing
from appshield.bus.connection import Connection
from appshield.bus.inbox import Inbox, Incoming
from appshield.bus.port import Since
from appshield.bus.values import Stored
from appshield.bus.waiting import first_of, pause, pause_s
from appshield.contracts import subjects
from appshield.errors import UnavailableError

FALLBACK_S = 5.0
"""How long a follower relies on hints before it looks for itself."""

_PAGE_MESSAGES = 256
_PAGE_TIMEOUT_S = 5.0
_PAGE_BUDGET_S = 30.0
_LAG_ATTEMPTS = 8
"""How often a page is asked for again when it lacks what was announced: a replica may lag."""

_SERVER_HEADERS = frozenset(
    {
        "Nats-Stream",
        "Nats-Subject",
        "Nats-Sequence",
        "Nats-Time-Stamp",
        "Nats-Num-Pending",
        "Nats-Last-Sequence",
    }
)


class StreamReader:
    """Reads one stream through one filter; opened by `reading`."""

    def __init__(
        self, connection: Connection, stream: str, subject: str, answers: Inbox, hints: Inbox | None
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._answers = answers
        self._hints = hints
        self._outages = connection.outages

    async def stored(self, since: int) -> AsyncIterator[Stored]:
        """Give what is stored from this sequence on, to the end.

        Raises:
            UnavailableError: the server does not answer within a budget.
            NotFoundError: there is no such stream.
        """
        while True:
            page, more = await self._page(since)
            for message in page:
                yield message
            if not more:
                return
            since = page[-1].sequence + 1

    async def new(
        self, since: int, stopping: asyncio.Event, *, longest_s: float = FALLBACK_S
    ) -> list[Stored]:
        """Wait for a hint (or a while), then give what is stored from this sequence on.

        Raises:
            UnavailableError: there was an outage; hints may have been missed.
        """
        announced = await self._hint(since, stopping, min(longest_s, FALLBACK_S))
        for attempt in range(_LAG_ATTEMPTS):
            found = [message async for message in self.stored(since)]
            if announced < since or (found and found[-1].sequence >= announced):
                return found
            await pause(stopping, pause_s(attempt))
        return found

    async def _hint(self, since: int, stopping: asyncio.Event, longest_s: float) -> int:
        """Return the highest sequence announced, 0 when there was no hint."""
        assert self._hints is not None, "only a reader that was opened to follow has hints"
        hints = self._hints
        announced = 0

        async def listen() -> None:
            nonlocal announced
            while announced < since and (hint := await hints.next(FALLBACK_S)) is not None:
                announced = max(announced, int(hint.headers.get("Nats-Sequence", "0")))

        await first_of(listen(), stopping.wait(), self._connection.wait_down(), longest_s=longest_s)
        if not self._connection.is_up or self._connection.outages != self._outages:
            raise UnavailableError(f"the connection was lost while following {self._stream}")
        return announced

    async def _page(self, since: int) -> tuple[list[Stored], bool]:
        budget = self._connection.budget(_PAGE_BUDGET_S)
        while True:
            try:
                return await self._page_once(since)
            except UnavailableError:
                if not await budget.pause():
                    raise

    async def _page_once(self, since: int) -> tuple[list[Stored], bool]:
        request: dict[str, object] = {"seq": max(since, 1), "batch": _PAGE_MESSAGES}
        if self._subject:
            request["next_by_subj"] = self._subject
        where = f"{PREFIX}.DIRECT.GET.{self._stream}"
        reply = self._answers.reply()
        await self._connection.send(where, msgspec.json.encode(request), reply=reply)
        page: list[Stored] = []
        last = asyncio.get_running_loop().time() + _PAGE_TIMEOUT_S
        while (left_s := last - asyncio.get_running_loop().time()) > 0:
            answer = await self._answers.next(left_s)
            if answer is None:
                break
            if answer.subject != reply:
                continue
            if not answer.status:
                page.append(_stored(answer))
            elif answer.status == "204":
                return page, bool(page) and int(answer.headers.get("Nats-Num-Pending", "0")) > 0
            elif answer.status == "404":
                return page, False
            else:
                raise UnavailableError(
                    f"the stream {self._stream} cannot be read", why=answer.description
                )
        self._connection.ensure_allowed(where)
        raise UnavailableError(f"reading the stream {self._stream} timed out")


@asynccontextmanager
async def reading(
    connection: Connection, stream: str, subject: str, *, follow: bool
) -> AsyncIterator[StreamReader]:
    """Open a reader for the time of the block; `subject` is one filter, empty for everything."""
    async with connection.inbox() as answers:
        if not follow:
            yield StreamReader(connection, stream, subject, answers, None)
            return
        async with connection.inbox(subjects.stored(stream, subject)) as hints:
            yield StreamReader(connection, stream, subject, answers, hints)


async def read(
    connection: Connection,
    api: Api,
    stream: str,
    *,
    filters: tuple[str, ...],
    since: Since,
    follow: bool,
) -> AsyncIterator[Stored]:
    """See `Bus.read`."""
    subject = filters[0] if len(filters) == 1 else ""
    place = _Place(stream, 1 if since == "all" else since)
    never = asyncio.Event()
    troubles = 0
    while True:
        try:
            await place.find(api)
            async with reading(connection, stream, subject, follow=follow) as reader:
                async for message in reader.stored(place.next):
                    place.next = message.sequence + 1
                    if _wanted(message, filters):
                        yield message
                while follow:
                    troubles = 0
                    for message in await reader.new(place.next, never):
                        place.next = message.sequence + 1
                        if _wanted(message, filters):
                            yield message
                return
        except UnavailableError:
            if not follow or connection.is_closed:
                raise
            await connection.wait_up(never, longest_s=FALLBACK_S)
            await pause(never, pause_s(troubles))
            troubles += 1


class _Place:
    """Where a reader is in a stream that may be lost and made anew meanwhile."""

    def __init__(self, stream: str, begin: int | Literal["new"]) -> None:
        self.next = 1 if begin == "new" else begin
        self._stream = stream
        self._at_end = begin == "new"
        self._created = ""

    async def find(self, api: Api) -> None:
        """Look at the stream; begin again where it is another one than before.

        Raises:
            NotFoundError: it does not exist.
            UnavailableError: it existed before.
        """
        info = await api.stream(self._stream)
        if info is None:
            if self._created:
                raise UnavailableError(f"the stream {self._stream} was lost")
            raise missing(self._stream)
        if self._created and info.created != self._created:
            self.next = 1
        if self._at_end:
            self._at_end = False
            self.next = info.state.last_seq + 1
        self._created = info.created


async def message_at(connection: Connection, stream: str, sequence: int) -> Stored | None:
    """See `Bus.message_at`."""
    return await _got(connection, f"{PREFIX}.DIRECT.GET.{stream}", {"seq": sequence})


async def newest(connection: Connection, stream: str, subject: str) -> Stored | None:
    """See `Bus.newest`."""
    return await _got(connection, f"{PREFIX}.DIRECT.GET.{stream}.{subject}", None)


async def _got(connection: Connection, where: str, which: object) -> Stored | None:
    body = msgspec.json.encode(which) if which is not None else b""
    budget = connection.budget(_PAGE_BUDGET_S)
    while True:
        try:
            answer = await connection.request(where, body, timeout_s=_PAGE_TIMEOUT_S)
            return None if answer.status else _stored(answer)
        except UnavailableError:
            if not await budget.pause():
                raise


def _wanted(message: Stored, filters: tuple[str, ...]) -> bool:
    return len(filters) < 2 or any(subjects.matches(message.subject, one) for one in filters)


def _stored(answer: Incoming) -> Stored:
    headers = answer.headers
    return Stored(
        sequence=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        body=answer.body,
        headers={name: text for name, text in headers.items() if name not in _SERVER_HEADERS},
        time=datetime.fromisoformat(headers["Nats-Time-Stamp"]).astimezone(UTC),
    )
