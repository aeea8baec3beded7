"""Naming packs that no index names, from what their own headers say.

Packs describe themselves. A backup that was killed leaves packs which no index names yet; they are
adopted, so that the next one does not send them again.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError
from appshield.repository.comparing import compare_packs
from appshield.repository.index import Index
from appshield.repository.index_writing import IndexWriter
from appshield.repository.layout import file_name, list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.packs import PackEntry, pack_size_bytes, read_header
from appshield.repository.repository import Repository
from appshield.repository.retiring import retired_packs

TAIL_BYTES: Final = 64 << 10
"""The header of most packs is in so many bytes at the end."""

LARGEST_HEADER_BYTES: Final = (16 << 20) + 4


class NamedPacks(msgspec.Struct, frozen=True, kw_only=True):
    """Packs that were named, and those (id, why) whose header cannot be read."""

    packs: tuple[str, ...]
    blobs: int
    size_bytes: int
    unreadable: tuple[tuple[str, str], ...]


def adopt_unnamed_packs(
    repository: Repository, lock: RepositoryLock, *, index: Index | None = None
) -> NamedPacks:
    """Name packs that a killed backup has left, but for retired ones; add them to `index`.

    One listing when there is nothing to do. `index` is by default that of the repository, loaded
    now unless it is; it must have been loaded under this lock. Packs that another client is storing
    at the moment may be named twice then, which does no harm.

    Raises:
        LockLostError: the lock is gone; what was written is valid.
    """
    index = index or repository.index
    stored = list_files(repository.store, "data")
    unnamed = compare_packs(stored, index).unnamed
    if unnamed:
        retired = retired_packs(repository)
        unnamed = {pack: size for pack, size in unnamed.items() if pack not in retired}
    return name_packs(repository, lock, unnamed, index=index)


def name_packs(
    repository: Repository,
    lock: RepositoryLock,
    packs: Mapping[str, int],
    *,
    index: Index | None = None,
) -> NamedPacks:
    """Write index files that name these packs (id, size); raises as `adopt_unnamed_packs`."""
    writer = IndexWriter(repository, lock)
    named: list[str] = []
    unreadable: list[tuple[str, str]] = []
    blobs = 0
    for pack_id, size_bytes in packs.items():
        try:
            entries = read_pack_header(repository, pack_id, size_bytes)
        except (DamagedError, ObjectMissingError) as error:
            unreadable.append((pack_id, str(error)))
            continue
        writer.add(pack_id, entries)
        named.append(pack_id)
        blobs += len(entries)
        if index is not None:
            index.add(pack_id, entries)
    writer.flush()
    return NamedPacks(
        packs=tuple(named),
        blobs=blobs,
        size_bytes=sum(packs[pack_id] for pack_id in named),
        unreadable=tuple(unreadable),
    )


def read_pack_header(
    repository: Repository, pack_id: str, size_bytes: int
) -> tuple[PackEntry, ...]:
    """Return what a pack of this size says that it holds, from one or two small reads.

    Raises:
        DamagedError: there is no header that verifies and agrees with the size.
        ObjectMissingError: there is no such pack.
    """
    name = file_name("data", pack_id)
    tail = _tail(repository, name, size_bytes, TAIL_BYTES)
    header_bytes = int.from_bytes(tail[-4:], "little") + 4
    if len(tail) < header_bytes <= min(size_bytes, LARGEST_HEADER_BYTES):
        tail = _tail(repository, name, size_bytes, header_bytes)
    entries = read_header(tail, repository.key)
    if pack_size_bytes(entries) != size_bytes:
        raise DamagedError(f"{name} has another size than its header says")
    return entries


def _tail(repository: Repository, name: str, size_bytes: int, length: int) -> bytes:
    return repository.store.get(name, offset=max(0, size_bytes - length))
