"""Sorted tables in shared memory: what an index knows, in 48 bytes a blob.

    header ‖ packs: 4 words of id, size ‖ data, then trees: 4 words of id, pack, offset, two sizes

Each column is an array of its own; a row of a table is one position in all of them, ascending by
id. An id is four words of 64 bits, so a search compares machine words, and a hit is all 256 bits of
the id: nothing less is trusted. Tables live in a sealed memory file that any number of processes
map for reading. Looking up needs neither numpy nor a copy.
"""

import fcntl
import mmap
import os
import struct
import weakref
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, Literal

from appshield.repository.blobs import BlobKind

WORDS: Final = struct.Struct(">4Q")
"""An id as four words."""

_HEADER: Final = struct.Struct("=8s3Q")
_MAGIC: Final = b"appidx\0\1"
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL

WORD_BYTES: Final = 8
NUMBER_BYTES: Final = 4


class SortedIds:
    """Ids of 32 bytes in ascending order; equal ones stand beside each other."""

    def __init__(self, words: list[memoryview]) -> None:
        self.words = words
        self._first, self._second, self._third, self._fourth = words

    def __len__(self) -> int:
        return len(self._first)

    def find(self, identity: bytes) -> int:
        """Return the first row of an id, -1 if there is none."""
        first, second, third, fourth = WORDS.unpack(identity)
        column = self._first
        row = bisect_left(column, first)
        end = len(column)
        while row < end and column[row] == first:
            if (
                self._second[row] == second
                and self._third[row] == third
                and self._fourth[row] == fourth
            ):
                return row
            row += 1
        return -1

    def missing(self, identities: bytes) -> Iterator[bytes]:
        """Yield those of many ids, joined, that are in no row."""
        column, seconds, thirds, fourths = self.words
        end = len(column)
        for first, second, third, fourth in WORDS.iter_unpack(identities):
            row = bisect_left(column, first)
            while row < end and column[row] == first:
                if seconds[row] == second and thirds[row] == third and fourths[row] == fourth:
                    break
                row += 1
            else:
                yield WORDS.pack(first, second, third, fourth)

    def identity(self, row: int) -> bytes:
        """Return the id in a row."""
        return WORDS.pack(self._first[row], self._second[row], self._third[row], self._fourth[row])

    def same(self, row: int) -> Iterator[int]:
        """Yield all rows that hold the id which `find` has found in `row`; none for -1."""
        if row < 0:
            return
        identity, first = self.identity(row), self._first[row]
        while row < len(self) and self._first[row] == first:
            if self.identity(row) == identity:
                yield row
            row += 1


class PackTable(SortedIds):
    """The packs; the row of a pack is its number. `sizes` are those they must have, in bytes."""

    def __init__(self, words: list[memoryview], sizes: memoryview) -> None:
        super().__init__(words)
        self.sizes = sizes


class BlobTable(SortedIds):
    """The blobs of one kind: number of the pack, place in it, sealed size, plain size or 0."""

    def __init__(self, words: list[memoryview], numbers: list[memoryview]) -> None:
        super().__init__(words)
        self.packs, self.offsets, self.sealed_sizes, self.compressed_from = numbers


class IndexTables:
    """The three tables of an index, mapped from the memory file that `descriptor` is open on."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self._mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        magic, *counts = _HEADER.unpack_from(self._mapped)
        if magic != _MAGIC:
            raise ValueError("this descriptor is not open on the tables of an index")
        columns = Columns(memoryview(self._mapped), *counts)
        self.packs = PackTable(columns.pack_words, columns.pack_sizes)
        self.data = BlobTable(columns.data_words, columns.data_numbers)
        self.trees = BlobTable(columns.tree_words, columns.tree_numbers)

    @property
    def size_bytes(self) -> int:
        """How much memory these take."""
        return len(self._mapped)

    def by_kind(self) -> tuple[tuple[BlobKind, BlobTable], ...]:
        """Return both tables of blobs, each with its kind."""
        return ("data", self.data), ("tree", self.trees)


class Columns:
    """The columns of the three tables as views of `memory`, writable if that is."""

    def __init__(self, memory: memoryview, packs: int, data: int, trees: int) -> None:
        self._memory = memory
        self._end = _HEADER.size
        self.pack_words = [self._next("Q", packs) for _ in range(4)]
        self.pack_sizes = self._next("Q", packs)
        self.data_words = [self._next("Q", data) for _ in range(4)]
        self.tree_words = [self._next("Q", trees) for _ in range(4)]
        self.data_numbers = [self._next("I", data) for _ in range(4)]
        self.tree_numbers = [self._next("I", trees) for _ in range(4)]

    def _next(self, code: Literal["Q", "I"], rows: int) -> memoryview:
        start, self._end = self._end, self._end + rows * struct.calcsize(code)
        return self._memory[start : self._end].cast(code)

    def release(self) -> None:
        """Let go of the memory, which can then be unmapped."""
        words = [*self.pack_words, self.pack_sizes, *self.data_words, *self.tree_words]
        for column in [*words, *self.data_numbers, *self.tree_numbers]:
            column.release()
        self._memory.release()


class NewTables:
    """Tables under construction: fill the `columns`, then `finish`."""

    def __init__(self, *, packs: int, data: int, trees: int) -> None:
        pack_bytes, blob_bytes = 5 * WORD_BYTES, 4 * WORD_BYTES + 4 * NUMBER_BYTES
        size_bytes = _HEADER.size + packs * pack_bytes + (data + trees) * blob_bytes
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        self._descriptor = os.memfd_create("appshield-index", flags)
        os.ftruncate(self._descriptor, size_bytes)
        self._mapped = mmap.mmap(self._descriptor, size_bytes)
        _HEADER.pack_into(self._mapped, 0, _MAGIC, packs, data, trees)
        self.columns = Columns(memoryview(self._mapped), packs, data, trees)

    def finish(self) -> IndexTables:
        """Return the tables; from now on nobody can write to them."""
        self.columns.release()
        self._mapped.close()
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return IndexTables(self._descriptor)
