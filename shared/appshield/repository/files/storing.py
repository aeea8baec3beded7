"""Saving a directory: walked by descriptors, on one device, at any depth, while it may change.

Each directory is listed, its subdirectories are saved first and then its own entries stream into
one tree: at any time only names, not nodes, are held for the directories on the way from the root.
"""

import errno
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from dataclasses import dataclass, field

import msgspec

from appshield.errors import DamagedError, NotFoundError, RunFailedError
from appshield.repository.files.descriptors import DirectoryChain, open_directory, stale
from appshield.repository.files.entries import EntryStorer
from appshield.repository.files.metadata import node_of
from appshield.repository.files.problems import FileProblem, ProblemKind
from appshield.repository.files.tally import Progress, Tally
from appshield.repository.nodes import BlobSink, BlobSource, Node

_MOUNTED = 0  # in place of an inode number


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
    """Save everything below an open directory.

    No link is followed and no other device is entered; FIFOs, sockets and devices are never
    opened. `exclude` is asked with each path relative to the root. A file that looks as in the
    tree of `parent` (type, times, size, inode) keeps its content without being read, provided
    that all its blobs are still known there. What happens to a single entry becomes a problem.

    Raises:
        StoppedError: `cancelled` said so.
        AppShieldError: what the sink raises.
        RunFailedError: the directory itself cannot be read.
    """
    try:
        with DirectoryChain(root_fd) as chain:
            walk = _Walk(chain, sink, exclude, parent, Tally(progress, cancelled))
            return walk.run()
    except OSError as error:
        raise RunFailedError(
            "the directory cannot be saved",
            why=error.strerror or str(error),
            next_step="See that its file system is mounted and readable, and save again",
        ) from error


@dataclass(slots=True)
class _Listing:
    """A directory at work: all its names, those of its directories, and what became of them."""

    earlier: bytes | None  # its tree in the parent version
    names: list[bytes] = field(default_factory=list)
    directories: list[bytes] = field(default_factory=list)
    subtrees: list[bytes | None] = field(default_factory=list)
    inodes: MutableSequence[int] = field(default_factory=lambda: array("Q"))
    earlier_subtrees: dict[bytes, bytes | None] = field(default_factory=dict)


class _Walk:
    """One run of `store_directory`."""

    def __init__(
        self,
        chain: DirectoryChain,
        sink: BlobSink,
        exclude: Callable[[bytes], bool] | None,
        parent: tuple[BlobSource, bytes] | None,
        tally: Tally,
    ) -> None:
        self._chain = chain
        self._sink = sink
        self._exclude = exclude
        self._earlier = None if parent is None else parent[0]
        self._earlier_root = None if parent is None else parent[1]
        self._tally = tally
        self._entries = EntryStorer(
            sink, self._earlier, device=chain.device, tally=tally, note=self._note
        )

    def run(self) -> StoredDirectory:
        """Store everything below the root of the chain."""
        root = self._chain.descriptor
        status = os.fstat(root)
        attributes = self._entries.attributes(root, b"")
        tree_id = self._store_everything()
        return StoredDirectory(
            tree_id=tree_id,
            root_node=node_of(b"", status, attributes, subtree=tree_id),
            files=self._tally.files,
            files_unchanged=self._entries.files_unchanged,
            directories=self._tally.directories,
            bytes_total=self._entries.bytes_total,
            bytes_read=self._entries.bytes_read,
            problems=self._tally.problems.listed(),
        )

    def _store_everything(self) -> bytes:
        """Walk depth first without recursion: a tree may be deeper than any stack."""
        listings = [self._list(self._earlier_root)]
        while True:
            listing = listings[-1]
            if len(listing.subtrees) < len(listing.directories):
                below = self._enter(listing)
                if below is not None:
                    listings.append(below)
                continue
            tree_id = self._store_tree(listing)
            listings.pop()
            if not listings:
                if tree_id is None:
                    raise stale(b".")
                return tree_id
            self._chain.leave()
            listings[-1].subtrees.append(tree_id)

    def _list(self, earlier: bytes | None) -> _Listing:
        """List the directory at work; OSError if that is refused."""
        listing = _Listing(earlier)
        with os.scandir(self._chain.descriptor) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if self._exclude is not None and self._exclude(self._chain.path(name)):
                    continue
                listing.names.append(name)
                if entry.is_dir(follow_symlinks=False):
                    listing.directories.append(name)
        listing.names.sort()
        listing.directories.sort()
        if listing.directories:
            listing.earlier_subtrees = {
                node.name: node.subtree for node in self._earlier_nodes(listing) if node.subtree
            }
        return listing

    def _enter(self, listing: _Listing) -> _Listing | None:
        """Go to the next directory of a listing, or note why not and what stands for it."""
        name = listing.directories[len(listing.subtrees)]
        self._tally.go_on()
        depth = self._chain.depth
        try:
            self._chain.enter(name)
            below = self._list(listing.earlier_subtrees.pop(name, None))
            listing.inodes.append(os.fstat(self._chain.descriptor).st_ino)
        except OSError as error:
            if self._chain.depth > depth:
                self._chain.leave()
            self._note_error(name, error)
            is_mount = error.errno == errno.EXDEV
            listing.subtrees.append(self._sink.add_tree(()) if is_mount else None)
            listing.inodes.append(_MOUNTED)
            return None
        return below

    def _store_tree(self, listing: _Listing) -> bytes | None:
        """Store the directory at work, of which all subdirectories are stored."""
        try:
            directory = self._chain.descriptor
        except OSError as error:
            self._note_error(b"", error)
            return None
        self._tally.directories += 1
        return self._sink.add_tree(self._nodes(directory, listing))

    def _nodes(self, directory: int, listing: _Listing) -> Iterator[Node]:
        """Yield the nodes of a directory by name; an entry that cannot be read is a problem."""
        earlier = _Ascending(self._earlier_nodes(listing))
        subdirectories = iter(
            zip(listing.directories, listing.subtrees, listing.inodes, strict=True)
        )
        upcoming = next(subdirectories, None)
        for name in listing.names:
            self._tally.go_on()
            try:
                if upcoming is not None and upcoming[0] == name:
                    subdirectory, upcoming = upcoming, next(subdirectories, None)
                    node = self._directory(directory, *subdirectory)
                else:
                    node = self._entries.store(directory, name, earlier.find(name))
            except OSError as error:
                self._note_error(name, error)
                continue
            if node is not None:
                yield node

    def _directory(
        self, directory: int, name: bytes, subtree: bytes | None, inode: int
    ) -> Node | None:
        """Return the node of a stored subdirectory, if it is still the one that was walked."""
        if subtree is None:
            return None
        descriptor = open_directory(name, directory)
        try:
            status = os.fstat(descriptor)
            if inode not in {_MOUNTED, status.st_ino}:
                raise stale(name)
            return node_of(
                name, status, self._entries.attributes(descriptor, name), subtree=subtree
            )
        finally:
            os.close(descriptor)

    def _earlier_nodes(self, listing: _Listing) -> tuple[Node, ...]:
        """Return the directory at work in the parent version, as far as it can be read."""
        if self._earlier is None or listing.earlier is None:
            return ()
        try:
            return self._earlier.read_tree(listing.earlier)
        except (DamagedError, NotFoundError) as error:
            listing.earlier = None
            self._note(b"", "parent", f"all of it is read again: {error}")
            return ()

    def _note(self, name: bytes, kind: ProblemKind, detail: str) -> None:
        self._tally.problems.add(self._chain.path(name), kind, detail)

    def _note_error(self, name: bytes, error: OSError) -> None:
        self._tally.problems.add_error(self._chain.path(name), error)


class _Ascending:
    """Finds nodes by name when both the nodes and the names asked for ascend."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = iter(nodes)
        self._node = next(self._nodes, None)

    def find(self, name: bytes) -> Node | None:
        while self._node is not None and self._node.name < name:
            self._node = next(self._nodes, None)
        return self._node if self._node is not None and self._node.name == name else None
