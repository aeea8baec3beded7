"""Packs that are finished wait for the store in files without names, not in memory of ours.

What waits is sealed. The files are where temporary files go (`TMPDIR`), and are used again: at most
one for each upload and a few more. The kernel keeps them in memory as long as it has room. Where
no file can be made, or there is no space on the disk, they are in memory.
"""

import io
import os
import tempfile
import threading
from collections import deque
from pathlib import Path

from appshield.objectstore import FileContent


class WaitingPacks:
    """Files that hold a pack each; thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._free: deque[io.FileIO] = deque()
        self._taken: dict[int, io.FileIO] = {}

    def keep(self, stored: memoryview) -> FileContent:
        """Copy a pack into a file, until it is let go of."""
        with self._guard:
            file = self._free.pop() if self._free else None
        if file is None:
            file = _file_on_disk() or _file_in_memory()
        try:
            _write(file, stored)
        except OSError:  # the disk is full: a backup does not fail for that
            file.close()
            file = _file_in_memory()
            _write(file, stored)
        with self._guard:
            self._taken[file.fileno()] = file
        return FileContent(file.fileno(), len(stored))

    def let_go(self, content: FileContent) -> None:
        """Use a file for another pack; nobody may look at it any more."""
        with self._guard:
            self._free.append(self._taken.pop(content.descriptor))

    def close(self) -> None:
        """Let go of all files, of those that still wait, too."""
        with self._guard:
            for file in (*self._free, *self._taken.values()):
                file.close()
            self._free.clear()
            self._taken.clear()


def _file_on_disk() -> io.FileIO | None:
    try:
        descriptor, name = tempfile.mkstemp(prefix="appshield-pack-")
    except OSError:
        return None
    Path(name).unlink()
    return io.FileIO(descriptor, "r+")


def _file_in_memory() -> io.FileIO:
    return io.FileIO(os.memfd_create("appshield-pack"), "r+")


def _write(file: io.FileIO, stored: memoryview) -> None:
    file.seek(0)
    rest = stored
    while rest:
        rest = rest[file.write(rest) :]
