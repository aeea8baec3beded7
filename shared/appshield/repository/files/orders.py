"""What the walk of a restore asks of those who write, here or in worker processes.

Directories and files travel beside an order as open descriptors. Entries are as they stand in
their tree (`StoredEntry.stored`), blobs are 32 bytes each, one after the other.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from appshield.repository.files.descriptors import Identity
from appshield.repository.files.problems import ProblemKind

BLOB_ID_BYTES: Final = 32


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Entries of one directory.

    `is_new` says that this run made the directory, so that nothing is there to look at. `slot` is
    that of temporary names, none of which is one in `taken`. Entries in `strangers` are there as
    another name of something that is not theirs.
    """

    entries: tuple[bytes, ...]
    is_new: bool
    slot: int
    taken: tuple[bytes, ...] = ()
    strangers: tuple[bytes, ...] = ()


class PlaceEntries(msgspec.Struct, frozen=True, tag=True):
    """Restore entries that are no directories; the directories of the parts come beside it."""

    parts: tuple[Part, ...]
    replace_directories: bool
    keep_going: bool


class Trouble(msgspec.Struct, frozen=True, array_like=True):
    """What went wrong with an entry; `errno` is 0 where it was not the system that refused."""

    part: int
    name: bytes
    kind: ProblemKind
    detail: str
    errno: int = 0


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """Which object on the disk an entry with several names has become."""

    part: int
    name: bytes
    identity: Identity


class EntriesPlaced(msgspec.Struct, frozen=True, tag=True):
    """What became of the entries; `files` and `bytes_done` were not yet told as progress."""

    files: int
    bytes_done: int
    bytes_written: int
    bytes_unchanged: int
    troubles: tuple[Trouble, ...]
    placed: tuple[Placed, ...]


class WriteChunks(msgspec.Struct, frozen=True, tag=True):
    """Write a part of a large file from `start`; beside it the file, and maybe an older one."""

    start: int
    blobs: bytes


class CompareChunks(msgspec.Struct, frozen=True, tag=True):
    """Compare a part of a large file from `start`; the file comes beside it."""

    start: int
    blobs: bytes


class ChunksDone(msgspec.Struct, frozen=True, tag=True):
    """What became of a part of a file; `is_right` also says whether a compared one was equal.

    The bytes are those since the last answer of this worker: it may be at another part, too.
    """

    bytes_done: int
    bytes_written: int
    bytes_unchanged: int
    is_right: bool
    trouble: Trouble | None = None


def joined_ids(blob_ids: Iterable[bytes]) -> bytes:
    """Return ids for an order."""
    return b"".join(blob_ids)


def split_ids(blobs: bytes) -> list[bytes]:
    """Return the ids of an order."""
    return [blobs[start : start + BLOB_ID_BYTES] for start in range(0, len(blobs), BLOB_ID_BYTES)]
