"""Restoring large files: their parts are written by several workers at once.

Such a file has a temporary name of its own, so that the next run finds what a killed one wrote.
"""

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from appshield.errors import DamagedError
from appshield.repository.files.descriptors import identity
from appshield.repository.files.metadata import apply_metadata
from appshield.repository.files.naming import rename_over, temporary_name_of
from appshield.repository.files.ordering import Reports
from appshield.repository.files.orders import (
    ChunksDone,
    CompareChunks,
    Placed,
    Trouble,
    WriteChunks,
    joined_ids,
)
from appshield.repository.files.placing import open_older
from appshield.repository.files.removing import remove_entry
from appshield.repository.files.tally import Tally
from appshield.repository.files.unfinished import HeldDirectories, UnfinishedDirectory
from appshield.repository.files.writing import open_private
from appshield.repository.nodes import BlobSource, Node, StoredEntry
from appshield.repository.workers.ports import JobPool

SEGMENT_CHUNKS: Final = 64
"""Chunks of one order: about 40 MiB, at most 512 MiB."""


def is_large(entry: StoredEntry) -> bool:
    """Whether a file is worth several orders."""
    return entry.chunks > SEGMENT_CHUNKS


@dataclass(slots=True)
class _LargeFile:
    """A file under way."""

    directory: UnfinishedDirectory
    node: Node
    temporary: bytes
    descriptor: int
    older: int | None
    segments_left: int
    trouble: Trouble | None = None


class LargeFiles:
    """Restores large files, whose ends are awaited in the background."""

    def __init__(
        self,
        pool: JobPool,
        held: HeldDirectories,
        source: BlobSource,
        reports: Reports,
        tally: Tally,
        *,
        replace_directories: bool,
    ) -> None:
        self._pool = pool
        self._held = held
        self._source = source
        self._reports = reports
        self._tally = tally
        self._replace_directories = replace_directories
        self._open: set[int] = set()

    def restore(self, directory: UnfinishedDirectory, node: Node, *, is_stranger: bool) -> None:
        """Restore a file of the directory at work, unless it is there already.

        Raises:
            DamagedError: its chunks are unknown or do not add up to its size.
            OSError: the system refuses it.
        """
        starts = self._starts(node)
        descriptor = self._held.hold(directory)
        directory.under_way += 1
        try:
            older = None if directory.is_new else open_older(descriptor, node.name)
            if older is not None:
                self._open.add(older)
                if self._is_in_place(older, node, starts, is_stranger=is_stranger):
                    self._keep(directory, node, older)
                    return
            self._write(directory, node, starts, older)
        except BaseException:
            directory.under_way -= 1
            raise

    def close(self) -> None:
        """Close what is under way, when a run ends early."""
        while self._open:
            os.close(self._open.pop())

    def _starts(self, node: Node) -> "array[int]":
        """Return where the segments of a file begin."""
        starts = array("Q")
        end = 0
        for number, blob_id in enumerate(node.content or ()):
            if number % SEGMENT_CHUNKS == 0:
                starts.append(end)
            end += self._source.blob_size(blob_id)
        if end != node.size_bytes:
            raise DamagedError(
                "the size of the file does not agree with its chunks",
                why=f"the tree says {node.size_bytes} bytes, the chunks have {end}",
            )
        return starts

    def _is_in_place(
        self, older: int, node: Node, starts: Sequence[int], *, is_stranger: bool
    ) -> bool:
        status = os.fstat(older)
        may_stay = status.st_nlink == 1 or (node.links > 1 and not is_stranger)
        if not may_stay or status.st_size != node.size_bytes:
            return False
        answers: list[ChunksDone] = []
        for start, blobs in _segments(node, starts):
            if any(not answer.is_right for answer in answers):
                break
            self._pool.submit(CompareChunks(start, blobs), [older], done=answers.append)
        self._pool.drain()
        return all(answer.is_right and answer.trouble is None for answer in answers)

    def _keep(self, directory: UnfinishedDirectory, node: Node, older: int) -> None:
        """Leave a file where it is, with the right metadata."""
        self._finish(directory, node, older)
        self._close(older)
        self._reports.bytes_unchanged += node.size_bytes
        directory.under_way -= 1
        self._reports.finish_done(directory)
        self._tally.advance_both(1, node.size_bytes)

    def _write(
        self,
        directory: UnfinishedDirectory,
        node: Node,
        starts: Sequence[int],
        older: int | None,
    ) -> None:
        temporary = temporary_name_of(node.name, directory.taken)
        descriptor = open_private(temporary, directory.descriptor)
        self._open.add(descriptor)
        os.ftruncate(descriptor, node.size_bytes)
        file = _LargeFile(directory, node, temporary, descriptor, older, len(starts))
        descriptors = [descriptor] if older is None else [descriptor, older]
        for start, blobs in _segments(node, starts):
            done = partial(self._segment_done, file)
            self._pool.submit(WriteChunks(start, blobs), descriptors, done=done)

    def _segment_done(self, file: _LargeFile, answer: ChunksDone) -> None:
        self._reports.bytes_written += answer.bytes_written
        self._reports.bytes_unchanged += answer.bytes_unchanged
        file.trouble = file.trouble or answer.trouble
        file.segments_left -= 1
        if not file.segments_left:
            self._complete(file)
        self._tally.advance(answer.bytes_done)

    def _complete(self, file: _LargeFile) -> None:
        """Give a file its metadata and name when all of it is written, or take it away."""
        directory, name = file.directory, file.node.name
        try:
            if file.trouble is None:
                self._finish(directory, file.node, file.descriptor, file.temporary)
                self._tally.files += 1
            else:
                self._give_up(file, file.trouble)
        except OSError as error:
            detail = error.strerror or str(error)
            trouble = Trouble(0, name, "failed", detail, error.errno or 0)
            self._reports.troubled(directory, trouble)
        for descriptor in (file.descriptor, file.older):
            if descriptor is not None:
                self._close(descriptor)
        directory.under_way -= 1
        self._reports.finish_done(directory)

    def _give_up(self, file: _LargeFile, trouble: Trouble) -> None:
        name = file.node.name
        told = Trouble(0, name, trouble.kind, trouble.detail, trouble.errno)
        self._reports.troubled(file.directory, told)
        if trouble.kind == "damaged":
            with suppress(OSError):
                remove_entry(file.temporary, file.directory.descriptor)

    def _finish(
        self,
        directory: UnfinishedDirectory,
        node: Node,
        descriptor: int,
        temporary: bytes | None = None,
    ) -> None:
        for failure in apply_metadata(descriptor, node):
            self._reports.troubled(directory, Trouble(0, node.name, "attribute", failure))
        if temporary is not None:
            replace = self._replace_directories
            rename_over(temporary, node.name, directory.descriptor, replace_directories=replace)
        if node.links > 1:
            found = identity(os.fstat(descriptor))
            self._reports.placed(directory, Placed(0, node.name, found))

    def _close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        os.close(descriptor)


def _segments(node: Node, starts: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Yield start and blobs of each segment."""
    content = node.content or ()
    for number, start in enumerate(starts):
        first = number * SEGMENT_CHUNKS
        yield start, joined_ids(content[first : first + SEGMENT_CHUNKS])
