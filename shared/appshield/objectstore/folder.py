"""An object store in a folder of a local disk.

An object is written to a temporary file, synced, and then given its name in one step, which the
file system makes atomic and, for `only_if_absent`, exclusive. Folders are synced too, so that an
object whose `put` returned survives a loss of power.
"""

import contextlib
import errno
import io
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from appshield.errors import AppShieldError, DeniedError, InvalidInputError, UnavailableError
from appshield.objectstore.content import Content, FileContent
from appshield.objectstore.port import (
    ObjectExistsError,
    ObjectFacts,
    ObjectMissingError,
    StoreFullError,
    check_name,
    check_range,
    folder_of,
    is_name,
)
from appshield.objectstore.streaming import PiecewiseRange, RangeReader

INCOMING = ".incoming"
"""Folder of files that have no name yet; no object can be called so."""

ABANDONED_AFTER_S = 24 * 3600.0
"""No write takes this long: its writer is dead and the file is removed at the next start."""


class FolderObjectStore:
    """Objects as files below `folder`, which is made when it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._incoming = self.folder / INCOMING
        with _translated(self.folder, self.folder):
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()

    def __repr__(self) -> str:
        return f"<store in folder {self.folder}>"

    def put(
        self,
        name: str,
        data: Content,
        *,
        only_if_absent: bool = False,
        sha256: str | None = None,  # noqa: ARG002 - for services
    ) -> None:
        """See ObjectStore.put."""
        path = self._path(name)
        unnamed = self._incoming / secrets.token_hex(16)
        with _translated(self.folder, path):
            try:
                _write_durably(unnamed, data)
                self._make_folders(path.parent)
                if only_if_absent:
                    os.link(unnamed, path)
                else:
                    unnamed.replace(path)
                _sync_folder(path.parent)
            except FileExistsError:
                raise ObjectExistsError(f"object {name} exists already in {self!r}") from None
            finally:
                unnamed.unlink(missing_ok=True)

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore.get."""
        path = self._path(name)
        check_range(offset, length)
        with _translated(self.folder, path):
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    return file.read() if length is None else file.read(length)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise ObjectMissingError(f"there is no object {name} in {self!r}") from None

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        """See ObjectStore.open_range."""
        check_range(offset, length)
        path = self._path(name)
        file: io.FileIO | None = None
        with contextlib.suppress(OSError):  # told by `get`
            file = path.open("rb", buffering=0)
            file.seek(offset)
        return PiecewiseRange(
            lambda start, size: self.get(name, offset=start, length=size),
            offset,
            length,
            arriving=file,
        )

    def size(self, name: str) -> int | None:
        """See ObjectStore.size."""
        path = self._path(name)
        with _translated(self.folder, path):
            try:
                return path.stat().st_size if path.is_file() else None
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> Iterator[ObjectFacts]:
        """See ObjectStore.list."""
        folder = folder_of(prefix)
        with _translated(self.folder, self.folder / folder):
            yield from _files_below(self.folder / folder, folder)

    def folders(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.folders."""
        folder = self.folder / folder_of(prefix)
        with _translated(self.folder, folder), contextlib.suppress(FileNotFoundError):
            with os.scandir(folder) as entries:
                names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            yield from (name for name in names if is_name(name))

    def delete(self, name: str) -> None:
        """See ObjectStore.delete."""
        path = self._path(name)
        with _translated(self.folder, path):
            try:
                path.unlink()
                _sync_folder(path.parent)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return

    def _path(self, name: str) -> Path:
        check_name(name)
        return self.folder / name

    def _make_folders(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folders(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        _sync_folder(folder.parent)

    def _remove_abandoned(self) -> None:
        oldest = time.time() - ABANDONED_AFTER_S
        for file in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _write_durably(path: Path, data: Content) -> None:
    with path.open("xb", buffering=0) as file:
        for piece in data.pieces() if isinstance(data, FileContent) else (data,):
            rest = memoryview(piece).cast("B")
            while rest:
                rest = rest[file.write(rest) :]
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files_below(folder: Path, prefix: str) -> Iterator[ObjectFacts]:
    """Walk without holding a whole level in memory; what vanishes meanwhile was deleted."""
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if not is_name(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(folder / entry.name, f"{prefix}{entry.name}/")
                continue
            with contextlib.suppress(FileNotFoundError):
                facts = ObjectFacts(prefix + entry.name, entry.stat().st_size)
                yield facts


@contextlib.contextmanager
def _translated(store: Path, path: Path) -> Iterator[None]:
    """Turn what the operating system says into our errors."""
    try:
        yield
    except OSError as error:
        raise _error_for(error, store, path) from error


def _error_for(error: OSError, store: Path, path: Path) -> AppShieldError:
    why = error.strerror or str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StoreFullError(
            "the store is full", why=f"{store}: {why}", next_step="Free space there, or prune"
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return DeniedError(f"folder {store} cannot be used", why=f"{path}: {why}")
    if error.errno in {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST}:
        return InvalidInputError(f"{path.relative_to(store)} cannot be stored", why=why)
    return UnavailableError(f"folder {store} does not answer", why=f"{path}: {why}")
