"""Data sets that are the same on every machine: seeded, made once, known by a digest.

    mixed    2 GiB in 200 large files: a third noise, a third text, a third lines of a log
    small    100,000 files of 4 KiB, 100 to a folder, ten folders to a folder
    single   one file of 4 GiB, the three kinds in turn
    lone     300,000 small files in one folder;  nested: the same files in folders of 100
    huge     2,000,000 small files in folders of 1,000

`changed` alters one in a hundred bytes (mixed) or files (small) and puts them back afterwards. The
digest covers paths and contents; reading it also warms the page cache.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB
SMALL_FILE_BYTES: Final = 4 * KIB
TINY_FILE_BYTES: Final = 16
MADE_AT_NS: Final = 1_700_000_000_000_000_000

_PIECE_BYTES = MIB
_WORDS = 4096
_CHANGED_FILES_OF_MIXED = 50


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set of a size: which files it has, and of which kind each is."""

    name: str
    files: int
    file_bytes: int
    per_folder: int

    def scaled(self, scale: float) -> "DataSet":
        """Return the same with a part of the bytes: fewer small files, or smaller large ones."""
        if self.file_bytes <= SMALL_FILE_BYTES:
            files = max(100, round(self.files * scale))
            return DataSet(self.name, files, self.file_bytes, self.per_folder)
        size = max(KIB, round(self.file_bytes * scale))
        return DataSet(self.name, self.files, size, self.per_folder)

    @property
    def size_bytes(self) -> int:
        """All bytes of all files."""
        return self.files * self.file_bytes

    def path(self, number: int) -> Path:
        """Return where a file is, relative to the data set."""
        folder = number // self.per_folder
        names = (f"{folder // 100:03}", f"{folder // 10 % 10}", f"{folder % 10}")
        return Path(*names, f"file-{number:07}") if self.per_folder < self.files else Path(
            f"file-{number:07}"
        )  # fmt: skip


DATA_SETS: Final[Mapping[str, DataSet]] = {
    found.name: found
    for found in (
        DataSet("mixed", 200, 2 * GIB // 200, 20),
        DataSet("small", 100_000, SMALL_FILE_BYTES, 100),
        DataSet("single", 1, 4 * GIB, 1),
        DataSet("lone", 300_000, TINY_FILE_BYTES, 300_000),
        DataSet("nested", 300_000, TINY_FILE_BYTES, 100),
        DataSet("huge", 2_000_000, TINY_FILE_BYTES, 1000),
    )
}


def key_stream(seed: str) -> Callable[[int], bytes]:
    """Return a source of noise that is the same for the same seed."""
    key = hashlib.sha256(seed.encode()).digest()
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return lambda size: encryptor.update(bytes(size))


class Contents:
    """Bytes of three kinds; the same arguments always give the same bytes."""

    def __init__(self) -> None:
        self._vocabulary = _vocabulary()
        self._pieces = (_noise, self._text, self._log)

    def pieces(self, data_set: DataSet, number: int, generation: str = "") -> Iterator[bytes]:
        """Yield the content of a file; each piece of a single large file is of another kind."""
        stream = key_stream(f"{data_set.name}/{data_set.file_bytes}/{number}/{generation}")
        left, piece = data_set.file_bytes, 0
        while left:
            size = min(left, _PIECE_BYTES)
            kind = self._pieces[(number + (piece if data_set.files == 1 else 0)) % 3]
            yield kind(stream, size)
            left -= size
            piece += 1

    def _text(self, stream: Callable[[int], bytes], size: int) -> bytes:
        """Words, frequent ones more often, as in a text."""
        drawn = memoryview(stream(2 * (size // 6 + 2))).cast("H")
        return b" ".join(map(self._vocabulary.__getitem__, drawn))[:size].ljust(size)

    def _log(self, stream: Callable[[int], bytes], size: int) -> bytes:
        """Lines of which each holds a number that rises, a word and something unique."""
        drawn = stream(size // 3 + 64)
        lines = []
        for start in range(0, len(drawn) - 16, 16):
            word = self._vocabulary[int.from_bytes(drawn[start : start + 2], "little")]
            unique = drawn[start + 2 : start + 14].hex().encode()
            lines.append(b"%012d GET /%b %b 200\n" % (start, word, unique))
        return b"".join(lines)[:size].ljust(size)


def _noise(stream: Callable[[int], bytes], size: int) -> bytes:
    return stream(size)


def _vocabulary() -> list[bytes]:
    """Return 65,536 words, in which the first ones are found most often."""
    drawn = key_stream("vocabulary")
    letters = bytes(ord("a") + number % 26 for number in range(256))
    words = [drawn(3 + number % 9).translate(letters) for number in range(_WORDS)]
    return [words[int(_WORDS * (place / 65_536) ** 3)] for place in range(65_536)]


def make(folder: Path, data_set: DataSet) -> str:
    """Write a data set into a folder and return its digest."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    contents = Contents()
    for number in range(data_set.files):
        path = folder / data_set.path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for piece in contents.pieces(data_set, number):
                file.write(piece)
        os.utime(path, ns=(MADE_AT_NS, MADE_AT_NS))
    return digest(folder)


def ensure_made(cache: Path, data_set: DataSet) -> Path:
    """Return the folder of a data set that is whole, made now if it is not there."""
    folder = cache / f"{data_set.name}-{data_set.files}x{data_set.file_bytes}"
    known = folder.with_suffix(".sha256")
    if not (known.exists() and folder.exists() and known.read_text() == digest(folder)):
        made = make(folder, data_set)
        known.write_text(made)
    return folder


def digest(folder: Path) -> str:
    """Return one digest of all paths and contents below a folder."""
    total = hashlib.sha256()
    for path in _files(os.fspath(folder), ""):
        total.update(path.encode() + b"\0")
        with open(os.path.join(folder, path), "rb", buffering=0) as file:  # noqa: PTH118, PTH123 - many
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _files(root: str, below: str) -> Iterator[str]:
    """Yield the files below a folder, always in the same order."""
    with os.scandir(os.path.join(root, below)) as found:  # noqa: PTH118 - Path costs more than reading
        entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
    for name, is_folder in entries:
        path = f"{below}/{name}" if below else name
        if is_folder:
            yield from _files(root, path)
        else:
            yield path


@contextmanager
def changed(folder: Path, data_set: DataSet) -> Iterator[None]:
    """Change one in a hundred: small files whole, a region in every fourth large file."""
    before: list[tuple[Path, int, bytes]] = []
    contents = Contents()
    try:
        for number, offset, size in changes(data_set):
            path = folder / data_set.path(number)
            new = b"".join(contents.pieces(data_set, number, "changed"))[:size]
            with path.open("r+b") as file:
                file.seek(offset)
                before.append((path, offset, file.read(size)))
                file.seek(offset)
                file.write(new)
        yield
    finally:
        for path, offset, old in before:
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(old)
            os.utime(path, ns=(MADE_AT_NS, MADE_AT_NS))


def changes(data_set: DataSet) -> Iterator[tuple[int, int, int]]:
    """Yield file number, offset and size of what `changed` changes."""
    if data_set.file_bytes <= SMALL_FILE_BYTES:
        yield from ((number, 0, data_set.file_bytes) for number in range(7, data_set.files, 100))
        return
    files = min(_CHANGED_FILES_OF_MIXED, data_set.files)
    size = data_set.size_bytes // 100 // files
    for number in range(0, data_set.files, max(1, data_set.files // files)):
        yield number, data_set.file_bytes // 3, min(size, data_set.file_bytes // 2)
