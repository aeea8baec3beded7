"""Restoring entries that are no directories, each under its name only once it is complete.

What is there already and is right stays. Everything else is made without a name, or under a
temporary one in the same directory where that is not possible, so that a name never means half a
file; nothing is ever written or changed through a name that could have become a link meanwhile,
only through descriptors.
"""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from appshield.errors import DamagedError
from appshield.repository.files.descriptors import identity, open_file, path_of, pinned, stale
from appshield.repository.files.metadata import Target, apply_metadata
from appshield.repository.files.naming import (
    name_file,
    rename_over,
    temporary_name,
    temporary_name_of,
)
from appshield.repository.files.orders import EntriesPlaced, Part, Placed, PlaceEntries, Trouble
from appshield.repository.files.plain import PlainFile, PlainWriter, plain_file
from appshield.repository.files.removing import remove_entry
from appshield.repository.files.special import is_special, make_special
from appshield.repository.files.writing import Chunk, ChunkWriter, open_private, open_unnamed
from appshield.repository.gotext import parse_name
from appshield.repository.nodes import BlobSource, Node, PlainBlobs
from appshield.repository.trees import decode_node
from appshield.repository.workers.ports import Work

_PRIVATE_FILE = stat.S_IFREG | 0o600

Advance = Callable[[int, int], None]
"""Told the entries and bytes that are done since the last call; may raise to stop."""


@dataclass(slots=True, eq=False)
class _File:
    """A file that is not complete yet."""

    part: int
    node: Node
    chunks_left: int
    descriptor: int = -1
    temporary: bytes | None = None  # while it has such a name


class EntryPlacer:
    """Does the orders of one kind, one after the other."""

    def __init__(self, source: BlobSource, advance: Advance) -> None:
        self._source = source
        self._advance = advance

    def place(self, order: PlaceEntries, directories: Sequence[int]) -> Work[EntriesPlaced]:
        """Restore the entries of an order; what goes wrong with one is in the answer.

        It yields once, when blobs are on their way.
        """
        return _Placing(self._source, self._advance, order, directories).run()


class _EnoughError(Exception):
    """An entry failed, and the caller does not want to go on."""


@dataclass(slots=True)
class _Found:
    troubles: list[Trouble] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)


class _Placing:
    """One order at work."""

    def __init__(
        self,
        source: BlobSource,
        advance: Advance,
        order: PlaceEntries,
        directories: Sequence[int],
    ) -> None:
        self._source = source
        self._advance = advance
        self._order = order
        self._directories = directories
        self._writer = ChunkWriter(source, self._advance_bytes)
        self._temporaries = [temporary_name(part.taken, part.slot) for part in order.parts]
        self._plain = PlainWriter(
            order.parts,
            directories,
            self._temporaries,
            replace_directories=order.replace_directories,
        )
        self._wanted: dict[bytes, list[PlainFile | tuple[_File, Chunk]]] = {}
        self._open: set[_File] = set()
        self._found = _Found()

    def run(self) -> Work[EntriesPlaced]:
        with suppress(_EnoughError):
            try:
                for number, part in enumerate(self._order.parts):
                    for stored in part.entries:
                        plain = plain_file(number, stored) if part.is_new else None
                        if plain is not None and self._plain.takes(plain):
                            self._wanted.setdefault(plain.blob_id, []).append(plain)
                        else:
                            self._begin(number, part, stored)
                blobs = self._source.read_blobs(self._wanted)
                yield
                self._write_wanted(blobs)
            finally:
                for file in tuple(self._open):
                    self._drop(file)
        return EntriesPlaced(
            files=0,
            bytes_done=0,
            bytes_written=self._writer.bytes_written,
            bytes_unchanged=self._writer.bytes_unchanged,
            troubles=tuple(self._found.troubles),
            placed=tuple(self._found.placed),
        )

    def _advance_bytes(self, length: int) -> None:
        self._advance(0, length)

    def _begin(self, number: int, part: Part, stored: bytes) -> None:
        """Restore an entry, or as much of it as needs no blobs."""
        try:
            node = decode_node(stored)
        except DamagedError as error:
            self._fail(number, _name_of(stored), error)
            return
        try:
            if node.kind != "file":
                self._special(number, part, node)
                self._advance(1, 0)
            elif part.is_new or not self._is_kept(number, part, node):
                self._begin_new(_File(number, node, len(node.content or ())))
        except (DamagedError, OSError) as error:
            self._fail(number, node.name, error)

    def _begin_new(self, file: _File, older: int | None = None) -> None:
        """Want the blobs of a file; an empty one is complete at once."""
        node = file.node
        content = node.content or ()
        if older is None and len(content) == 1:
            chunk = Chunk(0, node.size_bytes, content[0])
            self._wanted.setdefault(chunk.blob_id, []).append((file, chunk))
            return
        chunks = self._writer.whole(content, node.size_bytes)
        if older is not None or not chunks:
            self._open_new(file)
        for chunk in chunks:
            if older is not None and self._writer.write_known(file.descriptor, chunk, older):
                file.chunks_left -= 1
            else:
                self._wanted.setdefault(chunk.blob_id, []).append((file, chunk))
        if not file.chunks_left:
            self._complete(file)

    def _write_wanted(self, blobs: Iterable[PlainBlobs]) -> None:
        for buffer, found, damaged in blobs:
            plain: list[tuple[PlainFile, int, int]] = []
            for blob_id, start, end in found:
                for target in self._wanted[blob_id]:
                    if isinstance(target, PlainFile):
                        plain.append((target, start, end))
                    else:
                        self._write_chunk(*target, buffer[start:end])
            if plain:
                self._write_plain(buffer, plain)
            for blob_id, error in damaged:
                for target in self._wanted[blob_id]:
                    self._give_up(target, error)

    def _write_plain(self, buffer: memoryview, files: list[tuple[PlainFile, int, int]]) -> None:
        """Write plain files, those that are refused one by one: each has its own failure."""
        written, refused = self._plain.write_all(buffer, files)
        self._writer.bytes_written += sum(file.size_bytes for file in written)
        self._advance(len(written), sum(file.size_bytes for file in written))
        for file, start, end in refused:
            try:
                if end - start != file.size_bytes:
                    raise _wrong_size(file.size_bytes, end - start)
                self._plain.write(file, buffer[start:end])
            except (DamagedError, OSError) as error:
                self._fail(file.part, file.name, error)
            else:
                self._writer.bytes_written += file.size_bytes
                self._advance(1, file.size_bytes)

    def _give_up(self, target: PlainFile | tuple[_File, Chunk], error: DamagedError) -> None:
        """Take that a blob of a file cannot be had."""
        if isinstance(target, PlainFile):
            self._fail(target.part, target.name, error)
            return
        file, _ = target
        if file.chunks_left > 0:  # else it has failed already
            self._drop(file)
            self._fail(file.part, file.node.name, error)

    def _write_chunk(self, file: _File, chunk: Chunk, data: memoryview) -> None:
        if file.chunks_left <= 0:
            return  # it has failed
        try:
            self._write(file, chunk, data)
        except (DamagedError, OSError) as error:
            self._drop(file)
            self._fail(file.part, file.node.name, error)

    def _write(self, file: _File, chunk: Chunk, data: memoryview) -> None:
        if len(data) != chunk.end - chunk.start:
            raise _wrong_size(file.node.size_bytes, len(data))
        if file.descriptor < 0:
            self._open_new(file)
        self._writer.write(file.descriptor, chunk, data)
        file.chunks_left -= 1
        if not file.chunks_left:
            self._complete(file)

    def _open_new(self, file: _File) -> None:
        directory = self._directories[file.part]
        try:
            file.descriptor = open_unnamed(directory)
        except OSError:  # of the file system, or what is told again in a moment
            temporary = temporary_name_of(file.node.name, self._order.parts[file.part].taken)
            remove_entry(temporary, directory)
            file.descriptor, file.temporary = open_private(temporary, directory), temporary
        self._open.add(file)

    def _complete(self, file: _File) -> None:
        """Give a file of which all chunks are written its size, metadata and name."""
        number, node, descriptor = file.part, file.node, file.descriptor
        directory = self._directories[number]
        status = os.fstat(descriptor)
        if status.st_size != node.size_bytes:  # it ends with a hole
            os.ftruncate(descriptor, node.size_bytes)
        if not _dress_plainly(descriptor, node, status):
            self._apply(number, descriptor, node)
        replace = self._order.replace_directories
        if file.temporary is not None:
            rename_over(file.temporary, node.name, directory, replace_directories=replace)
            file.temporary = None
        else:
            temporary = self._temporaries[number]
            name_file(descriptor, node.name, directory, temporary, replace_directories=replace)
        self._remember(number, descriptor, node)
        self._drop(file)
        self._advance(1, 0)

    def _drop(self, file: _File) -> None:
        """Let go of a file, complete or not."""
        file.chunks_left = 0
        if file not in self._open:
            return
        self._open.remove(file)
        os.close(file.descriptor)
        if file.temporary is not None:
            with suppress(OSError):
                remove_entry(file.temporary, self._directories[file.part])

    def _is_kept(self, number: int, part: Part, node: Node) -> bool:
        """Look at what has the name of a file; return whether nothing is left to do."""
        older = open_older(self._directories[number], node.name)
        if older is None:
            return False
        try:
            if self._is_in_place(older, part, node):
                self._apply(number, older, node)
                self._remember(number, older, node)
                self._advance(1, 0)
                return True
            content = node.content or ()
            if len(content) < 2:  # what can match of one chunk did not
                return False
            self._begin_new(_File(number, node, len(content)), older)
            return True
        finally:
            os.close(older)

    def _is_in_place(self, older: int, part: Part, node: Node) -> bool:
        status = os.fstat(older)
        if status.st_size != node.size_bytes or not _may_stay(status, part, node):
            return False
        chunks = self._writer.whole(node.content or (), node.size_bytes)
        if not all(self._writer.matching(older, chunks)):
            return False
        self._writer.keep(chunks)
        return True

    def _special(self, number: int, part: Part, node: Node) -> None:
        """Restore a link, FIFO, socket or device."""
        directory = self._directories[number]
        if not part.is_new:
            with suppress(OSError), pinned(node.name, directory) as present:
                if _may_stay(os.fstat(present), part, node) and is_special(present, node):
                    self._apply(number, path_of(present), node)
                    self._remember(number, present, node)
                    return
        temporary = self._temporaries[number]
        remove_entry(temporary, directory)
        make_special(temporary, directory, node)
        with pinned(temporary, directory) as made:
            if not is_special(made, node):
                raise stale(node.name)
            self._apply(number, path_of(made), node)
            replace = self._order.replace_directories
            rename_over(temporary, node.name, directory, replace_directories=replace)
            self._remember(number, made, node)

    def _apply(self, number: int, target: Target, node: Node) -> None:
        """Give an entry its metadata; what fails is noted, the content counts more."""
        for failure in apply_metadata(target, node):
            self._found.troubles.append(Trouble(number, node.name, "attribute", failure))

    def _remember(self, number: int, descriptor: int, node: Node) -> None:
        if node.links > 1 and node.inode:
            found = identity(os.fstat(descriptor))
            self._found.placed.append(Placed(number, node.name, found))

    def _fail(self, number: int, name: bytes, error: DamagedError | OSError) -> None:
        if isinstance(error, OSError):
            detail = error.strerror or str(error)
            trouble = Trouble(number, name, "failed", detail, error.errno or 0)
        else:
            trouble = Trouble(number, name, "damaged", str(error))
        self._found.troubles.append(trouble)
        if not self._order.keep_going:
            raise _EnoughError


class _Named(msgspec.Struct):
    name: str


def _name_of(stored: bytes) -> bytes:
    """Return the name of an entry that is wrong otherwise."""
    return parse_name(msgspec.json.decode(stored, type=_Named).name)


def _wrong_size(told: int, found: int) -> DamagedError:
    return DamagedError(
        "the size of the file does not agree with its chunks",
        why=f"the tree says {told} bytes, the chunks have {found}",
    )


def _dress_plainly(descriptor: int, node: Node, status: os.stat_result) -> bool:
    """Give a file that was just made its metadata in the usual case; False if it is another."""
    if (
        (status.st_uid, status.st_gid) != (node.uid, node.gid)
        or status.st_mode != _PRIVATE_FILE
        or node.extended_attributes
        or _has_attributes(descriptor)
    ):
        return False
    os.fchmod(descriptor, node.mode)
    os.utime(descriptor, ns=(node.atime_ns, node.mtime_ns))
    return True


def _has_attributes(descriptor: int) -> bool:
    try:
        return bool(os.listxattr(descriptor))
    except OSError:
        return True  # to be looked at more closely


def open_older(directory: int, name: bytes) -> int | None:
    """Open the regular file that has a name now, if there is one."""
    try:
        return open_file(name, directory)
    except OSError:
        return None


def _may_stay(status: os.stat_result, part: Part, node: Node) -> bool:
    """Whether an existing object can be this node: not if it has names that do not belong."""
    return status.st_nlink == 1 or (node.links > 1 and node.name not in part.strangers)
