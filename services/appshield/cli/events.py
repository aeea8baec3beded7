"""`appshield events`: facts as they were told on the bus."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from cyclopts import Parameter

from appshield.bus import Bus, Stored
from appshield.cli.options import Namespace, Output
from appshield.cli.output import note, say, say_json_line, time_text
from appshield.cli.reaching import Reach
from appshield.contracts import decode
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import OUTCOMES, STATE
from appshield.doors.event_words import sentence
from appshield.doors.naming import Wanted, wanted

_STREAMS = (STATE, OUTCOMES)


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `events -o json`: where and when it was told, and the message as it is."""

    stream: str
    sequence: int
    subject: str
    time: str
    message: msgspec.Raw


async def events(
    app: Annotated[str, Parameter(name="APP", help="Only of this application.")] = "",
    /,
    *,
    namespace: Namespace = "",
    last: Annotated[int, Parameter(help="How many of the past; 0 for all.")] = 50,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), negative="", help="Go on until Ctrl-C.")
    ] = False,
    output: Output = "text",
) -> None:
    """Show what happened: facts about applications, runs and their steps, oldest first."""
    want = wanted(app, namespace) if app else None
    async with Reach.here().bus() as bus:
        past, next_of = await _past(bus, want, last)
        for stream, stored in past:
            _say(stream, stored, output)
        if not past and not follow:
            note("nothing has happened yet")
        if follow:
            async for stream, stored in _coming(bus, next_of):
                if _about(stored, want):
                    _say(stream, stored, output)


async def _past(
    bus: Bus, want: Wanted | None, last: int
) -> tuple[list[tuple[StreamSpec, Stored]], dict[str, int]]:
    """Read what is stored: the newest `last`, and the sequence that each stream goes on with."""
    next_of = {stream.name: 1 for stream in _STREAMS}
    kept: list[tuple[StreamSpec, Stored]] = []
    for stream in _STREAMS:
        newest: deque[Stored] = deque(maxlen=last or None)
        async for stored in bus.read(stream):
            next_of[stream.name] = stored.sequence + 1
            if _about(stored, want):
                newest.append(stored)
        kept += [(stream, stored) for stored in newest]
    kept.sort(key=lambda one: one[1].time)
    return kept[-last:] if last else kept, next_of


async def _coming(bus: Bus, next_of: dict[str, int]) -> AsyncIterator[tuple[StreamSpec, Stored]]:
    """Follow all streams at once."""
    arrived: asyncio.Queue[tuple[StreamSpec, Stored]] = asyncio.Queue(maxsize=256)

    async def follow(stream: StreamSpec) -> None:
        async for stored in bus.read(stream, since=next_of[stream.name], follow=True):
            await arrived.put((stream, stored))

    followers = [asyncio.create_task(follow(stream), name=stream.name) for stream in _STREAMS]
    try:
        while True:
            yield await arrived.get()
    finally:
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)


def _about(stored: Stored, want: Wanted | None) -> bool:
    return want is None or want.fits(decode(stored.body).app)


def _say(stream: StreamSpec, stored: Stored, output: str) -> None:
    if output == "json":
        say_json_line(
            ToldEvent(
                stream=stream.name,
                sequence=stored.sequence,
                subject=stored.subject,
                time=stored.time.isoformat(),
                message=msgspec.Raw(stored.body),
            )
        )
        return
    message = decode(stored.body)
    say(f"{time_text(stored.time)}  {message.app}  {sentence(message)}")
