"""What travels between the walk over a directory and whoever stores its entries.

A job names entries of some directories, whose descriptors go with it; the reply has an encoded
node for each. What a worker leaves to others comes back by its position: (directory, entry).
"""

import msgspec

from appshield.repository.files.problems import ProblemKind

MOST_NAMES = 500
MOST_DIRECTORIES = 32


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A position in a job: number of the directory, and of the entry among its names."""

    directory: int
    entry: int


class DirectoryNames(msgspec.Struct, array_like=True):
    """Entries of one directory.

    `others` are the positions of those that were listed as something else than regular files.
    """

    names: list[bytes]
    others: list[int]


class StoreEntries(msgspec.Struct, tag=True):
    """Store entries of directories on one device.

    The job may end early once `most_bytes` were read; files above `large_bytes` are left to
    others, and so are hard links of other workers, unless `linked` says that they are ours.
    """

    device: int
    directories: list[DirectoryNames]
    most_bytes: int
    large_bytes: int
    linked: bool = False


class EntryProblem(msgspec.Struct, frozen=True, array_like=True):
    """What happened to an entry."""

    place: Place
    kind: ProblemKind
    detail: str


class LinkedElsewhere(msgspec.Struct, frozen=True, array_like=True):
    """A file with several names, and the worker that reads all of them."""

    place: Place
    worker: int


class EntriesStored(msgspec.Struct, tag=True):
    """The reply: encoded nodes by directory, empty bytes for what is left out or left to others.

    Directories and entries that are missing at the end were not reached. `bytes_total` is the size
    of the files, `bytes_known` what of it was not read.
    """

    nodes: list[list[bytes]] = []
    problems: list[EntryProblem] = []
    large: list[Place] = []
    linked: list[LinkedElsewhere] = []
    bytes_total: int = 0
    bytes_known: int = 0
    bytes_read: int = 0


class StorePart(msgspec.Struct, tag=True):
    """Store a part of the file whose descriptor goes along, [start, end) in bytes."""

    start: int
    end: int
    sparse: bool


class PartStored(msgspec.Struct, tag=True):
    """The chunks of a part, and where they end; `failure` is the error number of the file."""

    content: list[bytes] = []
    end: int = 0
    bytes_read: int = 0
    failure: int = 0


class FlushPacks(msgspec.Struct, tag=True):
    """Make everything durable that this worker has packed."""


class PacksFlushed(msgspec.Struct, tag=True):
    """The reply: all of it is, and was told."""
