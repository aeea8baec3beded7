"""Entries of a directory by descriptor: no function here ever follows a link.

A path is looked up anew at each use, and whoever writes to a volume can put a link to `/etc` into
it between two uses. A descriptor cannot be turned elsewhere: every step goes from the descriptor
of a directory to an entry of it by name with O_NOFOLLOW, and then looks at what was really opened.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

OPEN_DIRECTORIES = 64
"""Descriptors that a chain keeps open, however deep the tree."""

Identity = tuple[int, int]
"""Device and inode number: what an open object is, whatever it is called."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


def open_directory(name: bytes, directory: int) -> int:
    """Open a directory below `directory`; OSError (ENOTDIR, ELOOP) if it is anything else."""
    return _open_unnoticed(name, _DIRECTORY, directory)


@contextmanager
def entries_of(directory: int) -> Iterator[Iterator[os.DirEntry[str]]]:
    """List a directory as it is now.

    By a descriptor of its own: btrfs shows through each what was there when it was opened, so
    through an older one a name is missed that something was renamed to since.
    """
    descriptor = open_directory(b".", directory)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)


def open_file(name: bytes, directory: int) -> int:
    """Open a file below `directory` for reading, without ever waiting for a peer of a FIFO.

    Raises:
        OSError: ESTALE if it is not a regular file, ELOOP if it is a link.
    """
    return open_regular(name, directory)[0]


def open_regular(name: bytes, directory: int) -> tuple[int, os.stat_result]:
    """Open a file as `open_file` does; return with it what was opened."""
    descriptor = _open_unnoticed(name, _FILE, directory)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    raise stale(name)


@contextmanager
def pinned(name: bytes, directory: int) -> Iterator[int]:
    """Hold any entry (a link itself, a FIFO unopened) so that it cannot be swapped meanwhile."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def path_of(descriptor: int) -> str:
    """Return a path that means exactly what a descriptor of `pinned` holds, link or not."""
    return f"/proc/self/fd/{descriptor}"


def identity(status: os.stat_result) -> Identity:
    """Return what stays the same when an object is renamed."""
    return (status.st_dev, status.st_ino)


def stale(name: bytes) -> OSError:
    """Return the error for an entry that is not any more what it was."""
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE), name)


def _open_unnoticed(name: bytes, flags: int, directory: int) -> int:
    """Open without touching the access time, where the owner of the file allows it."""
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=directory)
    except PermissionError:
        return os.open(name, flags, dir_fd=directory)


@dataclass(slots=True)
class _Level:
    name: bytes
    identity: Identity
    descriptor: int  # -1 while closed


class DirectoryChain:
    """The directories from a root down to the one at work, on one device, at any depth.

    Only the deepest `OPEN_DIRECTORIES` are open. A closed one is opened again through `..` of its
    child or down from the root, and must then be the same directory as before; a directory that
    was moved away meanwhile is reported as ESTALE, never mistaken for another.
    """

    def __init__(self, root: int) -> None:
        status = os.fstat(root)
        self.device = status.st_dev
        # opened anew: a duplicate would share the position of whoever reads the caller's
        self._levels = [_Level(b"", identity(status), open_directory(b".", root))]
        self._open: deque[_Level] = deque()  # without the root, shallowest first

    def __enter__(self) -> "DirectoryChain":
        return self

    def __exit__(self, *exception: object) -> None:
        for level in (self._levels[0], *self._open):
            os.close(level.descriptor)

    @property
    def descriptor(self) -> int:
        """The directory at work; OSError (ESTALE) if it was moved while it was closed."""
        level = self._levels[-1]
        if level.descriptor < 0:
            self._keep(level, self._open_from_root(len(self._levels)))
        return level.descriptor

    @property
    def depth(self) -> int:
        """How many directories below the root the directory at work is."""
        return len(self._levels) - 1

    @property
    def name(self) -> bytes:
        """The name of the directory at work."""
        return self._levels[-1].name

    def names(self) -> tuple[bytes, ...]:
        """The names from the root to the directory at work."""
        return tuple(level.name for level in self._levels[1:])

    def path(self, name: bytes = b"") -> bytes:
        """The path of an entry (or of the directory at work), relative to the root."""
        names = self.names()
        return b"/".join((*names, name) if name else names)

    def enter(self, name: bytes) -> None:
        """Go one directory down; OSError if it is none (EXDEV: on another device)."""
        descriptor = open_directory(name, self.descriptor)
        status = os.fstat(descriptor)
        if status.st_dev != self.device:
            os.close(descriptor)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        level = _Level(name, identity(status), -1)
        self._levels.append(level)
        self._keep(level, descriptor)

    def leave(self) -> None:
        """Go back to the directory above."""
        level = self._levels.pop()
        above = self._levels[-1]
        if level.descriptor < 0:
            return
        self._open.pop()
        if above.descriptor < 0:
            self._reopen_through(level, above)
        os.close(level.descriptor)

    def open_below_root(self, names: Sequence[bytes]) -> int:
        """Open the directory with this path below the root, one name after the other."""
        descriptor = os.dup(self._levels[0].descriptor)
        for name in names:
            above = descriptor
            try:
                descriptor = open_directory(name, above)
            finally:
                os.close(above)
        return descriptor

    def _keep(self, level: _Level, descriptor: int) -> None:
        level.descriptor = descriptor
        self._open.append(level)
        if len(self._open) > OPEN_DIRECTORIES:
            shallowest = self._open.popleft()
            os.close(shallowest.descriptor)
            shallowest.descriptor = -1

    def _reopen_through(self, child: _Level, level: _Level) -> None:
        """Open a closed directory through its child: one step instead of one for each level."""
        try:
            descriptor = open_directory(b"..", child.descriptor)
        except OSError:
            return
        if identity(os.fstat(descriptor)) == level.identity:
            self._keep(level, descriptor)
        else:
            os.close(descriptor)

    def _open_from_root(self, depth: int) -> int:
        level = self._levels[depth - 1]
        descriptor = self.open_below_root([each.name for each in self._levels[1:depth]])
        if identity(os.fstat(descriptor)) == level.identity:
            return descriptor
        os.close(descriptor)
        raise stale(level.name)
