"""Files whose content is not in memory yet are asked for before they are waited for.

What a snapshot holds is always so, whatever of its origin is in memory. Read one after the other,
each small file costs a turn of the disk, which is far more than all that is done with its content;
so many are asked for at a time. Of larger ones the kernel reads ahead what follows, once they are
read: they are asked for while the one before is at work.
"""

import os
from contextlib import suppress
from typing import Final, NamedTuple

from appshield.repository.files.descriptors import open_regular

MOST_FILES: Final = 128
MOST_BYTES: Final = 8 << 20
"""How much of small files is asked for at a time."""

BEGINNING_BYTES: Final = 16 << 20
"""How much of a larger file is asked for before it is its turn."""


class ColdFile(NamedTuple):
    """A file that was asked for: its place in the job, its directory and its name."""

    place: tuple[int, int]
    directory: int
    name: bytes


class ReadingAhead:
    """Asks for the content of files; who wants it opens them again by their names."""

    def __init__(self) -> None:
        self._files: list[ColdFile] = []
        self._size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to take the files."""
        return len(self._files) >= MOST_FILES or self._size_bytes >= MOST_BYTES

    def ask(self, descriptor: int, size_bytes: int, file: ColdFile) -> bool:
        """Ask for all of an open file, unless it is in memory; return whether it is to come."""
        if _is_in_memory(descriptor):
            return False
        os.posix_fadvise(descriptor, 0, size_bytes, os.POSIX_FADV_WILLNEED)
        self._files.append(file)
        self._size_bytes += size_bytes
        return True

    def take(self) -> list[ColdFile]:
        """Return the files that were asked for, and forget them."""
        files, self._files, self._size_bytes = self._files, [], 0
        return files


def ask_for_file(directory: int, name: bytes) -> None:
    """Ask for the beginning of a file that comes next, if it is one; never waits for it."""
    with suppress(OSError):  # whoever reads it sees what is the matter
        descriptor, _ = open_regular(name, directory)
        try:
            ask_for_part(descriptor, 0)
        finally:
            os.close(descriptor)


def ask_for_part(descriptor: int, start: int) -> None:
    """Ask for the beginning of a part of an open file that comes next."""
    os.posix_fadvise(descriptor, start, BEGINNING_BYTES, os.POSIX_FADV_WILLNEED)


def _is_in_memory(descriptor: int) -> bool:
    """Whether a read would not wait; also where the file system does not tell."""
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # mostly because it does not know the flag; whoever reads sees what it is
    return True
