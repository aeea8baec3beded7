"""New files of one chunk with nothing unusual about them: most files of most volumes.

What is done for such a file is the same as for any other (`placing`), with little around it. All
that is unusual is left to others: more names, attributes, another owner than that of a new file.
"""

import os
import stat
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from appshield.errors import DamagedError
from appshield.repository.files.naming import name_file
from appshield.repository.files.orders import Part
from appshield.repository.files.sparse import write_sparsely
from appshield.repository.files.writing import open_unnamed
from appshield.repository.gotext import NANOSECONDS, parse_name, parse_time
from appshield.repository.native import FILE, native_code

Owner = tuple[int, int]
"""User and group."""

_PERMISSIONS: Final = 0o777
_NEW_FILE: Final = stat.S_IFREG | 0o600
_ID_DIGITS: Final = 64


class _StoredFile(msgspec.Struct, gc=False):
    """A file as it stands in a tree; the field names are restic's."""

    type: Literal["file"]
    name: str
    mtime: str
    atime: str
    uid: int
    gid: int
    content: list[str]
    mode: int = 0
    size: int = 0
    links: int = 1
    extended_attributes: msgspec.Raw | None = None


class PlainFile(msgspec.Struct, gc=False):
    """Such a file; `part` is the number of its directory in the order."""

    part: int
    stored: bytes
    name: bytes
    mode: int
    times_ns: tuple[int, int]
    owner: Owner
    size_bytes: int
    blob_id: bytes


Found = tuple[PlainFile, int, int]
"""A file, and where its content begins and ends in a buffer."""

_decode: Final = msgspec.json.Decoder(_StoredFile).decode


def plain_file(part: int, stored: bytes) -> PlainFile | None:
    """Return a plain file, None if the entry is anything else or cannot be read."""
    try:
        file = _decode(stored)
        if (
            len(file.content) != 1
            or len(file.content[0]) != _ID_DIGITS
            or file.links > 1
            or file.mode & ~_PERMISSIONS
            or file.extended_attributes is not None
            or not file.size
        ):
            return None
        mtime_ns = parse_time(file.mtime)
        atime_ns = mtime_ns if file.atime == file.mtime else parse_time(file.atime)
        return PlainFile(
            part,
            stored,
            parse_name(file.name),
            file.mode,
            (atime_ns, mtime_ns),
            (file.uid, file.gid),
            file.size,
            bytes.fromhex(file.content[0]),
        )
    except (msgspec.DecodeError, ValueError, DamagedError):
        return None


class PlainWriter:
    """Writes plain files into directories that are new, private and thus our own alone."""

    def __init__(
        self,
        parts: Sequence[Part],
        directories: Sequence[int],
        temporaries: Sequence[bytes],
        *,
        replace_directories: bool,
    ) -> None:
        self._parts = parts
        self._directories = directories
        self._temporaries = temporaries
        self._replace_directories = replace_directories
        self._owners: dict[int, Owner | None] = {}
        self._native = native_code()

    def takes(self, file: PlainFile) -> bool:
        """Whether a new file in its directory is as this one has to be."""
        number = file.part
        if number not in self._owners:
            is_new = self._parts[number].is_new
            self._owners[number] = _owner_of_new(self._directories[number]) if is_new else None
        return self._owners[number] == file.owner

    def write_all(
        self, buffer: memoryview, files: Sequence[Found]
    ) -> tuple[list[PlainFile], Sequence[Found]]:
        """Write files with their verified content as fast as it goes; return which are complete.

        The others, none of which has its name now, are returned as they were given, for `write`.
        """
        if self._native is None:
            return [], files
        names = bytearray()
        table = bytearray()
        for file, start, end in files:
            accessed_s, accessed_ns = divmod(file.times_ns[0], NANOSECONDS)
            modified_s, modified_ns = divmod(file.times_ns[1], NANOSECONDS)
            table += FILE.pack(
                self._directories[file.part] if end - start == file.size_bytes else -1,
                file.mode,
                accessed_s,
                modified_s,
                accessed_ns,
                modified_ns,
                start,
                end - start,
                len(names),
                0,
            )
            names += file.name + b"\0"
        self._native.write_files(table, len(files), bytes(names), buffer)
        is_written = [row[-1] for row in FILE.iter_unpack(table)]
        written = [found[0] for found, done in zip(files, is_written, strict=True) if done]
        return written, [found for found, done in zip(files, is_written, strict=True) if not done]

    def write(self, file: PlainFile, data: memoryview) -> None:
        """Write a file with its verified content; OSError if that is refused."""
        directory = self._directories[file.part]
        descriptor = open_unnamed(directory)
        try:
            write_sparsely(descriptor, data, 0)
            if not data[-1]:  # it may end with a hole
                os.ftruncate(descriptor, file.size_bytes)
            os.fchmod(descriptor, file.mode)
            os.utime(descriptor, ns=file.times_ns)
            name_file(
                descriptor,
                file.name,
                directory,
                self._temporaries[file.part],
                replace_directories=self._replace_directories,
            )
        finally:
            os.close(descriptor)


def _owner_of_new(directory: int) -> Owner | None:
    """Return whose new files in a directory are; None if they cannot be made, or have more."""
    try:
        descriptor = open_unnamed(directory)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        is_plain = status.st_mode == _NEW_FILE and not os.listxattr(descriptor)
        return (status.st_uid, status.st_gid) if is_plain else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
