"""A bucket in memory, written through by the leading planner.

A write that failed may have been done all the same: from then on memory may be behind, so the key
is read again before anything more is written there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from appshield.bus import Bucket, Bus, Entry, KeyExistsError, StaleRevisionError
from appshield.contracts.stream_specs import BucketSpec
from appshield.planner.leading import Leadership

T = TypeVar("T")


class Remembered(Generic[T]):
    """Every value of a bucket, as it was last read or written here."""

    def __init__(self, bus: Bus, spec: BucketSpec, of: type[T], leadership: Leadership) -> None:
        self._name = spec.name
        self._bucket: Bucket[T] = bus.bucket(spec, of)
        self._leadership = leadership
        self._entries: dict[str, Entry[T]] = {}
        self._doubtful: set[str] = set()

    async def load(self) -> None:
        """Read everything anew, as another planner may have written it."""
        self._entries = {entry.key: entry async for entry in self._bucket.items()}
        self._doubtful.clear()

    def get(self, key: str) -> T | None:
        """Look a value up."""
        entry = self._entries.get(key)
        return entry.value if entry else None

    def keys(self) -> list[str]:
        """List the keys."""
        return list(self._entries)

    def values(self) -> Iterator[T]:
        """Go through every value."""
        return (entry.value for entry in list(self._entries.values()))

    async def write(self, key: str, value: T) -> T:
        """Write a value over the one in memory; nothing is written when nothing changed.

        Raises:
            StaleRevisionError: memory was behind, and is not any more: decide again.
        """
        await self._ensure_certain(key)
        seen = self._entries.get(key)
        if seen is not None and seen.value == value:
            return value
        self._leadership.ensure()
        with self._doubted_if_it_fails(key):
            if seen is None:
                revision = await self._bucket.create(key, value)
            else:
                revision = await self._bucket.update(key, value, seen.revision)
        self._entries[key] = Entry(key=key, value=value, revision=revision)
        return value

    async def delete(self, key: str) -> None:
        """Remove a key; no error if it is gone.

        Raises:
            StaleRevisionError: as for `write`.
        """
        await self._ensure_certain(key)
        seen = self._entries.get(key)
        if seen is None:
            return
        self._leadership.ensure()
        with self._doubted_if_it_fails(key):
            await self._bucket.delete(key, revision=seen.revision)
        del self._entries[key]

    @contextmanager
    def _doubted_if_it_fails(self, key: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._doubtful.add(key)
            if isinstance(error, KeyExistsError):
                raise StaleRevisionError(self._name, key, 0) from error
            raise

    async def _ensure_certain(self, key: str) -> None:
        if key not in self._doubtful:
            return
        found = await self._bucket.get(key)
        seen = self._entries.pop(key, None)
        if found is not None:
            self._entries[key] = Entry(key=key, value=found.value, revision=found.revision)
        self._doubtful.discard(key)
        if (found and found.value) != (seen and seen.value):
            raise StaleRevisionError(self._name, key, seen.revision if seen else 0)
