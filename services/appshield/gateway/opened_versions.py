"""Versions that are open for reading, for many callers at once, in bounded memory and threads.

A repository stays open for a short while after it was asked for, so that whoever browses does not
load its index for each click. What blocks is done in a few threads; content is fetched a piece at a
time, as fast as whoever takes it, and no further when they have gone.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from appshield.doors.contents import Named, Opened, open_repository, opened, places, roots_of
from appshield.errors import (
    DamagedError,
    DeniedError,
    NotFoundError,
    UnavailableError,
)
from appshield.repository import Reader, Repository
from appshield.vault import VaultAccess

T = TypeVar("T")

THREADS = 4
FRESH_S = 60.0
"""What is pruned waits longer than this beside the repository, so no index is too old."""
REPOSITORIES_MAX = 4
INDEXES_MAX_BYTES = 64 * 1024 * 1024
CHUNKS_AHEAD = 2
STREAMS_MAX = 8
STREAM_WAITS_S = 15.0
PIECE_BYTES = 256 * 1024
_BLOB_BYTES = 48
"""What an index takes in memory for each blob."""


class _Open(msgspec.Struct, frozen=True):
    """A repository as it was when it was opened."""

    repository: Repository
    reader: Reader
    roots: dict[str, bytes]
    opened_at: float
    size_bytes: int


class OpenedVersions:
    """Opens versions; `access` reads what opens a Vault."""

    def __init__(self, access: Callable[[str], Awaitable[VaultAccess]]) -> None:
        self._access = access
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="versions")
        self._open: OrderedDict[tuple[str, str], _Open] = OrderedDict()
        self._opening: dict[tuple[str, str], asyncio.Task[_Open]] = {}
        self._streams = asyncio.Semaphore(STREAMS_MAX)

    def close(self) -> None:
        """Take no more work; what runs ends by itself."""
        self._open.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def of(self, named: Named) -> Opened:
        """Open the versions in the first Vault that has all of them and can be read.

        Raises:
            NotFoundError: they are in no Vault together, or not there any more.
            UnavailableError, DeniedError, DamagedError: the last Vault that has them is not to be
                read.
        """
        *others, last = places(named)
        for place in others:
            try:
                return await self._at(place)
            except (UnavailableError, NotFoundError, DeniedError, DamagedError):
                continue
        return await self._at(last)

    async def run(self, work: Callable[[], T]) -> T:
        """Do work that blocks in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def pieces(self, content: Iterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give content out a piece at a time, when there is room for another stream.

        Raises:
            UnavailableError: there is none for a while.
        """
        try:
            async with asyncio.timeout(STREAM_WAITS_S):
                await self._streams.acquire()
        except TimeoutError:
            raise UnavailableError(
                "too much is read from versions at the moment", next_step="Try again in a minute."
            ) from None
        try:
            yield self._pieces(content)
        finally:
            self._streams.release()

    async def _pieces(self, content: Iterator[bytes]) -> AsyncIterator[bytes]:
        while piece := await self.run(lambda: _next_piece(content)):
            yield piece

    async def _at(self, place: Named) -> Opened:
        key = (place.vault, place.record.app_id)
        known = self._fresh().get(key)
        if known is not None:
            self._open.move_to_end(key)
            if all(one.snapshot_id in known.roots for one in place.versions):
                return opened(known.repository, known.reader, known.roots, place)
        opening = self._opening.get(key)
        if opening is None:
            opening = self._opening[key] = asyncio.create_task(self._opened(*key))
            opening.add_done_callback(lambda task: self._ended(key, task))
        found = await asyncio.shield(opening)
        return opened(found.repository, found.reader, found.roots, place)

    def _ended(self, key: tuple[str, str], opening: asyncio.Task[_Open]) -> None:
        del self._opening[key]
        if not opening.cancelled():
            opening.exception()  # whoever waited was told; nobody may have

    async def _opened(self, vault: str, app_id: str) -> _Open:
        access = replace(await self._access(vault), read_only=True)
        found = await self.run(lambda: _opened(access, app_id))
        self._open[vault, app_id] = found
        self._open.move_to_end((vault, app_id))
        while len(self._open) > 1 and self._is_too_much():
            self._open.popitem(last=False)
        return found

    def _is_too_much(self) -> bool:
        size_bytes = sum(one.size_bytes for one in self._open.values())
        return len(self._open) > REPOSITORIES_MAX or size_bytes > INDEXES_MAX_BYTES

    def _fresh(self) -> OrderedDict[tuple[str, str], _Open]:
        """Return what is open, without what was opened too long ago."""
        oldest = time.monotonic() - FRESH_S
        for key in [key for key, one in self._open.items() if one.opened_at < oldest]:
            del self._open[key]
        return self._open


def _opened(access: VaultAccess, app_id: str) -> _Open:
    opened_at = time.monotonic()  # what comes while it is read may be missed
    repository = open_repository(access, app_id)
    return _Open(
        repository=repository,
        roots=roots_of(repository),
        reader=Reader(repository, chunks_ahead=CHUNKS_AHEAD),
        opened_at=opened_at,
        size_bytes=len(repository.index) * _BLOB_BYTES,
    )


def _next_piece(content: Iterator[bytes]) -> bytes:
    """Return the next bytes, some more than one small chunk; none at the end."""
    parts: list[bytes] = []
    size_bytes = 0
    for part in content:
        parts.append(part)
        size_bytes += len(part)
        if size_bytes >= PIECE_BYTES:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)
