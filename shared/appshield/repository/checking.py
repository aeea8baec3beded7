"""Checking a repository: every file and every reference, and on demand every byte.

Each finding names the file of the repository, and for what a version lost, the snapshot and the
path in it. The caller holds a lock (exclusive, if packs of a running backup shall not show up as
orphans). Covers what `restic check` and `restic check --read-data` cover.
"""

import functools
import hashlib
from collections.abc import Sequence

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError
from appshield.repository.blobs import BlobCodec, BlobKind
from appshield.repository.index import Index, IndexDocument, IndexedPack
from appshield.repository.layout import file_id, file_name, list_files
from appshield.repository.packs import PackEntry, read_header
from appshield.repository.pool import BoundedPool, Failure
from appshield.repository.reader import Reader
from appshield.repository.repository import Repository
from appshield.repository.walking import TreeWalk, why_missing, wrong_packs

READING_THREADS = 2


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong: in which file, or in which version at which path."""

    file: str
    what: str
    snapshot_id: str = ""
    path: bytes = b""

    def __str__(self) -> str:
        if not self.snapshot_id:
            return f"{self.file}: {self.what}"
        path = self.path.decode("utf-8", "backslashreplace") or "root"
        return f"snapshot {self.snapshot_id}, {path}: {self.what}"


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. Warnings are harmless: orphaned packs, packs named by two indexes."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    snapshots: int
    packs: int
    blobs: int
    bytes_read: int

    @property
    def is_sound(self) -> bool:
        """Whether everything that the repository names is there and verifies."""
        return not self.errors


def check(repository: Repository, *, read_data: bool) -> CheckReport:
    """Check all metadata, and with `read_data` all packs byte by byte; changes nothing.

    Raises:
        UnavailableError: the store cannot be reached.
    """
    return _Check(repository).run(read_data=read_data)


class _Check:
    """One run of `check`."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._store = repository.store
        self._codec = BlobCodec(repository.key)
        self._index = Index()
        self._packs: dict[str, tuple[PackEntry, ...]] = {}
        self._wrong: dict[str, str] = {}
        self._bad_blobs: dict[tuple[BlobKind, bytes], str] = {}
        self._errors: list[Finding] = []
        self._warnings: list[Finding] = []
        self._snapshots = 0
        self._bytes_read = 0

    def run(self, *, read_data: bool) -> CheckReport:
        self._check_key_files()
        for identity, _ in list_files(self._store, "index"):
            self._check_index_file(identity)
        self._compare_packs()
        if read_data:
            self._read_packs()
        self._check_snapshots()
        return CheckReport(
            errors=tuple(sorted(set(self._errors))),
            warnings=tuple(sorted(set(self._warnings))),
            snapshots=self._snapshots,
            packs=len(self._packs),
            blobs=len(self._index),
            bytes_read=self._bytes_read,
        )

    def _check_key_files(self) -> None:
        for identity, _ in list_files(self._store, "keys"):
            name = file_name("keys", identity)
            if file_id(self._store.get(name)) != identity:
                self._errors.append(Finding(name, "its bytes do not match its name"))

    def _check_index_file(self, identity: str) -> None:
        name = file_name("index", identity)
        try:
            document: IndexDocument = self._repository.read_index_file(identity)
            for pack in document.packs:
                self._check_indexed_pack(name, pack)
        except DamagedError as error:
            self._errors.append(Finding(name, str(error)))

    def _check_indexed_pack(self, name: str, pack: IndexedPack) -> None:
        entries = pack.entries()
        known = self._packs.get(pack.id)
        if known is not None:
            where = file_name("data", pack.id)
            if known == entries:
                self._warnings.append(Finding(where, "two index files name this pack"))
            else:
                self._errors.append(Finding(where, "two index files disagree about this pack"))
            return
        if not _is_contiguous(entries):
            self._errors.append(Finding(name, f"pack {pack.id} would have gaps"))
        if len({entry.kind for entry in entries}) > 1:
            self._warnings.append(Finding(name, f"pack {pack.id} mixes data and trees"))
        self._packs[pack.id] = entries
        self._index.add(pack.id, entries)

    def _compare_packs(self) -> None:
        self._wrong, orphans = wrong_packs(self._store, self._index)
        for pack_id, what in self._wrong.items():
            self._errors.append(Finding(file_name("data", pack_id), what))
        for pack_id in orphans:
            self._warnings.append(Finding(file_name("data", pack_id), "no index names this pack"))

    def _read_packs(self) -> None:
        pool = BoundedPool("check", threads=READING_THREADS, waiting=0, failure=Failure())
        try:
            for pack_id in self._packs:
                if pack_id not in self._wrong:
                    pool.submit(functools.partial(self._read_pack, pack_id))
            pool.drain()
        finally:
            pool.close()

    def _read_pack(self, pack_id: str) -> None:
        name = file_name("data", pack_id)
        entries = self._packs[pack_id]
        try:
            stored = self._store.get(name)
        except ObjectMissingError:
            self._errors.append(Finding(name, f"pack {pack_id} is missing"))
            return
        self._bytes_read += len(stored)
        if hashlib.sha256(stored).hexdigest() != pack_id:
            self._errors.append(Finding(name, "its bytes do not match its name"))
        try:
            if read_header(stored, self._repository.key) != entries:
                self._errors.append(Finding(name, "its header and the index disagree"))
        except DamagedError as error:
            self._errors.append(Finding(name, f"its header is damaged: {error}"))
        for entry in entries:
            self._check_blob(name, pack_id, entry, memoryview(stored))

    def _check_blob(self, name: str, pack_id: str, entry: PackEntry, stored: memoryview) -> None:
        sealed = stored[entry.offset : entry.offset + entry.sealed_bytes]
        try:
            self._codec.decode(entry.blob_id, sealed, compressed_from=entry.compressed_from)
        except DamagedError as error:
            what = f"{entry.kind} blob {entry.blob_id.hex()} in pack {pack_id} is damaged: {error}"
            self._errors.append(Finding(name, what))
            place = self._index.lookup(entry.kind, entry.blob_id)
            if place is not None and place.pack_id == pack_id:
                self._bad_blobs[entry.kind, entry.blob_id] = what

    def _check_snapshots(self) -> None:
        listing = self._repository.list_snapshots()
        self._snapshots = len(listing.readable)
        for unreadable in listing.unreadable:
            name = file_name("snapshots", unreadable.snapshot_id)
            self._errors.append(Finding(name, unreadable.why))
        why_wrong = why_missing(self._index, self._wrong)

        def why(kind: BlobKind, identity: bytes) -> str | None:
            return why_wrong(kind, identity) or self._bad_blobs.get((kind, identity))

        walk = TreeWalk(Reader(self._repository, index=self._index), why)
        for snapshot_id, document in listing.readable:
            for problem in walk.problems(document.tree_id):
                self._errors.append(
                    Finding(
                        file_name("snapshots", snapshot_id),
                        problem.what,
                        snapshot_id=snapshot_id,
                        path=problem.path,
                    )
                )


def _is_contiguous(entries: Sequence[PackEntry]) -> bool:
    end = 0
    for entry in entries:
        if entry.offset != end:
            return False
        end += entry.sealed_bytes
    return True
