"""Downloads: which part is meant, under which name, and nothing is fetched for who has gone."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.gateway.api.resources.versions.downloads import (
    ByteRange,
    Download,
    UnsatisfiableRange,
    asked_range,
    disposition,
    safe_name,
)

Message = MutableMapping[str, Any]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=5-", ByteRange(5, 10)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-99", ByteRange(0, 10)),
        ("bytes=8-99", ByteRange(8, 10)),
        ("bytes=10-", UnsatisfiableRange()),
        ("bytes=-0", UnsatisfiableRange()),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=１-２", None),
        ("lines=0-1", None),
        ("", None),
    ],
)
def test_a_range_is_read_as_the_standard_says(header: str, found: object) -> None:
    """What is not supported means the whole."""
    assert asked_range(header, 10) == found


@given(st.text(max_size=60))
def test_no_header_makes_a_range_outside_of_the_file(header: str) -> None:
    """Whatever somebody sends."""
    found = asked_range(f"bytes={header}", 10)
    if isinstance(found, ByteRange):
        assert 0 <= found.start < found.end <= 10


@given(st.binary(max_size=300))
def test_a_name_is_never_more_than_a_name(name: bytes) -> None:
    """One line, no path, nothing hidden, and the header holds nothing else."""
    safe = safe_name(name)
    assert safe
    assert safe.isprintable()
    assert not set(safe) & set('/\\"<>|:*?')
    assert safe not in {".", ".."}
    header = disposition(safe)
    assert header.isascii()
    assert header.count('"') == 2
    assert "\n" not in header
    assert "\r" not in header


class Exchange:
    """One request as a server sees it: what was sent, and a client that goes after some of it."""

    def __init__(self, leaves_after: int | None = None) -> None:
        self.sent: list[Message] = []
        self._leaves_after = leaves_after
        self._gone = asyncio.Event()

    async def receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self._leaves_after is not None and len(self.sent) > self._leaves_after:
            self._gone.set()
        await asyncio.sleep(0)  # others have their turn


@asynccontextmanager
async def pieces(content: Iterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    async def each() -> AsyncIterator[bytes]:
        for piece in content:
            await asyncio.sleep(0)  # others have their turn
            yield piece

    yield each()


async def answered(exchange: Exchange, content: Iterator[bytes]) -> None:
    download = Download(pieces, content, headers={})
    await download({}, exchange.receive, exchange.send)  # type: ignore[arg-type]  # a scope is not looked at


async def test_nothing_is_fetched_for_a_client_that_has_gone() -> None:
    """However much there would be."""
    fetched = 0

    def endless() -> Iterator[bytes]:
        nonlocal fetched
        while True:
            fetched += 1
            yield b"x"

    async with asyncio.timeout(10):
        await answered(Exchange(leaves_after=3), endless())
    assert fetched < 20


async def test_damage_at_the_beginning_is_told_before_anything_is_sent() -> None:
    """So that it can be a problem; later on the answer has no end."""

    def damaged(first: list[bytes]) -> Iterator[bytes]:
        yield from first
        raise DamagedError("blob 00 is damaged")

    exchange = Exchange()
    with pytest.raises(DamagedError):
        await answered(exchange, damaged([]))
    assert exchange.sent == []
    with pytest.raises(DamagedError):
        await answered(exchange, damaged([b"a", b"b"]))
    assert exchange.sent[0]["type"] == "http.response.start"
    assert all(one["more_body"] for one in exchange.sent[1:])
