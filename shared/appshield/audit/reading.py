"""Reading the audit from the message bus: messages of one or more lines, in order."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Final

import msgspec

from appshield.bus import Bus, Stored
from appshield.contracts.streams import AUDIT
from appshield.contracts.subjects import AUDITED

_STEP: Final = 256
"""So many messages are read at once on the way back."""


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a line stands: the sequence of its message in the stream, and its place in it."""

    stored: int
    at: int


def lines_in(stored: Stored) -> list[bytes]:
    """Give the lines of one message."""
    return stored.body.split(b"\n")


async def lines_of(bus: Bus, *, since: datetime | None = None) -> AsyncIterator[bytes]:
    """Give every line that the stream holds, from about a moment on: a little may come before it.

    Raises:
        UnavailableError: the bus cannot be reached.
    """
    first = 1 if since is None else await _first_since(bus, since)
    async for stored in bus.read(AUDIT, filters=(AUDITED,), since=first):
        for line in lines_in(stored):
            yield line


async def newest_first(
    bus: Bus, *, before: Place | None = None
) -> AsyncGenerator[tuple[Place, bytes], None]:
    """Give the lines from the newest down, or from the one before a place, each with its own."""
    newest = await bus.newest(AUDIT, AUDITED)
    end = newest.sequence if newest is not None else 0
    if before is not None:
        end = min(end, before.stored)
    while end > 0:
        first = max(end - _STEP + 1, 1)
        found = [one async for one in _between(bus, first, end)]
        for stored in reversed(found):
            lines = lines_in(stored)
            for at in range(len(lines) - 1, -1, -1):
                place = Place(stored.sequence, at)
                if before is None or place < before:
                    yield place, lines[at]
        if not found:
            return  # what comes before was trimmed
        end = first - 1


async def oldest_first(
    bus: Bus, *, after: Place | None = None, since: datetime | None = None
) -> AsyncGenerator[tuple[Place, bytes], None]:
    """Give the lines from the oldest up, or from the one behind a place, each with its own.

    Of a time `since` when they are wanted a little before may come, too.
    """
    first = 1 if since is None else await _first_since(bus, since)
    if after is not None:
        first = max(first, after.stored)
    async for stored in bus.read(AUDIT, filters=(AUDITED,), since=first):
        for at, line in enumerate(lines_in(stored)):
            place = Place(stored.sequence, at)
            if after is None or place > after:
                yield place, line


async def _between(bus: Bus, first: int, last: int) -> AsyncIterator[Stored]:
    async for stored in bus.read(AUDIT, filters=(AUDITED,), since=first):
        if stored.sequence > last:
            return
        yield stored


async def _first_since(bus: Bus, since: datetime) -> int:
    """Find the sequence of the first message that was stored since then, by halves."""
    oldest = await anext(aiter(bus.read(AUDIT, filters=(AUDITED,))), None)
    if oldest is None or oldest.time >= since:
        return 1
    before, behind = oldest.sequence, oldest.sequence + 1
    while (found := await bus.message_at(AUDIT, behind)) is not None and found.time < since:
        before, behind = behind, behind + 2 * (behind - before)
    while behind - before > 1:
        middle = (before + behind) // 2
        found = await bus.message_at(AUDIT, middle)
        if found is not None and found.time < since:
            before = middle
        else:
            behind = middle
    return behind
