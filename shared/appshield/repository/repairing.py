"""Making the index whole again, from what is in the store and what packs say of themselves."""

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectMissingError
from appshield.repository.comparing import Comparison, compare_packs
from appshield.repository.forgetting import ensure_exclusive
from appshield.repository.index import Index, IndexBuilder
from appshield.repository.index_rewriting import IndexRewrite
from appshield.repository.layout import list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.naming import name_packs, read_pack_header
from appshield.repository.repository import Repository


class RepairReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was repaired; packs by their ids.

    `dropped` are missing: what they held is lost unless another pack has it. `unreadable` (id, why)
    were left as they are.
    """

    named: tuple[str, ...]
    dropped: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    damaged_indexes: tuple[str, ...]


def repair_index(repository: Repository, lock: RepositoryLock) -> RepairReport:
    """Name every pack that is there, drop those that are not, and remove damaged index files.

    Retired packs are named again, too: the next prune drops them anew unless they are needed.

    Raises:
        RefusedError: the lock is not exclusive.
        LockLostError: the lock is gone; what was done is valid.
    """
    ensure_exclusive(lock)
    index, damaged = _read_what_can_be(repository)
    comparison = compare_packs(list_files(repository.store, "data"), index)
    misnamed = _misnamed(repository, comparison)
    missing = {row for row, pack in comparison.wrong.items() if pack.found_bytes is None}
    gone = missing | misnamed.keys()
    if gone or damaged:
        IndexRewrite(repository, lock, index, dropped=gone, damaged=damaged).run()
    found = name_packs(repository, lock, comparison.unnamed | dict(misnamed.values()))
    wrong = comparison.wrong
    left = ((wrong[row].pack_id, str(wrong[row])) for row in sorted(wrong.keys() - gone))
    return RepairReport(
        named=found.packs,
        dropped=tuple(wrong[row].pack_id for row in sorted(missing)),
        unreadable=(*found.unreadable, *left),
        damaged_indexes=tuple(damaged),
    )


def _read_what_can_be(repository: Repository) -> tuple[Index, list[str]]:
    builder = IndexBuilder()
    damaged: list[str] = []
    for identity, _ in list_files(repository.store, "index"):
        try:
            builder.add_document(repository.read_index_file(identity))
        except DamagedError:
            damaged.append(identity)
    return Index(builder.build()), damaged


def _misnamed(repository: Repository, comparison: Comparison) -> dict[int, tuple[str, int]]:
    """Return those packs (id, size) of another size than the index says whose header agrees."""
    found: dict[int, tuple[str, int]] = {}
    for row, pack in comparison.wrong.items():
        if pack.found_bytes is None:
            continue
        try:
            read_pack_header(repository, pack.pack_id, pack.found_bytes)
        except (DamagedError, ObjectMissingError):
            continue
        found[row] = (pack.pack_id, pack.found_bytes)
    return found
