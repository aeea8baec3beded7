"""Inner loops in C, where they could be built and this machine has what they need.

`comparing.c`, `hashing.c` and `restoring.c` say what they do. Python does the same without them,
with the same results, and is what decides whenever they find something not plainly right.
"""

import ctypes
import os
import struct
import weakref
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

LIBRARY: Final = Path(__file__).with_name("native.so")
"""What the build of the package leaves here; see `deploy/package_build.py`."""

SWITCH: Final = "APPSHIELD_NATIVE"
"""Variable that turns the C part off where it is `0`, also in worker processes."""

BLOB: Final = struct.Struct("=IIII32s")
"""`struct blob`: start, sealed bytes, plain bytes or 0, whether it is right, id."""

PIECE: Final = struct.Struct("=QQ32s")
"""`struct piece`: start, bytes, digest."""

FILE: Final = struct.Struct("=iIqqIIQQIi")
"""`struct file`: directory, mode, seconds, nanoseconds, start and size, name, whether written."""


class NativeCode:
    """The functions of the library; its sources say what they promise."""

    def __init__(self, library: ctypes.CDLL) -> None:
        number, memory = ctypes.c_size_t, ctypes.c_void_p
        self._new_opener = library.appshield_opener_new
        self._new_opener.restype = memory
        self._new_opener.argtypes = [ctypes.c_char_p] * 3
        self._free_opener = library.appshield_opener_free
        self._free_opener.restype = None
        self._free_opener.argtypes = [memory]
        self._open = library.appshield_open
        self._open.restype = None
        self._open.argtypes = [memory, memory, number, memory, number, memory, number]
        self._sha256_each = library.appshield_sha256_each
        self._sha256_each.restype = None
        self._sha256_each.argtypes = [memory, memory, number]
        self._write_files = library.appshield_write_files
        self._write_files.restype = None
        self._write_files.argtypes = [memory, number, ctypes.c_char_p, memory, number]
        self._unchanged = library.appshield_unchanged
        self._unchanged.restype = number
        self._unchanged.argtypes = [
            ctypes.c_int, ctypes.c_uint64, number,
            ctypes.c_char_p, ctypes.c_char_p, memory, memory, memory,
        ]  # fmt: skip

    def opener(self, encrypt: bytes, mac_k: bytes, mac_r: bytes) -> "NativeOpener":
        """Return what opens blobs with a key; MemoryError."""
        opener = self._new_opener(encrypt, mac_k, mac_r)
        if not opener:
            raise MemoryError
        return NativeOpener(self._open, self._free_opener, opener)

    def sha256_each(self, buffer: bytes | memoryview, sizes: Iterable[int]) -> list[bytes]:
        """Return the SHA-256 of pieces that follow each other in a buffer, from its start."""
        starts = list(accumulate(sizes, initial=0))
        assert starts[-1] <= len(buffer)
        table = bytearray().join(
            [PIECE.pack(start, end - start, b"") for start, end in pairwise(starts)]
        )
        if table:
            self._sha256_each(_at(buffer), _at(table), len(starts) - 1)
        return [digest for _, _, digest in PIECE.iter_unpack(table)]

    def write_files(self, table: bytearray, count: int, names: bytes, buffer: memoryview) -> None:
        """Write the files of a table, a `FILE` each, with what is in a buffer."""
        self._write_files(_at(table), count, names, _at(buffer), len(buffer))

    def unchanged(
        self, directory: int, device: int, names: Sequence[bytes], entries: Sequence[bytes]
    ) -> tuple["array[int]", bytes]:
        """Return the size of each file that is as in its earlier entry, else -1; and their blobs.

        Those are ids, joined. A file with -1 may be unchanged all the same.
        """
        joined = b"".join(entries)
        sizes, lengths = array("q", bytes(8 * len(names))), array("I", map(len, entries))
        ids = bytearray(len(joined) // 2 + 1)
        taken = self._unchanged(
            directory, device, len(names),
            b"\0".join(names), joined, _at(lengths), _at(sizes), _at(ids),
        )  # fmt: skip
        return sizes, bytes(memoryview(ids)[:taken])


class NativeOpener:
    """Opens blobs with one key; belongs to one thread."""

    def __init__(
        self, open_blobs: Callable[..., None], free: Callable[..., None], opener: int
    ) -> None:
        self._open = open_blobs
        self._opener = opener
        weakref.finalize(self, free, opener)

    def open(
        self, sealed: memoryview, size_bytes: int, table: bytearray, count: int, plain: bytearray
    ) -> None:
        """Open the blobs of a table, a `BLOB` each, from one writable buffer into another."""
        self._open(self._opener, _at(sealed), size_bytes, _at(table), count, _at(plain), len(plain))


def _at(buffer: "bytes | bytearray | memoryview | array[int]") -> object:
    """Return the address of a buffer, which stays where it is as long as this lives.

    What is in a read-only view is copied: C may only read it.
    """
    if isinstance(buffer, bytes):
        return buffer
    if isinstance(buffer, memoryview) and buffer.readonly:
        return buffer.tobytes()
    return ctypes.byref(ctypes.c_char.from_buffer(buffer))


def native_code() -> NativeCode | None:
    """Return the C part; None where there is none, or it is turned off."""
    return None if os.environ.get(SWITCH) == "0" else _loaded()


@lru_cache(maxsize=1)
def _loaded() -> NativeCode | None:
    try:
        library = ctypes.CDLL(str(LIBRARY))
        native = NativeCode(library)
    except (OSError, AttributeError):  # not built, for another machine, or from older sources
        return None
    return native if library.appshield_load() else None
