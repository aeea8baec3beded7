"""An object store in memory: the fast one for tests, held to the same promises as the others."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from appshield.errors import InvalidInputError
from appshield.objectstore.content import Content
from appshield.objectstore.port import (
    ObjectExistsError,
    ObjectFacts,
    ObjectMissingError,
    ObjectRetainedError,
    check_name,
    check_range,
    folder_of,
)
from appshield.objectstore.retention import Retention
from appshield.objectstore.streaming import PiecewiseRange, RangeReader


class MemoryObjectStore:
    """Objects in a dictionary; gone with the process.

    With a `retention` it refuses to delete what that covers, by the clock `now`.
    """

    def __init__(
        self, *, retention: Retention | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        self.retention = retention
        self._now = now or (lambda: datetime.now(UTC))
        self._kept_until: dict[str, datetime] = {}
        self._objects: dict[str, bytes] = {}
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"<memory store of {len(self._objects)} objects>"

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        """See ObjectStore.put."""
        check_name(name)
        copy = bytes(data)
        if sha256 is not None and hashlib.sha256(copy).hexdigest() != sha256:
            raise InvalidInputError(f"the bytes of {name} do not have the digest that was told")
        with self._guard:
            if only_if_absent and name in self._objects:
                raise ObjectExistsError(f"object {name} exists already")
            self._refuse_a_folder(name)
            self._objects[name] = copy
            if self.retention is not None and self.retention.covers(name):
                self._kept_until[name] = self.retention.until(self._now())

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.get."""
        check_name(name)
        check_range(offset, length)
        data = self._objects.get(name)
        if data is None:
            raise ObjectMissingError(f"there is no object {name}")
        return data[offset:] if length is None else data[offset : offset + length]

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        """See ObjectStore.open_range."""
        check_name(name)
        check_range(offset, length)
        return PiecewiseRange(
            lambda start, size: self.get(name, offset=start, length=size), offset, length
        )

    def size(self, name: str) -> int | None:
        """See ObjectStore.size."""
        check_name(name)
        data = self._objects.get(name)
        return None if data is None else len(data)

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        """See ObjectStore.list."""
        folder = folder_of(prefix)
        with self._guard:
            found = [(n, len(d)) for n, d in self._objects.items() if n.startswith(folder)]
        yield from (ObjectFacts(name, size_bytes) for name, size_bytes in found)

    def folders(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.folders."""
        depth = len(folder_of(prefix))
        below = (found.name[depth:].split("/") for found in self.list(prefix))
        yield from {segments[0] for segments in below if len(segments) > 1}

    def delete(self, name: str) -> None:
        """See ObjectStore.delete."""
        check_name(name)
        with self._guard:
            until = self._kept_until.get(name)
            if until is not None and until > self._now():
                raise ObjectRetainedError(name, until)
            self._objects.pop(name, None)
            self._kept_until.pop(name, None)

    def retain(self, name: str) -> None:
        """See RetainingStore.retain."""
        check_name(name)
        if self.retention is None or not self.retention.covers(name):
            return
        with self._guard:
            if name not in self._objects:
                raise ObjectMissingError(f"there is no object {name}")
            if self._kept_until[name] < self.retention.least(self._now()):
                self._kept_until[name] = self.retention.until(self._now())

    def _refuse_a_folder(self, name: str) -> None:
        """Be as strict as a disk, so that tests in memory find what a disk would refuse."""
        parents = {name[:at] for at, letter in enumerate(name) if letter == "/"}
        if parents & self._objects.keys():
            raise InvalidInputError(f"{name} lies below an object, which is no folder")
