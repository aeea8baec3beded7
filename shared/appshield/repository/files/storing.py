"""Saving a directory: walked by descriptors, on one device, at any depth, while it may change.

The walk lists directories and gives batches of their entries away, to worker processes where there
is much to do; nodes come back in any order and are put together as they come. What a directory is
(owner, mode, times) is taken from the descriptor that it is listed by: content of one directory can
never get the owner of another.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from appshield.errors import RunFailedError
from appshield.repository.files.assembling import Assembly, OpenDirectory, Piece, Slot
from appshield.repository.files.batching import Batch, BatchPart
from appshield.repository.files.descriptors import (
    DirectoryChain,
    entries_of,
    open_directory,
    stale,
)
from appshield.repository.files.dispatching import Dispatcher
from appshield.repository.files.earlier import (
    EarlierDirectory,
    Unread,
    subtree_of,
    unchanged_nodes,
)
from appshield.repository.files.entry_jobs import MOST_NAMES
from appshield.repository.files.metadata import encode_entry, node_of, read_attributes
from appshield.repository.files.problems import FileProblem
from appshield.repository.files.tally import Progress, Tally
from appshield.repository.nodes import BlobSink, BlobSource, Node
from appshield.repository.packing import BytesRead

MOST_WAITING_PIECES = 64
"""How much of one directory may wait for what comes before it: 32,000 entries."""

_DIRECTORY, _FILE, _OTHER = b"\0d", b"\0f", b"\0o"
"""What follows a listed name: no name holds a zero, and the order of names stays the same."""

_NAMES: Final = sys.getfilesystemencoding()
_ANY_BYTES: Final = sys.getfilesystemencodeerrors()


class StoredDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """What was saved.

    `root_node` is the directory itself (owner, mode, attributes, times), with an empty name and
    its subtree: renamed, it becomes an entry of a tree above. `files` counts every entry that is
    no directory; `bytes_total` is the size of the files, `bytes_read` what had to be read of it.
    """

    tree_id: bytes
    root_node: Node
    files: int
    files_unchanged: int
    directories: int
    bytes_total: int
    bytes_read: int
    problems: tuple[FileProblem, ...]


def store_directory(
    root_fd: int,
    sink: BlobSink,
    *,
    exclude: Callable[[bytes], bool] | None = None,
    parent: tuple[BlobSource, bytes] | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool],
) -> StoredDirectory:
    """Save everything below an open directory, in the sink's worker processes if it has some.

    No link is followed and no other device is entered; FIFOs, sockets and devices are never
    opened. `exclude` is asked with each path relative to the root. A file that looks as in the
    tree of `parent` (type, times, size, inode) keeps its content without being read, provided
    that all its blobs are still known there. What happens to a single entry becomes a problem.

    Raises:
        StoppedError: `cancelled` said so.
        AppShieldError: what the sink raises.
        RunFailedError: the directory itself cannot be read.
    """
    tally = Tally(progress, cancelled)

    def on_event(event: msgspec.Struct) -> None:
        if isinstance(event, BytesRead):
            tally.advance(event.bytes_read)

    try:
        with DirectoryChain(root_fd) as chain, sink.pool(tally.go_on, on_event) as pool:
            assembly = Assembly(tally.count_directory)
            dispatcher = Dispatcher(sink, pool, assembly, tally, chain.device)
            walk = _Walk(chain, sink, dispatcher, assembly, tally, exclude=exclude, parent=parent)
            try:
                return walk.run()
            finally:
                dispatcher.close()
    except OSError as error:
        raise RunFailedError(
            "the directory cannot be saved",
            why=error.strerror or str(error),
            next_step="See that its file system is mounted and readable, and save again",
        ) from error


class _Entered(NamedTuple):
    """A directory that was entered: all its names, and its tree in the parent version."""

    directory: OpenDirectory
    names: Iterator[bytes]
    earlier: EarlierDirectory


class _Walk:
    """One run of `store_directory`."""

    def __init__(
        self,
        chain: DirectoryChain,
        sink: BlobSink,
        dispatcher: Dispatcher,
        assembly: Assembly,
        tally: Tally,
        *,
        exclude: Callable[[bytes], bool] | None,
        parent: tuple[BlobSource, bytes] | None,
    ) -> None:
        self._chain = chain
        self._sink = sink
        self._dispatcher = dispatcher
        self._assembly = assembly
        self._tally = tally
        self._exclude = exclude
        self._parent = parent
        self._batch = Batch()

    def run(self) -> StoredDirectory:
        """Store everything below the root of the chain."""
        root = self._chain.descriptor
        status = os.fstat(root)
        attributes = self._attributes(root, b"")
        self._walk(self._enter_root())
        self._dispatcher.store(self._batch)
        self._dispatcher.finish()
        tree_id = self._assembly.root
        if tree_id is None:
            raise stale(b".")
        totals = self._dispatcher.totals
        return StoredDirectory(
            tree_id=tree_id,
            root_node=node_of(b"", status, attributes, subtree=tree_id),
            files=self._tally.files,
            files_unchanged=totals.files_unchanged,
            directories=self._tally.directories,
            bytes_total=totals.bytes_total,
            bytes_read=totals.bytes_read,
            problems=self._tally.problems.listed(),
        )

    def _walk(self, root: _Entered) -> None:
        """Walk depth first without recursion: a tree may be deeper than any stack."""
        way = [(root.directory, self._go_through(root))]
        while way:
            directory, steps = way[-1]
            below = next(steps, None)
            if below is not None:
                way.append((below.directory, self._go_through(below)))
                continue
            way.pop()
            directory.is_listed = True
            self._assembly.settle(directory)
            if way:
                self._chain.leave()

    def _go_through(self, entered: _Entered) -> Iterator[_Entered]:
        """Give the entries of a directory away, and yield each directory in it, entered."""
        directory, earlier = entered.directory, entered.earlier
        while listed := list(islice(entered.names, MOST_NAMES)):
            self._dispatcher.wait_for_room(lambda: directory.waiting > MOST_WAITING_PIECES)
            try:
                descriptor = self._chain.descriptor
            except OSError as error:  # it was moved away while it was closed
                self._tally.problems.add_error(directory.path(), error)
                directory.is_lost = True
                return
            piece = directory.new_piece(len(listed))
            for slot, name, subtree in self._give(piece, listed, earlier, descriptor):
                inside = self._enter(slot, name, subtree)
                if inside is not None:
                    yield inside

    def _give(
        self, piece: Piece, listed: Sequence[bytes], earlier: EarlierDirectory, descriptor: int
    ) -> list[tuple[Slot, bytes, bytes]]:
        """Give entries away, unless they are unchanged; return the directories among them.

        Those are the place in the piece, the name, and the tree in the parent version.
        """
        others: list[tuple[int, bytes, bytes]] = []
        seen: list[Unread] = []
        below: list[tuple[Slot, bytes, bytes]] = []
        for number, entry in enumerate(listed):
            name, kind = entry[:-2], entry[-2:]
            before = earlier.find(name)
            if kind == _DIRECTORY:
                below.append((Slot(piece, number), name, subtree_of(before)))
            elif before and kind == _FILE:
                seen.append((number, name, before))
            else:
                others.append((number, name, kind))
        unchanged, size_bytes = unchanged_nodes(seen, descriptor, self._chain.device, self._sink)
        if unchanged:
            self._dispatcher.take_unchanged(piece, unchanged, size_bytes)
        if len(unchanged) < len(seen):
            done = {number for number, _ in unchanged}
            others += [(number, name, _FILE) for number, name, _ in seen if number not in done]
            others.sort()
        if others:
            self._batch.add(
                BatchPart(
                    piece,
                    [number for number, _, _ in others],
                    [name for _, name, _ in others],
                    [at for at, (_, _, kind) in enumerate(others) if kind == _OTHER],
                    self._dispatcher.hold(descriptor),
                )
            )
        if self._batch.is_full:
            batch, self._batch = self._batch, Batch()
            self._dispatcher.store(batch)
        return below

    def _enter_root(self) -> _Entered:
        directory = OpenDirectory(b"", self._sink.open_tree(), None, bytes)
        earlier = self._parent[1] if self._parent else b""
        return _Entered(directory, self._list(directory), self._earlier(directory, earlier))

    def _enter(self, slot: Slot, name: bytes, earlier: bytes) -> _Entered | None:
        """Go down into a directory, or note why not and what stands for it."""
        self._tally.go_on()
        depth = self._chain.depth
        above = slot.piece.directory
        try:
            self._chain.enter(name)
            descriptor = self._chain.descriptor
            status = os.fstat(descriptor)
            attributes = self._attributes(descriptor, above.path(name))
            directory = OpenDirectory(
                name,
                self._sink.open_tree(),
                slot,
                lambda tree: encode_entry(name, status, attributes, subtree=tree),
            )
            names = self._list(directory)
        except OSError as error:
            if self._chain.depth > depth:
                self._chain.leave()
            self._tally.problems.add_error(above.path(name), error)
            self._assembly.fill(slot, self._mounted(name) if error.errno == errno.EXDEV else b"")
            return None
        return _Entered(directory, names, self._earlier(directory, earlier))

    def _mounted(self, name: bytes) -> bytes:
        """Return the node of a directory on which another file system is mounted: it is empty."""
        try:
            descriptor = open_directory(name, self._chain.descriptor)
        except OSError:
            return b""
        try:
            attributes = self._attributes(descriptor, self._chain.path(name))
            status = os.fstat(descriptor)
            return encode_entry(name, status, attributes, subtree=self._sink.add_tree(()))
        finally:
            os.close(descriptor)

    def _list(self, directory: OpenDirectory) -> Iterator[bytes]:
        """List the directory at work, in order; OSError if that is refused."""
        with entries_of(self._chain.descriptor) as entries:
            names = [entry.name.encode(_NAMES, _ANY_BYTES) + _kind_of(entry) for entry in entries]
        if self._exclude is not None:
            path = directory.path()
            below = path + b"/" if path else b""
            names = [entry for entry in names if not self._exclude(below + entry[:-2])]
        names.sort()
        return _compact(names)

    def _attributes(self, descriptor: int, path: bytes) -> tuple[tuple[str, bytes], ...]:
        attributes, lost = read_attributes(descriptor)
        for sentence in lost:
            self._tally.problems.add(path, "attribute", sentence)
        return attributes

    def _earlier(self, directory: OpenDirectory, tree_id: bytes) -> EarlierDirectory:
        """Return the directory in the parent version, as far as it can be read."""

        def note(error: Exception) -> None:
            detail = f"all of it is read again: {error}"
            self._tally.problems.add(directory.path(), "parent", detail)

        if self._parent is None or not tree_id:
            return EarlierDirectory(iter(()), note)
        return EarlierDirectory(self._parent[0].read_encoded(tree_id), note)


def _kind_of(entry: os.DirEntry[str]) -> bytes:
    if entry.is_file(follow_symlinks=False):
        return _FILE
    return _DIRECTORY if entry.is_dir(follow_symlinks=False) else _OTHER


def _compact(names: list[bytes]) -> Iterator[bytes]:
    """Hold many names as one piece of memory, which takes a fifth of it."""
    if len(names) <= MOST_NAMES:
        return iter(names)
    joined = b"/".join(names)
    names.clear()
    return _split(joined)


def _split(joined: bytes) -> Iterator[bytes]:
    start = 0
    while (end := joined.find(b"/", start)) >= 0:
        yield joined[start:end]
        start = end + 1
    yield joined[start:]
