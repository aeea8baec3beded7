"""Restoring a tree into an open directory: confined to it, resumable, only what differs.

A run that is killed leaves complete entries and at most one temporary file, which the next run
takes over or removes. Directories get their metadata when all below them is done, deepest first.
"""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise

import msgspec

from appshield.errors import DamagedError, NotFoundError, RunFailedError
from appshield.repository.files.descriptors import DirectoryChain
from appshield.repository.files.metadata import apply_metadata
from appshield.repository.files.placing import EntryPlacer
from appshield.repository.files.problems import FileProblem, ProblemKind, shown
from appshield.repository.files.removing import remove_entry, remove_tree
from appshield.repository.files.tally import Progress, Tally
from appshield.repository.nodes import BlobSource, Node

_NO_USE_GOING_ON = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_OF_THE_FILE_SYSTEM = b"lost+found"  # at the root of a volume, never extra
_ATTEMPTS = 3
_PRIVATE_DIRECTORY = 0o700


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
) -> RestoredDirectory:
    """Make an open directory hold what a tree says; `root_node` is for the directory itself.

    Nothing outside the directory is touched, whatever the tree says and whoever changes the
    directory meanwhile. Entries that are there already and right are not written. Others with the
    same name are replaced; a directory that is not empty and in the way of something else only
    with `delete_extra`, which also removes everything that the tree does not hold. With
    `keep_going` an entry that cannot be restored is a problem and the rest goes on; an owner,
    attribute or hard link that cannot be restored always is.

    Raises:
        DamagedError: stored data of an entry does not verify; it is named and left as it was.
        RunFailedError: the system refuses to write an entry, or has no room.
        StoppedError: `cancelled` said so.
    """
    try:
        with DirectoryChain(root_fd) as chain:
            walk = _Walk(chain, source, Tally(progress, cancelled), delete_extra, keep_going)
            return walk.run(tree_id, root_node)
    except OSError as error:
        raise RunFailedError(
            "the directory cannot be restored into",
            why=error.strerror or str(error),
            next_step="See that its file system is mounted and writable, and restore again",
        ) from error


@dataclass(slots=True)
class _Unfinished:
    """A directory whose entries are restored, and the directories in it that are still to do."""

    node: Node | None
    directories: list[Node]  # the next one last


class _Walk:
    """One run of `restore_directory`."""

    def __init__(
        self,
        chain: DirectoryChain,
        source: BlobSource,
        tally: Tally,
        delete_extra: bool,  # noqa: FBT001 - private, passed on once
        keep_going: bool,  # noqa: FBT001
    ) -> None:
        self._chain = chain
        self._source = source
        self._tally = tally
        self._delete_extra = delete_extra
        self._keep_going = keep_going
        self._entries = EntryPlacer(
            chain, source, tally=tally, note=self._note, replace_directories=delete_extra
        )

    def run(self, tree_id: bytes, root_node: Node | None) -> RestoredDirectory:
        """Walk depth first without recursion: a tree may be deeper than any stack."""
        unfinished = [_Unfinished(root_node, self._fill(tree_id))]
        while unfinished:
            directory = unfinished[-1]
            self._tally.go_on()
            if directory.directories:
                below = directory.directories.pop()
                if self._enter(below):
                    unfinished.append(_Unfinished(below, self._fill(below.subtree)))
                continue
            self._finish(directory.node)
            unfinished.pop()
            if unfinished:
                self._chain.leave()
        return RestoredDirectory(
            files=self._tally.files,
            directories=self._tally.directories,
            bytes_written=self._entries.writer.bytes_written,
            bytes_unchanged=self._entries.writer.bytes_unchanged,
            problems=self._tally.problems.listed(),
        )

    def _enter(self, node: Node) -> bool:
        """Go into a directory, made if it is not there; return whether that worked."""
        try:
            self._make_and_enter(node.name)
        except OSError as error:
            self._fail(node.name, error)
            return False
        return True

    def _make_and_enter(self, name: bytes) -> None:
        for attempt in range(_ATTEMPTS):
            with suppress(FileExistsError):
                os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=self._chain.descriptor)
            try:
                self._chain.enter(name)
                return
            except OSError as error:
                in_the_way = error.errno in {errno.ENOTDIR, errno.ELOOP}
                if not in_the_way or attempt == _ATTEMPTS - 1:
                    raise
            with suppress(IsADirectoryError):  # it became one: look again
                remove_entry(name, self._chain.descriptor)

    def _fill(self, tree_id: bytes | None) -> list[Node]:
        """Restore the entries of the directory at work; return its directories, last one first."""
        try:
            nodes = self._read_tree(tree_id)
            directory = self._chain.descriptor
        except (DamagedError, NotFoundError, OSError) as error:
            self._fail(b"", error)
            return []
        names = {node.name for node in nodes}
        if self._delete_extra:
            self._remove_extra(directory, names)
        self._entries.temporary = _temporary_name(names)
        for node in nodes:
            if node.kind != "dir":
                self._tally.go_on()
                self._place(directory, node)
        with suppress(OSError):
            remove_entry(self._entries.temporary, directory)
        return [node for node in reversed(nodes) if node.kind == "dir"]

    def _read_tree(self, tree_id: bytes | None) -> Sequence[Node]:
        if tree_id is None:
            raise DamagedError("the directory has no tree")
        nodes = self._source.read_tree(tree_id)
        for node in nodes:
            _check_name(node.name)
        if any(first.name >= second.name for first, second in pairwise(nodes)):
            raise DamagedError("the tree is not valid", why="its names do not ascend")
        return nodes

    def _place(self, directory: int, node: Node) -> None:
        try:
            self._entries.place(directory, node)
        except (DamagedError, NotFoundError, OSError) as error:
            self._fail(node.name, error)

    def _remove_extra(self, directory: int, wanted: set[bytes]) -> None:
        for name in map(os.fsencode, os.listdir(directory)):
            if name in wanted:
                continue
            self._tally.go_on()
            try:
                self._remove(directory, name)
            except OSError as error:
                self._fail(name, error)

    def _remove(self, directory: int, name: bytes) -> None:
        try:
            remove_entry(name, directory)
        except IsADirectoryError:
            if self._chain.depth or name != _OF_THE_FILE_SYSTEM:
                remove_tree(name, directory)

    def _finish(self, node: Node | None) -> None:
        """Give the directory at work its metadata, now that nothing in it changes any more."""
        self._tally.directories += 1
        if node is None:
            return
        try:
            failures = apply_metadata(self._chain.descriptor, node)
        except OSError as error:
            self._fail(b"", error)
            return
        for failure in failures:
            self._note(b"", "attribute", failure)

    def _note(self, name: bytes, kind: ProblemKind, detail: str) -> None:
        self._tally.problems.add(self._chain.path(name), kind, detail)

    def _fail(self, name: bytes, error: DamagedError | NotFoundError | OSError) -> None:
        """Note that an entry is not restored, or end the run with it."""
        what = f"{shown(self._chain.path(name))} cannot be restored"
        if isinstance(error, OSError):
            if not self._keep_going or error.errno in _NO_USE_GOING_ON:
                raise RunFailedError(
                    what, why=error.strerror or str(error), next_step=_advice(error)
                ) from error
            self._note(name, "failed", error.strerror or str(error))
            return
        if not self._keep_going:
            raise DamagedError(
                what,
                why=str(error),
                next_step="Restore another version, or what is left of this one with keep going",
            ) from error
        self._note(name, "damaged", str(error))


def _check_name(name: bytes) -> None:
    """Refuse a name that is none: it comes from a repository and must not become a path."""
    if name in {b"", b".", b".."} or b"/" in name or b"\0" in name:
        raise DamagedError(
            f"the tree holds the name {shown(name)!r}",
            why="a name is not empty, '.' or '..' and holds neither '/' nor NUL",
        )


def _temporary_name(taken: set[bytes]) -> bytes:
    """Return the same name on each run, so that a run finds what a killed one left."""
    for number in count():
        name = b".appshield-restoring" + (b"-%d" % number if number else b"")
        if name not in taken:
            return name
    raise AssertionError("numbers do not end")


def _advice(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Give the volume more room and restore again: what is there is kept"
    return "Remove the cause and restore again: what is there is kept"
