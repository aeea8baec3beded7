"""A bucket in memory, with the revisions and errors of a real one."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from appshield.bus import Bucket, Change, Entry, KeyExistsError, StaleRevisionError
from appshield.contracts.stream_specs import BucketSpec
from appshield.errors import DamagedError, InvalidInputError

T = TypeVar("T")

_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*")


class BucketContent:
    """What a bucket holds: JSON under keys; a deleted key holds None under its last revision."""

    def __init__(self) -> None:
        self.cells: dict[str, tuple[bytes | None, int]] = {}
        self.revision = 0
        self.changed = asyncio.Condition()

    async def write(self, key: str, body: bytes | None) -> int:
        async with self.changed:
            self.revision += 1
            self.cells.pop(key, None)
            self.cells[key] = (body, self.revision)
            self.changed.notify_all()
            return self.revision


class MemoryBucket(Bucket[T]):
    """See `Bucket`."""

    def __init__(self, spec: BucketSpec, content: BucketContent, of: type[T]) -> None:
        self._name = spec.name
        self._content = content
        self._of = of

    async def get(self, key: str) -> Entry[T] | None:
        body, revision = self._content.cells.get(_valid(key), (None, 0))
        return None if body is None else self._entry(key, body, revision)

    async def create(self, key: str, value: T) -> int:
        if self._body(key) is not None:
            raise KeyExistsError(self._name, key)
        return await self._content.write(key, msgspec.json.encode(value))

    async def update(self, key: str, value: T, revision: int) -> int:
        self._ensure(key, revision)
        return await self._content.write(key, msgspec.json.encode(value))

    async def put(self, key: str, value: T) -> int:
        return await self._content.write(_valid(key), msgspec.json.encode(value))

    async def delete(self, key: str, revision: int | None = None) -> None:
        if self._body(key) is None and (revision != 0 or key in self._content.cells):
            return
        if revision is not None:
            self._ensure(key, revision)
        await self._content.write(key, None)

    async def keys(self, prefix: str = "") -> list[str]:
        return sorted(
            key
            for key, (body, _) in self._content.cells.items()
            if body is not None and _chosen(key, prefix)
        )

    async def items(self, prefix: str = "") -> AsyncIterator[Entry[T]]:
        for key, (body, revision) in list(self._content.cells.items()):
            if body is not None and _chosen(key, prefix):
                yield self._entry(key, body, revision)

    async def watch(
        self, prefix: str = "", *, stopping: asyncio.Event, traces: bool = False
    ) -> AsyncIterator[Change[T]]:
        seen = self._content.revision
        for key, (body, revision) in list(self._content.cells.items()) if traces else ():
            if body is None and _chosen(key, prefix):
                yield Change(key=key, value=None, revision=revision)
        async for entry in self.items(prefix):
            yield Change(key=entry.key, value=entry.value, revision=entry.revision)
        yield Change(key="", value=None, revision=seen)
        while not stopping.is_set():
            fresh = [
                (key, body, revision)
                for key, (body, revision) in self._content.cells.items()
                if revision > seen
            ]
            for key, body, revision in fresh:
                seen = max(seen, revision)
                if _chosen(key, prefix):
                    value = None if body is None else self._entry(key, body, revision).value
                    yield Change(key=key, value=value, revision=revision)
            if not fresh:
                await self._wait(seen, stopping)

    async def _wait(self, seen: int, stopping: asyncio.Event) -> None:
        async def changed() -> None:
            async with self._content.changed:
                await self._content.changed.wait_for(lambda: self._content.revision > seen)

        waits = [asyncio.ensure_future(changed()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _body(self, key: str) -> bytes | None:
        return self._content.cells.get(_valid(key), (None, 0))[0]

    def _ensure(self, key: str, revision: int) -> None:
        if self._content.cells.get(_valid(key), (None, 0))[1] != revision:
            raise StaleRevisionError(self._name, key, revision)

    def _entry(self, key: str, body: bytes, revision: int) -> Entry[T]:
        try:
            value = msgspec.json.decode(body, type=self._of)
        except msgspec.DecodeError as error:
            raise DamagedError(f"the key {key} in {self._name} is damaged") from error
        return Entry(key=key, value=value, revision=revision)


def _valid(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise InvalidInputError(f"{key!r} is no key")
    return key


def _chosen(key: str, prefix: str) -> bool:
    if not prefix or key == prefix:
        return True
    return prefix.endswith(".") and key.startswith(prefix)
