"""The port: what every object store promises, and the view of a part of one.

A name is one or more segments joined by `/`, relative to the prefix of its store. A segment is not
empty, does not start with a dot and holds no control character or backslash. No name may be the
folder of another (`a` beside `a/b`): folders on a disk and some S3 services cannot hold both.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, cast

import msgspec

from appshield.errors import InvalidInputError, NotFoundError, RefusedError, UnavailableError
from appshield.objectstore.content import Content
from appshield.objectstore.retention import Retention
from appshield.objectstore.streaming import RangeReader


class ObjectExistsError(RefusedError):
    """An object of this name is there already and was not touched."""


class ObjectMissingError(NotFoundError):
    """No object of this name is in the store."""


class StoreFullError(UnavailableError):
    """The store accepts no more bytes: its disk, quota or bucket is full."""


class ObjectRetainedError(RefusedError):
    """The object is kept by its retention and was not deleted; later it can be."""

    def __init__(self, name: str, until: datetime | None) -> None:
        ends = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "until its legal hold ends"
        super().__init__(
            f"object {name} cannot be deleted yet",
            why=f"it is kept {ends}",
            next_step="Delete it after that",
        )
        self.until = until
        """When the retention ends; None for a hold without an end."""


class ObjectFacts(msgspec.Struct, frozen=True):
    """What a listing tells about one object."""

    name: str
    size_bytes: int


class ObjectStore(Protocol):
    """Named bytes. Calls block, may come from any thread, and see all writes that returned before.

    Every call can raise UnavailableError (cannot be reached now; StoreFullError when it is full)
    and DeniedError (no right to do this), and InvalidInputError for a malformed name.
    """

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        """Store all of `data` durably, or nothing; what is in a file is not read into memory whole.

        With `only_if_absent` exactly one of several racing writers succeeds, the others get
        ObjectExistsError. When an answer was lost on the way, a writer can be told so about its
        own bytes: whoever has to know reads the object and compares.

        `sha256` is that of the bytes in hex, where the caller knows it: then nobody hashes them
        again, and a service refuses bytes that do not match.
        """
        ...

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes from `offset`, fewer where the object ends before.

        Raises:
            ObjectMissingError: there is no such object.
        """
        ...

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        """Begin to read a range, without waiting for it; what `get` raises comes from its reader.

        To be read, or closed, by the thread and process that opened it.
        """
        ...

    def size(self, name: str) -> int | None:
        """Return the size in bytes, None when there is no such object."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        """Yield every object below the folder `prefix` (`""`: all), in no particular order.

        `keys` and `keys/` both mean the folder: `keys/1` is in it, `keyset` is not. Foreign
        objects whose names this port does not accept are left out.
        """
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly in `prefix`, without looking into them.

        A folder is there while an object is below it; one that was emptied may still be named.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove the object; it is no error when it is gone already.

        In a bucket that keeps versions, all of them are removed, as far as there is the right to.

        Raises:
            ObjectRetainedError: its retention keeps it; it can still be read.
        """
        ...


class RetainingStore(ObjectStore, Protocol):
    """A store that keeps objects from being deleted: `put` does so for those that are covered."""

    @property
    def retention(self) -> Retention | None:
        """How long it keeps which objects, None when it keeps nothing."""
        ...

    def retain(self, name: str) -> None:
        """Keep an object that is covered for the whole time from now on; others stay as they are.

        Raises:
            ObjectMissingError: there is no such object.
        """
        ...


def retaining(store: ObjectStore) -> RetainingStore | None:
    """Return the store as one that keeps objects, None when it keeps nothing."""
    keeps = getattr(store, "retention", None) is not None
    return cast("RetainingStore", store) if keeps else None


def within(store: ObjectStore, prefix: str) -> ObjectStore:
    """Return a view of the part of `store` below the folder `prefix`."""
    return _View(store, folder_of(prefix))


def check_name(name: str) -> None:
    """Raise InvalidInputError unless `name` can be the name of an object."""
    if not is_name(name):
        raise InvalidInputError(
            f"{name!r} cannot be the name of an object",
            why="each part between slashes must be printable, not empty, without a leading dot",
        )


def is_name(name: str) -> bool:
    """Tell whether `name` can be the name of an object."""
    segments = name.split("/")
    return name.isprintable() and all(s and s[0] != "." and "\\" not in s for s in segments)


def check_range(offset: int, length: int | None) -> None:
    """Raise InvalidInputError for a range that starts or ends before the object does."""
    if offset < 0 or (length is not None and length < 0):
        raise InvalidInputError(f"offset {offset} with length {length} is not a range of bytes")


def folder_of(prefix: str) -> str:
    """Return the folder that `prefix` names: empty, or checked and with one slash at its end."""
    folder = prefix.removesuffix("/")
    if not folder:
        return ""
    check_name(folder)
    return folder + "/"


class _View:
    """A store that sees one folder of another one."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store = store
        self._folder = folder

    def __repr__(self) -> str:
        return f"{self._store!r}/{self._folder}"

    @property
    def part_of(self) -> tuple[ObjectStore, str]:
        """The store of which this is a part, and the folder."""
        return self._store, self._folder

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,
    ) -> None:
        self._store.put(self._whole(name), data, only_if_absent=only_if_absent, sha256=sha256)

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        return self._store.get(self._whole(name), offset=offset, length=length)

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        return self._store.open_range(self._whole(name), offset=offset, length=length)

    def size(self, name: str) -> int | None:
        return self._store.size(self._whole(name))

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        for found in self._store.list(self._folder + folder_of(prefix)):
            yield ObjectFacts(found.name.removeprefix(self._folder), found.size_bytes)

    def folders(self, prefix: str) -> Iterator[str]:
        return self._store.folders(self._folder + folder_of(prefix))

    def delete(self, name: str) -> None:
        self._store.delete(self._whole(name))

    @property
    def retention(self) -> Retention | None:
        store = retaining(self._store)
        return None if store is None else store.retention

    def retain(self, name: str) -> None:
        store = retaining(self._store)
        if store is not None:
            store.retain(self._whole(name))

    def _whole(self, name: str) -> str:
        check_name(name)
        return self._folder + name
