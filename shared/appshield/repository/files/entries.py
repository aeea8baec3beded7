"""Saving entries of directories that are no directories themselves: files, links, FIFOs, devices.

Most of the time of a backup of small files is spent here, a few microseconds at a time: an entry
that is listed as a regular file is opened at once, and small ones are stored together, those that
have to come from the disk a little later than the others.
"""

import errno
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from appshield.repository.files.descriptors import (
    Identity,
    identity,
    open_regular,
    path_of,
    pinned,
    stale,
)
from appshield.repository.files.entry_jobs import (
    DirectoryNames,
    EntriesStored,
    EntryProblem,
    FlushPacks,
    LinkedElsewhere,
    PacksFlushed,
    PartStored,
    Place,
    StoreEntries,
    StorePart,
)
from appshield.repository.files.gathering import GatheredFiles
from appshield.repository.files.metadata import (
    Attributes,
    encode_entry,
    kind_of,
    read_attributes,
)
from appshield.repository.files.problems import ProblemKind, kind_of_error
from appshield.repository.files.reading import FileReader, difference
from appshield.repository.files.reading_ahead import (
    ColdFile,
    ReadingAhead,
    ask_for_file,
    ask_for_part,
)
from appshield.repository.nodes import BlobSink


class _Linked(NamedTuple):
    """A file with several names that was read, and how many of them are still to come."""

    status: os.stat_result
    attributes: Attributes
    content: list[bytes]
    names_left: int


class EntryStorer:
    """Does the jobs of storing entries; their content goes into a sink.

    This is worker `number` of `workers`: a file with several names is read by one of them alone.
    `advance` is told the bytes that are read, and may raise to stop.
    """

    def __init__(
        self, sink: BlobSink, advance: Callable[[int], None], *, number: int = 0, workers: int = 1
    ) -> None:
        self._sink = sink
        self._number = number
        self._workers = workers
        self._reader = FileReader(sink, advance)
        self._gathered = GatheredFiles(sink)
        self._ahead = ReadingAhead()
        self._linked: dict[Identity, _Linked] = {}
        self._reply = EntriesStored()
        self._job = StoreEntries(0, [], 0, 0)
        self._place = (0, 0)
        self._descriptors: tuple[int, ...] = ()

    def ask_for(self, job: msgspec.Struct, descriptors: tuple[int, ...]) -> None:
        """Have the first file of a job read from the disk while another job is at work."""
        match job:
            case StoreEntries(directories=[entries, *_]):
                _ask_for_file(entries, 0, descriptors[0])
            case StorePart():
                ask_for_part(descriptors[0], job.start)
            case _:
                pass

    def run(
        self, job: msgspec.Struct, descriptors: tuple[int, ...]
    ) -> EntriesStored | PartStored | PacksFlushed:
        """Do one of the jobs of `entry_jobs`."""
        match job:
            case StoreEntries():
                return self._store_entries(job, descriptors)
            case StorePart():
                return self._store_part(job, descriptors[0])
            case FlushPacks():
                return PacksFlushed()
            case _:
                raise AssertionError("the table of jobs sends no other")

    def _store_part(self, job: StorePart, descriptor: int) -> PartStored:
        before = self._reader.bytes_read
        try:
            content, end = self._reader.read_part(descriptor, job.start, job.end, sparse=job.sparse)
        except OSError as error:
            return PartStored(failure=error.errno or errno.EIO)
        return PartStored(content, end, self._reader.bytes_read - before)

    def _store_entries(self, job: StoreEntries, descriptors: tuple[int, ...]) -> EntriesStored:
        self._job, self._descriptors, self._reply = job, descriptors, EntriesStored()
        self._gathered = GatheredFiles(self._sink)
        self._ahead = ReadingAhead()
        start = self._reader.bytes_read
        for number, (entries, directory) in enumerate(
            zip(job.directories, descriptors, strict=True)
        ):
            nodes: list[bytes] = []
            self._reply.nodes.append(nodes)
            self._store_directory(number, directory, entries, nodes, start + job.most_bytes)
            if len(nodes) < len(entries.names):
                break
        self._store_cold()
        self._gathered.store()
        self._reply.bytes_read = self._reader.bytes_read - start
        return self._reply

    def _store_directory(
        self,
        number: int,
        directory: int,
        entries: DirectoryNames,
        nodes: list[bytes],
        most_bytes: int,
    ) -> None:
        others = set(entries.others)
        for position, name in enumerate(entries.names):
            if self._reader.bytes_read >= most_bytes and (number or position):
                return
            self._place = (number, position)
            nodes.append(self._store(directory, name, other=position in others, now=False))
            if self._ahead.is_full:
                self._store_cold()
            if self._gathered.is_full:
                self._gathered.store()

    def _ask_for_following(self) -> None:
        """Have the file after the one at work read from the disk meanwhile."""
        number, position = self._place
        _ask_for_file(self._job.directories[number], position + 1, self._descriptors[number])

    def _store_cold(self) -> None:
        """Store the files whose content was asked for; now it is waited for."""
        for place, directory, name in self._ahead.take():
            self._place = place
            node = self._store(directory, name, other=False, now=True)
            self._nodes[place[1]] = node
            if self._gathered.is_full:
                self._gathered.store()

    @property
    def _nodes(self) -> list[bytes]:
        """The nodes of the directory at work."""
        return self._reply.nodes[self._place[0]]

    def _store(self, directory: int, name: bytes, *, other: bool, now: bool) -> bytes:
        """Return the node of an entry; empty if it is left out, left to others, or still to come.

        `now` means that its content is waited for.
        """
        try:
            if other:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    raise stale(name)
                self._require_device(name, status)
                if not stat.S_ISREG(status.st_mode):
                    return self._special(directory, name)
            descriptor, status = open_regular(name, directory)
            try:
                self._require_device(name, status)
                if not now and self._is_to_come(descriptor, status, directory, name):
                    return b""
                return self._file(descriptor, name, status)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._note(*kind_of_error(error))
            return b""

    def _is_to_come(
        self, descriptor: int, status: os.stat_result, directory: int, name: bytes
    ) -> bool:
        size = status.st_size
        if status.st_nlink > 1 or not 0 < size <= self._sink.whole_bytes:
            return False
        return self._ahead.ask(descriptor, size, ColdFile(self._place, directory, name))

    def _require_device(self, name: bytes, status: os.stat_result) -> None:
        if status.st_dev != self._job.device:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)

    def _file(self, descriptor: int, name: bytes, before: os.stat_result) -> bytes:
        linked = before.st_nlink > 1
        if linked:
            owner = before.st_ino % self._workers
            if owner != self._number and not self._job.linked:
                self._reply.linked.append(LinkedElsewhere(Place(*self._place), owner))
                return b""
            if node := self._linked_node(name, before):
                return node
        if before.st_size > self._job.large_bytes:
            self._reply.large.append(Place(*self._place))
            return b""
        attributes = self._attributes(descriptor)
        if not linked and (data := self._reader.read_whole(descriptor, before)):
            return self._later(descriptor, name, before, attributes, data)
        self._ask_for_following()
        stored = self._reader.read(descriptor, before)
        if stored.problem is not None:
            self._note(*stored.problem)
        if linked:
            self._linked[identity(before)] = _Linked(
                before, attributes, stored.content, before.st_nlink - 1
            )
        self._reply.bytes_total += stored.size_bytes
        return encode_entry(
            name, before, attributes, size_bytes=stored.size_bytes, content=stored.content
        )

    def _later(
        self,
        descriptor: int,
        name: bytes,
        before: os.stat_result,
        attributes: Attributes,
        data: bytes,
    ) -> bytes:
        """Take a small file that was read; its node comes when it is stored with others."""
        problem = difference(before, os.fstat(descriptor), len(data))
        if problem is not None:
            self._note(*problem)
        self._reply.bytes_total += len(data)
        place = (self._nodes, self._place[1])
        self._gathered.add(data, place, name, before, attributes)
        return b""

    def _linked_node(self, name: bytes, status: os.stat_result) -> bytes:
        """Return the node of a file that was read under another name in this run."""
        known = self._linked.get(identity(status))
        if known is None or not _is_same(known.status, status):
            return b""
        if known.names_left > 1:
            self._linked[identity(status)] = known._replace(names_left=known.names_left - 1)
        else:
            del self._linked[identity(status)]
        self._count_known(status.st_size)
        return encode_entry(
            name, status, known.attributes, size_bytes=status.st_size, content=known.content
        )

    def _special(self, directory: int, name: bytes) -> bytes:
        """Return the node of a link, FIFO, socket or device, which is held but never opened."""
        with pinned(name, directory) as descriptor:
            status = os.fstat(descriptor)
            kind = kind_of(status)
            if kind in {"file", "dir"}:
                raise stale(name)
            target = os.readlink(b"", dir_fd=descriptor) if kind == "symlink" else b""
            return encode_entry(
                name, status, self._attributes(path_of(descriptor)), linktarget=target
            )

    def _attributes(self, target: int | str) -> Attributes:
        attributes, lost = read_attributes(target)
        for sentence in lost:
            self._note("attribute", sentence)
        return attributes

    def _count_known(self, size_bytes: int) -> None:
        self._reply.bytes_total += size_bytes
        self._reply.bytes_known += size_bytes

    def _note(self, kind: ProblemKind, detail: str) -> None:
        self._reply.problems.append(EntryProblem(Place(*self._place), kind, detail))


def _ask_for_file(entries: DirectoryNames, position: int, directory: int) -> None:
    if position < len(entries.names) and position not in entries.others:
        ask_for_file(directory, entries.names[position])


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether a file cannot have been written to between two looks."""
    return (one.st_size, one.st_mtime_ns, one.st_ctime_ns) == (
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
    )
