"""Key-value buckets: NATS KV as every other tool reads it, with compare-and-set that is retried.

A write carries an identity of its own. When its confirmation was lost and the second attempt meets
a revision that it did not expect, the stored identity tells whether that revision is its own.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import TypeVar

import msgspec

from appshield.bus.api import Api
from appshield.bus.connection import Connection
from appshield.bus.errors import KeyExistsError, StaleRevisionError
from appshield.bus.port import Bucket
from appshield.bus.publishing import EXPECTED_REVISION, MESSAGE_ID, Publisher, WrongRevisionError
from appshield.bus.reading import FALLBACK_S, StreamReader, reading
from appshield.bus.values import Change, Entry, Stored
from appshield.bus.waiting import pause, pause_s
from appshield.contracts.stream_specs import BucketSpec
from appshield.errors import DamagedError, InvalidInputError, UnavailableError

T = TypeVar("T")

MARKER_LIVES_S = 3600
"""How long a deleted key leaves a trace for watchers that are behind."""

RELIST_S = 300.0
"""How often a watcher compares everything; more often where keys expire by themselves."""

_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*")
_OPERATION = "KV-Operation"
_EXPIRED = "Nats-Marker-Reason"
_CREATE_ATTEMPTS = 5


class JetStreamBucket(Bucket[T]):
    """A bucket in a stream named `KV_<bucket>`."""

    def __init__(
        self,
        connection: Connection,
        api: Api,
        publisher: Publisher,
        spec: BucketSpec,
        of: type[T],
    ) -> None:
        self._connection = connection
        self._api = api
        self._publisher = publisher
        self._name = spec.name
        self._stream = stream_of(spec)
        self._prefix = f"$KV.{spec.name}."
        self._relist_s = min(RELIST_S, spec.live_s / 2) if spec.live_s else RELIST_S
        self._decoder = msgspec.json.Decoder(of)

    async def get(self, key: str) -> Entry[T] | None:
        """See `Bucket.get`; the stream's leader answers, never a replica that is behind."""
        found = await self._found(key)
        return None if found is None or _is_marker(found.headers) else self._entry(found)

    async def create(self, key: str, value: T) -> int:
        """See `Bucket.create`."""
        revision = 0
        for _ in range(_CREATE_ATTEMPTS):
            try:
                return await self._write(key, msgspec.json.encode(value), {}, revision)
            except StaleRevisionError:
                found = await self._found(key)
                if found is not None and not _is_marker(found.headers):
                    raise KeyExistsError(self._name, key) from None
                revision = found.sequence if found else 0
        raise KeyExistsError(self._name, key)

    async def update(self, key: str, value: T, revision: int) -> int:
        """See `Bucket.update`."""
        return await self._write(key, msgspec.json.encode(value), {}, revision)

    async def put(self, key: str, value: T) -> int:
        """See `Bucket.put`."""
        return await self._write(key, msgspec.json.encode(value), {}, None)

    async def delete(self, key: str, revision: int | None = None) -> None:
        """See `Bucket.delete`."""
        marker = {_OPERATION: "DEL", "Nats-TTL": f"{MARKER_LIVES_S}s"}
        try:
            await self._write(key, b"", marker, revision)
        except StaleRevisionError:
            found = await self._found(key)
            if found is not None and not _is_marker(found.headers):
                raise

    async def keys(self, prefix: str = "") -> list[str]:
        """See `Bucket.keys`."""
        return sorted(await self._present(prefix))

    async def items(self, prefix: str = "") -> AsyncIterator[Entry[T]]:
        """See `Bucket.items`."""
        for found in (await self._present(prefix)).values():
            yield self._entry(found)

    async def watch(
        self, prefix: str = "", *, stopping: asyncio.Event, traces: bool = False
    ) -> AsyncIterator[Change[T]]:
        """See `Bucket.watch`: a listing compared with what is known, then hints, and again."""
        known: dict[str, int] = {}
        complete = False
        while not stopping.is_set():
            try:
                async with reading(
                    self._connection, self._stream, self._filter(prefix), follow=True
                ) as reader:
                    listing = _Listing(known, told=traces and not complete)
                    async for found in reader.stored(1):
                        if listing.is_news(self._key(found), found):
                            yield self._change(found)
                    for key, revision in listing.vanished():
                        yield Change(key=key, value=None, revision=revision)
                    if not complete:
                        complete = True
                        yield Change(key="", value=None, revision=listing.last)
                    async for change in self._followed(reader, known, listing.last, stopping):
                        yield change
            except UnavailableError:
                if self._connection.is_closed:
                    raise
                await self._connection.wait_up(stopping, longest_s=FALLBACK_S)
                await pause(stopping, pause_s(0))

    async def _followed(
        self, reader: StreamReader, known: dict[str, int], last: int, stopping: asyncio.Event
    ) -> AsyncIterator[Change[T]]:
        """Give changes as they come, until it is time for another listing."""
        loop = asyncio.get_running_loop()
        relist_at = loop.time() + self._relist_s
        while not stopping.is_set() and (left_s := relist_at - loop.time()) > 0:
            for found in await reader.new(last + 1, stopping, longest_s=left_s):
                last = found.sequence
                key = self._key(found)
                if not _is_marker(found.headers):
                    known[key] = found.sequence
                    yield self._change(found)
                elif known.pop(key, 0):
                    yield self._change(found)

    async def _present(self, prefix: str) -> dict[str, Stored]:
        """List the live keys; a key keeps only its last message."""
        present: dict[str, Stored] = {}
        async with reading(
            self._connection, self._stream, self._filter(prefix), follow=False
        ) as reader:
            async for found in reader.stored(1):
                key = self._key(found)
                present.pop(key, None)
                if not _is_marker(found.headers):
                    present[key] = found
        return present

    async def _found(self, key: str) -> Stored | None:
        return await self._api.message(self._stream, last_by_subj=self._subject(key))

    async def _write(
        self, key: str, body: bytes, headers: Mapping[str, str], revision: int | None
    ) -> int:
        identity = secrets.token_hex(12)
        every = {**headers, MESSAGE_ID: identity}
        if revision is not None:
            every[EXPECTED_REVISION] = str(revision)
        try:
            return (await self._publisher.store(self._subject(key), body, every)).sequence
        except WrongRevisionError as error:
            found = await self._found(key)
            if found is not None and found.headers.get(MESSAGE_ID) == identity:
                return found.sequence
            raise StaleRevisionError(self._name, key, revision or 0) from error

    def _subject(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise InvalidInputError(
                f"{key!r} is no key for {self._name}",
                why="letters, digits and -/_= in words joined by dots are allowed",
            )
        return self._prefix + key

    def _filter(self, prefix: str) -> str:
        if not prefix:
            return self._prefix + ">"
        return self._subject(prefix.removesuffix(".")) + (".>" if prefix.endswith(".") else "")

    def _key(self, found: Stored) -> str:
        return found.subject.removeprefix(self._prefix)

    def _change(self, found: Stored) -> Change[T]:
        if _is_marker(found.headers):
            return Change(key=self._key(found), value=None, revision=found.sequence)
        entry = self._entry(found)
        return Change(key=entry.key, value=entry.value, revision=entry.revision)

    def _entry(self, found: Stored) -> Entry[T]:
        key = self._key(found)
        try:
            value = self._decoder.decode(found.body)
        except msgspec.DecodeError as error:
            raise DamagedError(
                f"the key {key} in {self._name} does not hold what it should", why=str(error)
            ) from error
        return Entry(key=key, value=value, revision=found.sequence)


class _Listing:
    """One look at everything, brought into what is `known` as it comes: values are not held.

    With `told`, traces of keys that are not known are news, too.
    """

    def __init__(self, known: dict[str, int], *, told: bool) -> None:
        self._known = known
        self._told = told
        self._seen: set[str] = set()
        self.last = 0

    def is_news(self, key: str, found: Stored) -> bool:
        """Take in what was found; say whether it is another state than the known one."""
        self.last = found.sequence
        if _is_marker(found.headers):
            self._seen.discard(key)
            return bool(self._known.pop(key, 0)) or self._told
        self._seen.add(key)
        news = self._known.get(key) != found.sequence
        self._known[key] = found.sequence
        return news

    def vanished(self) -> list[tuple[str, int]]:
        """Take out what is known and was not found; say what, with the revisions it had."""
        gone = sorted(self._known.keys() - self._seen)
        return [(key, self._known.pop(key)) for key in gone]


def stream_of(spec: BucketSpec) -> str:
    """Name the stream that holds a bucket."""
    return f"KV_{spec.name}"


def _is_marker(headers: Mapping[str, str]) -> bool:
    """Whether a message only says that its key is gone."""
    return _OPERATION in headers or _EXPIRED in headers
