"""Restoring a tree into an open directory: confined to it, resumable, only what differs.

The walk goes through the version's trees and the directories on the disk at once, makes directories
and gives out what else there is to do, in orders that worker processes may take. A run that is
killed leaves complete entries and at most a temporary file for each worker, which the next run
takes over or removes. Directories get their metadata when all below them is done, deepest first.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import msgspec

from appshield.errors import DamagedError, NotFoundError, RunFailedError
from appshield.repository.files.descriptors import DirectoryChain
from appshield.repository.files.doing import DoneHere, OrderDoer
from appshield.repository.files.extras import ExtraEntries
from appshield.repository.files.failing import Failed, Failures
from appshield.repository.files.large import LargeFiles, is_large
from appshield.repository.files.linking import HardLinks
from appshield.repository.files.metadata import apply_metadata
from appshield.repository.files.naming import is_temporary, taken_names, temporary_link_name
from appshield.repository.files.ordering import Orders
from appshield.repository.files.orders import Placed, Trouble
from appshield.repository.files.problems import FileProblem
from appshield.repository.files.removing import remove_entry
from appshield.repository.files.selecting import Selection
from appshield.repository.files.tally import Progress, Tally
from appshield.repository.files.unfinished import (
    MOST_HELD,
    HeldDirectories,
    UnfinishedDirectory,
)
from appshield.repository.nodes import BlobSource, Node, StoredEntry
from appshield.repository.trees import decode_node
from appshield.repository.workers.ports import JobPool

_ATTEMPTS = 3
_PRIVATE_DIRECTORY = 0o700
_LINKS_AT_ONCE = 500


class RestoredDirectory(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored; `files` counts every entry that is no directory, changed or not.

    `bytes_written` is file content that was put in place, holes included; `bytes_unchanged` is
    content that was there and verified.
    """

    files: int
    directories: int
    bytes_written: int
    bytes_unchanged: int
    problems: tuple[FileProblem, ...]


def restore_directory(
    root_fd: int,
    tree_id: bytes,
    source: BlobSource,
    *,
    root_node: Node | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool],
    delete_extra: bool = False,
    keep_going: bool = False,
    include: Selection | None = None,
    pool: JobPool | None = None,
) -> RestoredDirectory:
    """Make an open directory hold what a tree says; `root_node` is for the directory itself.

    Nothing outside the directory is touched, whatever the tree says and whoever changes the
    directory meanwhile. Entries that are there already and right are not written. Others with the
    same name are replaced; a directory that is not empty and in the way of something else only
    with `delete_extra`, which also removes everything that the tree does not hold. With
    `keep_going` an entry that cannot be restored is a problem and the rest goes on; an owner,
    attribute or hard link that cannot be restored always is.

    `include` limits all of it to what is chosen there; directories on the way keep the metadata
    that they have. The workers of `pool` write, with a source of the same blobs; without a pool
    all is done here.

    Raises:
        DamagedError: stored data of an entry does not verify; it is named and left as it was.
        RunFailedError: the system refuses to write an entry, or has no room.
        StoppedError: `cancelled` said so.
        AppShieldError: what the source or the pool raises.
    """
    tally = Tally(progress, cancelled)
    try:
        with (
            DirectoryChain(root_fd) as chain,
            closing(HeldDirectories(chain)) as held,
            closing(
                _Walk(
                    chain,
                    held,
                    source,
                    pool or DoneHere(OrderDoer(source, tally.advance_both)),
                    tally,
                    delete_extra=delete_extra,
                    keep_going=keep_going,
                    include=include,
                )
            ) as walk,
        ):
            return walk.run(tree_id, root_node)
    except OSError as error:
        raise RunFailedError(
            "the directory cannot be restored into",
            why=error.strerror or str(error),
            next_step="See that its file system is mounted and writable, and restore again",
        ) from error


class _Walk:
    """One run of `restore_directory`."""

    def __init__(
        self,
        chain: DirectoryChain,
        held: HeldDirectories,
        source: BlobSource,
        pool: JobPool,
        tally: Tally,
        *,
        delete_extra: bool,
        keep_going: bool,
        include: Selection | None,
    ) -> None:
        self._chain = chain
        self._held = held
        self._source = source
        self._tally = tally
        self._failures = Failures(tally.problems, keep_going=keep_going)
        self._include = include
        self._extras = ExtraEntries(chain, tally.go_on, self._fail) if delete_extra else None
        self._links = HardLinks(chain, replace_directories=delete_extra)
        self._orders = Orders(
            pool, held, self, tally, replace_directories=delete_extra, keep_going=keep_going
        )
        self._large = LargeFiles(pool, held, source, self, tally, replace_directories=delete_extra)
        self.bytes_written = 0
        self.bytes_unchanged = 0

    def close(self) -> None:
        """Let go of what is under way, when a run ends early."""
        self._large.close()

    def run(self, tree_id: bytes, root_node: Node | None) -> RestoredDirectory:
        """Walk depth first without recursion: a tree may be deeper than any stack."""
        whole = self._include is None
        root = UnfinishedDirectory(None, b"", root_node if whole else None, is_whole=whole)
        stack = [(root, self._entries(root, tree_id))]
        while stack:
            directory, entries = stack[-1]
            node = self._place_until_directory(directory, entries)
            if node is None:
                self._leave(directory)
                stack.pop()
                if stack:
                    self._chain.leave()
                continue
            below = self._enter(directory, node)
            if below is not None:
                stack.append((below, self._entries(below, node.subtree)))
        self._drain()
        return RestoredDirectory(
            files=self._tally.files,
            directories=self._tally.directories,
            bytes_written=self.bytes_written,
            bytes_unchanged=self.bytes_unchanged,
            problems=self._tally.problems.listed(),
        )

    def _entries(
        self, directory: UnfinishedDirectory, tree_id: bytes | None
    ) -> Iterator[StoredEntry]:
        """Yield the entries of a directory; what is there and not in the tree goes meanwhile."""
        try:
            directory.taken, entries = taken_names(self._read(tree_id), self._read(tree_id))
            if self._extras is None or not directory.is_whole:
                yield from entries
            else:
                yield from self._extras.removed_beside(directory, entries)
        except (DamagedError, NotFoundError, OSError) as error:
            self._fail(directory, b"", error)

    def _read(self, tree_id: bytes | None) -> Iterator[StoredEntry]:
        if tree_id is None:
            raise DamagedError("the directory has no tree")
        return self._source.read_entries(tree_id)

    def _place_until_directory(
        self, directory: UnfinishedDirectory, entries: Iterator[StoredEntry]
    ) -> Node | None:
        """Give out entries up to the next directory, and return that; None at the end."""
        for entry in entries:
            self._go_on()
            if not self._is_wanted(directory, entry):
                continue
            try:
                if entry.kind == "dir":
                    return decode_node(entry.stored)
                self._take(directory, entry)
            except (DamagedError, OSError) as error:
                self._fail(directory, entry.name, error)
        return None

    def _is_wanted(self, directory: UnfinishedDirectory, entry: StoredEntry) -> bool:
        if directory.is_whole or self._include is None:
            return True
        path = directory.path(entry.name)
        return self._include.wants(path) or (entry.kind == "dir" and self._include.may_hold(path))

    def _take(self, directory: UnfinishedDirectory, entry: StoredEntry) -> None:
        """Give an entry out, or keep it until the first name of its object is there."""
        is_stranger = False
        if entry.links > 1 and entry.inode:
            if not self._links.is_first(directory, entry):
                directory.links.append(entry)
                if len(directory.links) >= _LINKS_AT_ONCE:
                    self._make_links(directory)
                return
            is_stranger = self._links.is_stranger(directory, entry.name)
        self._give_out(directory, entry, is_stranger=is_stranger)

    def _give_out(
        self, directory: UnfinishedDirectory, entry: StoredEntry, *, is_stranger: bool = False
    ) -> None:
        if len(self._held) >= MOST_HELD:
            self._drain()
        if is_large(entry):
            node = decode_node(entry.stored)
            self._large.restore(directory, node, is_stranger=is_stranger)
        else:
            self._orders.add(directory, entry, is_stranger=is_stranger)

    def _make_links(self, directory: UnfinishedDirectory) -> None:
        """Make further names of objects of which the first is there; else it becomes an entry."""
        links, directory.links = directory.links, []
        if any(map(self._links.is_awaited, links)):
            self._drain()
        for entry in links:
            try:
                self._make_link(directory, entry)
            except (DamagedError, OSError) as error:
                self._fail(directory, entry.name, error)

    def _make_link(self, directory: UnfinishedDirectory, entry: StoredEntry) -> None:
        if not self._links.is_there(entry):
            self._take(directory, entry)
            return
        try:
            self._links.link(entry, temporary_link_name(directory.taken))
        except OSError as error:
            detail = f"hard link became a copy: {error.strerror}"
            self._tally.problems.add(directory.path(entry.name), "attribute", detail)
            self._give_out(directory, entry)
        else:
            self._tally.count_file(entry.size_bytes)

    def _enter(self, above: UnfinishedDirectory, node: Node) -> UnfinishedDirectory | None:
        """Go into a directory, made if it is not there; None if that is refused."""
        try:
            is_new = self._make_and_enter(node.name)
        except OSError as error:
            self._fail(above, node.name, error)
            return None
        is_whole = above.is_whole or (
            self._include is not None and self._include.wants(above.path(node.name))
        )
        above.below += 1
        return UnfinishedDirectory(
            above,
            node.name,
            node if is_whole or is_new else None,
            is_new=is_new,
            is_whole=is_whole,
        )

    def _make_and_enter(self, name: bytes) -> bool:
        for attempt in range(_ATTEMPTS):
            is_new = False
            with suppress(FileExistsError):
                os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=self._chain.descriptor)
                is_new = True
            try:
                self._chain.enter(name)
            except OSError as error:
                in_the_way = error.errno in {errno.ENOTDIR, errno.ELOOP}
                if not in_the_way or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return is_new
            with suppress(IsADirectoryError):  # it became one: look again
                remove_entry(name, self._chain.descriptor)
        raise AssertionError("the last attempt ends with the directory or an error")

    def _leave(self, directory: UnfinishedDirectory) -> None:
        """Finish the directory at work, now or when all that is under way for it is done."""
        while directory.links:
            self._make_links(directory)
        if directory.under_way or directory.below:
            try:
                self._held.hold(directory)
            except OSError as error:
                self._fail(directory, b"", error)
        directory.is_left = True
        self.finish_done(directory)
        if len(self._held) >= MOST_HELD:
            self._drain()

    def finish_done(self, directory: UnfinishedDirectory) -> None:
        """See Reports."""
        while directory.is_done:
            self._finish(directory)
            self._held.release(directory)
            if directory.above is None:
                return
            directory = directory.above
            directory.below -= 1
        if not directory.under_way and not directory.is_left:
            self._held.release(directory)

    def _finish(self, directory: UnfinishedDirectory) -> None:
        """Give a directory its metadata, now that nothing in it changes any more."""
        self._tally.directories += 1
        try:
            descriptor = directory.descriptor
            if descriptor < 0:
                descriptor = self._chain.descriptor
            if not directory.is_new:
                _remove_temporary(descriptor, directory.taken)
            if directory.node is None:
                return
            failures = apply_metadata(descriptor, directory.node)
        except OSError as error:
            self._failures.add(directory.path(), error)
            return
        for failure in failures:
            self._tally.problems.add(directory.path(), "attribute", failure)

    def placed(self, directory: UnfinishedDirectory, placed: Placed) -> None:
        """See Reports."""
        self._links.placed(directory, placed)

    def troubled(self, directory: UnfinishedDirectory, trouble: Trouble) -> None:
        """See Reports."""
        if trouble.kind == "attribute":
            path = directory.path(trouble.name)
            self._tally.problems.add(path, trouble.kind, trouble.detail)
            return
        self._links.failed(directory, trouble.name)
        error = (
            OSError(trouble.errno, trouble.detail)
            if trouble.kind == "failed"
            else DamagedError(trouble.detail)
        )
        self._failures.add(directory.path(trouble.name), error)

    def _drain(self) -> None:
        self._orders.drain()
        self._go_on()

    def _go_on(self) -> None:
        self._tally.go_on()
        self._failures.check()

    def _fail(self, directory: UnfinishedDirectory, name: bytes, error: Failed) -> None:
        """Note that an entry is not restored, or end the run with it."""
        self._links.failed(directory, name)
        self._failures.add(directory.path(name), error)
        self._failures.check()


def _remove_temporary(descriptor: int, taken: frozenset[bytes]) -> None:
    """Remove what runs that were killed have left in a directory."""
    for name in map(os.fsencode, os.listdir(descriptor)):
        if is_temporary(name) and name not in taken:
            with suppress(IsADirectoryError):  # nothing of ours
                remove_entry(name, descriptor)
