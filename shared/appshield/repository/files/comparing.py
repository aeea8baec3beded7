"""What a restore into a directory would change there, without changing it.

The same walk as a restore's: through the version's trees and the directories on the disk at once,
by descriptors. Content is compared chunk by chunk, whatever sizes and times say. Owners, modes and
times alone are no change here, though a restore brings them back.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from appshield.errors import RunFailedError
from appshield.repository.files.descriptors import DirectoryChain, open_file
from appshield.repository.files.extras import OF_THE_FILE_SYSTEM
from appshield.repository.files.metadata import kind_of
from appshield.repository.files.naming import is_temporary
from appshield.repository.files.selecting import Selection
from appshield.repository.files.writing import ChunkWriter
from appshield.repository.nodes import BlobSource, Node, StoredEntry
from appshield.repository.trees import decode_node

RestoreChangeKind = Literal["created", "overwritten", "deleted"]
_WITHOUT_NUMBER: Final = frozenset({"fifo", "socket"})


class RestoreChange(msgspec.Struct, frozen=True):
    """An entry that a restore would change; what is below one that goes is not told again."""

    path: bytes
    kind: RestoreChangeKind


def changes_of_restore(
    root_fd: int,
    tree_id: bytes,
    source: BlobSource,
    *,
    include: Selection | None = None,
    delete_extra: bool = False,
    advance: Callable[[int], None],
) -> Iterator[RestoreChange]:
    """Yield what `restore_directory` would change, given the same things, in the walk's order.

    `advance` is told the bytes that were compared, and is called for each entry; it may raise.

    Raises:
        DamagedError: a directory of the version does not verify.
        RunFailedError: something that is there cannot be read.
    """
    try:
        with DirectoryChain(root_fd) as chain:
            yield from _Comparison(chain, source, include, advance, delete_extra=delete_extra).run(
                tree_id
            )
    except OSError as error:
        raise RunFailedError(
            "the directory cannot be compared with the version",
            why=error.strerror or str(error),
            next_step="See that its file system is mounted and readable, and try again",
        ) from error


@dataclass(slots=True)
class _Directory:
    """A directory of the version at work; `extra` are names on the disk not met yet, last first."""

    path: bytes
    is_there: bool
    is_whole: bool
    extra: list[bytes]
    entries: Iterator[StoredEntry]


class _Comparison:
    def __init__(
        self,
        chain: DirectoryChain,
        source: BlobSource,
        include: Selection | None,
        advance: Callable[[int], None],
        *,
        delete_extra: bool,
    ) -> None:
        self._chain = chain
        self._source = source
        self._include = include
        self._advance = advance
        self._delete_extra = delete_extra
        self._chunks = ChunkWriter(source, advance)

    def run(self, tree_id: bytes) -> Iterator[RestoreChange]:
        stack = [self._opened(b"", tree_id, is_there=True, is_whole=self._include is None)]
        while stack:
            directory = stack[-1]
            entry = next(directory.entries, None)
            if entry is None:
                yield from _extra(directory, until=None)
                stack.pop()
                if directory.is_there and stack:
                    self._chain.leave()
                continue
            self._advance(0)
            yield from _extra(directory, until=entry.name)
            path = b"/".join((directory.path, entry.name)) if directory.path else entry.name
            if not self._is_wanted(directory, entry, path):
                continue
            node = decode_node(entry.stored)
            status = self._status(directory, entry.name)
            same_kind = status is not None and kind_of(status) == node.kind
            if node.subtree is None:
                if status is None:
                    yield RestoreChange(path, "created")
                elif not same_kind or not self._is_same(node, status):
                    yield RestoreChange(path, "overwritten")
                continue
            if status is not None and not same_kind:
                yield RestoreChange(path, "overwritten")
            elif status is None:
                yield RestoreChange(path, "created")
            else:
                self._chain.enter(entry.name)
            is_whole = directory.is_whole or self._wants(path)
            stack.append(self._opened(path, node.subtree, is_there=same_kind, is_whole=is_whole))

    def _opened(self, path: bytes, tree_id: bytes, *, is_there: bool, is_whole: bool) -> _Directory:
        extra: list[bytes] = []
        if self._delete_extra and is_whole and is_there:
            names = map(os.fsencode, os.listdir(self._chain.descriptor))  # noqa: PTH208 - by descriptor
            extra = sorted((name for name in names if not self._stays(path, name)), reverse=True)
        return _Directory(path, is_there, is_whole, extra, self._source.read_entries(tree_id))

    def _stays(self, path: bytes, name: bytes) -> bool:
        return is_temporary(name) or (not path and name == OF_THE_FILE_SYSTEM)

    def _wants(self, path: bytes) -> bool:
        return self._include is not None and self._include.wants(path)

    def _is_wanted(self, directory: _Directory, entry: StoredEntry, path: bytes) -> bool:
        if directory.is_whole or self._include is None:
            return True
        return self._wants(path) or (entry.kind == "dir" and self._include.may_hold(path))

    def _status(self, directory: _Directory, name: bytes) -> os.stat_result | None:
        if not directory.is_there:
            return None
        try:
            return os.stat(name, dir_fd=self._chain.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _is_same(self, node: Node, status: os.stat_result) -> bool:
        """Compare two entries of one kind that are no directories."""
        if node.kind == "symlink":
            found = os.readlink(node.name, dir_fd=self._chain.descriptor)
            return os.fsencode(found) == node.linktarget
        if node.kind != "file":
            return node.kind in _WITHOUT_NUMBER or status.st_rdev == node.device
        if status.st_size != node.size_bytes:
            return False
        descriptor = open_file(node.name, self._chain.descriptor)
        try:
            chunks = self._chunks.whole(node.content or (), node.size_bytes)
            return all(self._chunks.matching(descriptor, chunks))
        finally:
            os.close(descriptor)


def _extra(directory: _Directory, *, until: bytes | None) -> Iterator[RestoreChange]:
    """Yield the names on the disk before the next entry; that one's own is none of them."""
    while directory.extra and (until is None or directory.extra[-1] <= until):
        name = directory.extra.pop()
        if name != until:
            path = b"/".join((directory.path, name)) if directory.path else name
            yield RestoreChange(path, "deleted")
