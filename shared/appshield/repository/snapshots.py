"""Snapshots: the documents that make a tree a version. Written last, and only then it exists."""

import datetime as dt
from typing import Protocol

import msgspec

from appshield.errors import DamagedError
from appshield.repository.layout import file_id
from appshield.repository.unpacked import SealedFiles


class SnapshotSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup did, as `restic snapshots` shows it; sizes in bytes."""

    backup_start: dt.datetime
    backup_end: dt.datetime
    files_new: int = 0
    files_changed: int = 0
    files_unmodified: int = 0
    dirs_new: int = 0
    dirs_changed: int = 0
    dirs_unmodified: int = 0
    data_blobs: int = 0
    tree_blobs: int = 0
    data_added: int = 0
    data_added_packed: int = 0
    total_files_processed: int = 0
    total_bytes_processed: int = 0


class SnapshotDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A snapshot; field names and order are restic's. Ids are hexadecimal.

    restic drops fields that it does not know when it rewrites a snapshot: what AppShield has to
    find again is in `tags`.
    """

    time: dt.datetime
    parent: str | None = None
    tree: str
    paths: tuple[str, ...]
    hostname: str = ""
    username: str = ""
    uid: int = 0
    gid: int = 0
    excludes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    original: str | None = None
    program_version: str = ""
    summary: SnapshotSummary | None = None

    @property
    def tree_id(self) -> bytes:
        """The root directory, as the id of its blob."""
        return bytes.fromhex(self.tree)


class SealedSnapshot(msgspec.Struct, frozen=True):
    """The exact bytes of a snapshot file, and what it is called: publishing twice is once."""

    snapshot_id: str
    sealed: bytes


class UnreadableSnapshot(msgspec.Struct, frozen=True):
    """A snapshot file that does not verify, and why."""

    snapshot_id: str
    why: str


class SnapshotListing(msgspec.Struct, frozen=True):
    """All snapshots of a repository: (id, document) of those that can be read, and the others."""

    readable: tuple[tuple[str, SnapshotDocument], ...]
    unreadable: tuple[UnreadableSnapshot, ...]


class HasSealedFiles(Protocol):
    """A repository, as far as sealing needs one."""

    @property
    def sealed_files(self) -> SealedFiles:
        """What seals its documents."""
        ...


def seal_snapshot(repository: HasSealedFiles, document: SnapshotDocument) -> SealedSnapshot:
    """Return the bytes to publish; keep them before, so that a retry publishes the same."""
    file = repository.sealed_files.seal(document)
    return SealedSnapshot(snapshot_id=file.identity, sealed=file.sealed)


def check_sealed(repository: HasSealedFiles, snapshot: SealedSnapshot) -> SnapshotDocument:
    """Return the document in the bytes.

    Raises:
        DamagedError: they are not what they were when they were sealed for this repository.
    """
    if file_id(snapshot.sealed) != snapshot.snapshot_id:
        raise DamagedError(
            f"snapshot {snapshot.snapshot_id} is damaged", why="its bytes do not match its name"
        )
    return repository.sealed_files.decode(snapshot.sealed, SnapshotDocument)
