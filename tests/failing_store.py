"""Object stores that go wrong on purpose, around one that keeps its promises."""

import threading
from collections.abc import Callable, Iterator

from appshield.errors import UnavailableError
from appshield.objectstore import (
    Content,
    MemoryObjectStore,
    ObjectFacts,
    ObjectStore,
    PiecewiseRange,
    RangeReader,
)


class StoreAround:
    """Passes every call on; subclasses change one thing."""

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        self.inner.put(name, data, only_if_absent=only_if_absent, sha256=sha256)

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        return self.inner.get(name, offset=offset, length=length)

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        return PiecewiseRange(
            lambda start, size: self.get(name, offset=start, length=size), offset, length
        )

    def size(self, name: str) -> int | None:
        return self.inner.size(name)

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        return self.inner.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        return self.inner.folders(prefix)

    def delete(self, name: str) -> None:
        self.inner.delete(name)


class StoreLostError(UnavailableError):
    """What a `FailingStore` raises, so that tests can tell it from any other error."""


class FailingStore(StoreAround):
    """Fails at the n-th write (put or delete) and at each one after it, as after a cut cable.

    With `after_effect` the n-th write takes effect and only its answer is lost.
    """

    def __init__(self, inner: ObjectStore, fail_at: int, *, after_effect: bool = False) -> None:
        super().__init__(inner)
        self.writes = 0
        self._fail_at = fail_at
        self._after_effect = after_effect
        self._counting = threading.Lock()

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        self._write(
            lambda: self.inner.put(name, data, only_if_absent=only_if_absent, sha256=sha256)
        )

    def delete(self, name: str) -> None:
        self._write(lambda: self.inner.delete(name))

    def _write(self, write: Callable[[], None]) -> None:
        with self._counting:
            self.writes += 1
            number = self.writes
        if number < self._fail_at or (number == self._fail_at and self._after_effect):
            write()
        if number >= self._fail_at:
            raise StoreLostError(f"the store is gone at write {number}")


class PausingStore(StoreAround):
    """Calls `before_put(name)` before each put: the place to let something else happen first."""

    def __init__(
        self, inner: ObjectStore, before_put: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__(inner)
        self.before_put = before_put

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        self.before_put(name)
        super().put(name, data, only_if_absent=only_if_absent, sha256=sha256)


def copy_of(store: ObjectStore) -> MemoryObjectStore:
    """Return all objects of a store in a new one."""
    copy = MemoryObjectStore()
    for found in store.list(""):
        copy.put(found.name, store.get(found.name))
    return copy


def names_in(store: ObjectStore, folder: str) -> list[str]:
    """Return the names of all objects in a folder."""
    return sorted(found.name for found in store.list(folder))
