"""Copying what a version needs from one repository into another: only what is not there yet.

    walk the version's trees in the source  → mark each blob that the target lacks
    read the marked blobs, pack by pack     → open, seal for the target, prove, pack, upload
    walk it in the target                   → is all of it there, in packs of the right size?

A blob has the same name in both, as names come from content. What was uploaded before is not sent
again, also by a copy that was killed. In memory are an index of each, and one byte for each blob
of the source, beside a few ranges and packs; the source's index goes before the last walk.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobKind
from appshield.repository.comparing import compare_packs
from appshield.repository.index import Index
from appshield.repository.layout import list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.naming import adopt_unnamed_packs
from appshield.repository.pruning.using import Marks
from appshield.repository.repository import Repository
from appshield.repository.settings import PackSettings
from appshield.repository.transferring import KINDS, GoOn, Transfer, UnreadableBlobError
from appshield.repository.walking import TreeProblem, TreeWalk, lost_in, missing_blobs
from appshield.repository.writer import Writer

MOST_TOLD: Final = 5

Lacks = Callable[[BlobKind, bytes], str | None]
"""Says of a blob why it cannot be read, None if it can."""


class CopyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What had to be copied, as it is sealed in the source, and what that takes in the target."""

    blobs: int
    bytes_copied: int
    bytes_stored: int = 0


def copy_tree(
    source: Repository,
    target: Repository,
    lock: RepositoryLock,
    tree_id: bytes,
    *,
    go_on: GoOn = lambda _, __: None,
    settings: PackSettings | None = None,
) -> CopyReport:
    """Make all that is below a directory of the source readable in the target.

    `lock` is the target's; the source is locked, too, since before its index was read. Killed at
    any instant it leaves the target valid, and the next copy goes on from what is there.

    Raises:
        DamagedError: something cannot be read in the source; names the path.
        LockLostError: the lock is gone; what was written is valid.
    """
    adopt_unnamed_packs(target, lock, index=target.load_index())
    with Writer(target, lock, settings=settings) as writer:
        sent = _send(source, writer, tree_id, go_on)
    report = replace(sent, bytes_stored=writer.bytes_stored)
    del writer  # and with it the packs in memory, before everything is looked at once more
    for repository in (source, target):
        repository.forget_index()
    done = report.bytes_copied
    missing = missing_blobs(target, tree_id, seen=lambda: go_on(done, done))
    if missing:
        raise _problem("the copy is not whole", missing)
    return report


def _send(source: Repository, writer: Writer, tree_id: bytes, go_on: GoOn) -> CopyReport:
    """Give the writer what its repository lacks."""
    index = source.index
    lacks = _lacking(writer.repository, writer.repository.index)  # which the writer has loaded
    marks = _missing(source, index, lacks, tree_id, lambda: go_on(0, 0))
    del lacks
    transfer = Transfer(source, index, marks, writer, go_on)
    try:
        transfer.run()
    except UnreadableBlobError as error:
        raise _with_path(source, index, tree_id, error) from error
    return CopyReport(blobs=transfer.blobs, bytes_copied=transfer.bytes_done)


def _missing(
    source: Repository, index: Index, lacks: Lacks, tree_id: bytes, seen: Callable[[], None]
) -> Marks:
    """Mark what the target lacks, by row of the source's index."""
    marks: Marks = {kind: bytearray(index.count(kind)) for kind in KINDS}

    def look(kind: BlobKind, row: int) -> str | None:
        seen()
        if not marks[kind][row] and lacks(kind, index.table(kind).identity(row)) is not None:
            marks[kind][row] = 1
        return None

    problems = TreeWalk(source, index, look).problems(tree_id)
    if problems:
        raise _problem("it cannot be read", problems)
    return marks


def _lacking(target: Repository, index: Index) -> Lacks:
    """Tell what the target lacks: what its index does not name, or is in packs that are wrong."""
    lost = lost_in(index, compare_packs(list_files(target.store, "data"), index).wrong)

    def lacks(kind: BlobKind, identity: bytes) -> str | None:
        row = index.find(kind, identity)
        return f"{kind} blob {identity.hex()} is in no index" if row < 0 else lost(kind, row)

    return lacks


def _with_path(
    source: Repository, index: Index, tree_id: bytes, error: UnreadableBlobError
) -> DamagedError:
    def look(kind: BlobKind, row: int) -> str | None:
        is_it = (kind, index.table(kind).identity(row)) == (error.kind, error.identity)
        return str(error) if is_it else None

    return _problem("it cannot be read", TreeWalk(source, index, look).problems(tree_id))


def _problem(what: str, problems: Sequence[TreeProblem | str]) -> DamagedError:
    more = len(problems) - MOST_TOLD
    told = "; ".join(map(str, problems[:MOST_TOLD]))
    return DamagedError(what, why=f"{told}; and {more} more" if more > 0 else told)
