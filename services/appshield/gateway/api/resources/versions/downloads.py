"""Giving out content of a version as a download: under a safe name, whole or a range, in pieces.

Names in a backup are whatever somebody once called a file. The name that a browser is told has no
path, no control character and nothing that turns the direction of the text; the content is never
one that a browser would show or run.
"""

import asyncio
import hashlib
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from urllib.parse import quote

import msgspec
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from appshield.repository import Node

BINARY = "application/octet-stream"
NAME_CHARACTERS_MAX = 150
_FORBIDDEN = frozenset('/\\:*?"<>|')
_UNITS = "bytes="
_REPLACED = "\N{REPLACEMENT CHARACTER}"

Pieces = Callable[[Iterator[bytes]], AbstractAsyncContextManager[AsyncIterator[bytes]]]


class ByteRange(msgspec.Struct, frozen=True):
    """The bytes from `start` to before `end`."""

    start: int
    end: int


class UnsatisfiableRange(msgspec.Struct, frozen=True):
    """A range that begins behind the end."""


def asked_range(header: str, size_bytes: int) -> ByteRange | UnsatisfiableRange | None:
    """Read a `Range` header; None where the whole is meant, or what is meant is not supported.

    Several ranges at once are not: RFC 9110 lets a server answer with the whole.
    """
    first, dash, last = header.removeprefix(_UNITS).strip().partition("-")
    digits = first + last
    if not header.startswith(_UNITS) or not dash or not (digits.isascii() and digits.isdecimal()):
        return None
    if not first:
        start, end = max(size_bytes - int(last), 0), size_bytes
    else:
        start = int(first)
        end = min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return None
    return ByteRange(start, end) if start < end else UnsatisfiableRange()


def safe_name(name: bytes) -> str:
    """Return what a file may be called on the disk of whoever takes it."""
    text = name.rpartition(b"/")[2].decode("utf-8", "replace")
    kept = "".join("_" if _is_unsafe(letter) else letter for letter in text)
    return kept.strip(" .")[:NAME_CHARACTERS_MAX] or "download"


def disposition(name: str) -> str:
    """Write a `Content-Disposition` (RFC 6266) with the name for old and for new clients.

    Some old ones read `%2f` in their part as a slash, so no percent sign is in it.
    """
    plain = "".join(letter if letter.isascii() and letter != "%" else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def content_tag(node: Node) -> str:
    """Name the content of a file: it is the same as long as its chunks are."""
    digest = hashlib.sha256(b"".join(node.content or ())).hexdigest()
    return f'"{digest[:27]}"'


def _is_unsafe(letter: str) -> bool:
    """Say whether a letter could make a name mean or look like something else."""
    is_shown = letter == " " or unicodedata.category(letter)[0] not in "CZ"
    return letter in _FORBIDDEN or letter == _REPLACED or not is_shown


class Download(ASGIResponse):
    """An answer that is fetched while it is sent; nothing is fetched for who has gone.

    What is wrong with its beginning is told as a problem; later on the connection is cut, and the
    receiver sees that something is missing.
    """

    _should_set_content_length = False

    def __init__(
        self,
        pieces: Pieces,
        content: Iterator[bytes],
        *,
        headers: dict[str, str],
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        safe = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
        super().__init__(media_type=BINARY, headers={**safe, **headers}, status_code=int(status))
        self._pieces = pieces
        self._content = content

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        async with self._pieces(self._content) as pieces:
            first = await anext(pieces, b"")
            await self.start_response(send)
            sending = asyncio.create_task(_send(send, first, pieces))
            gone = asyncio.create_task(_until_gone(receive))
            try:
                await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                if not sending.done():
                    sending.cancel()
                await asyncio.wait({sending, gone})
            if not sending.cancelled():
                sending.result()  # raises what went wrong


async def _send(send: Send, first: bytes, pieces: AsyncIterator[bytes]) -> None:
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
