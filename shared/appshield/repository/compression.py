"""zstd, with contexts that live as long as their thread.

Go's encoder, which restic uses, leaves the size of the content out of some frames; the plain size
that the index gives, or a limit, takes its place.
"""

import threading
from typing import Final

import zstandard

from appshield.errors import DamagedError

LEVEL: Final = 2
"""As small as level 3 on what was measured, at five fourths of its speed."""

LARGEST_PLAIN_BYTES: Final = 1 << 30
"""No index, snapshot or lock is larger; more is damage or an attack on our memory."""


class Compression(threading.local):
    """Compresses and decompresses; safe to use from several threads, each with own contexts."""

    def __init__(self, level: int = LEVEL) -> None:
        self._level = level
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=False)
        self._decompressor = zstandard.ZstdDecompressor()
        self.compressor = self._compressor.compress
        """What `compress` calls; for loops over small chunks."""
        self.decompressor = self._decompressor.decompress
        """What `decompress` calls, which then says what is wrong."""

    def compress(self, plain: bytes | bytearray | memoryview) -> bytes:
        """Return one zstd frame."""
        return self._compressor.compress(plain)

    def stream(self) -> "zstandard.ZstdCompressionObj":
        """Return what compresses piece by piece into one frame, beside all others."""
        own = zstandard.ZstdCompressor(level=self._level, write_checksum=False)
        return own.compressobj()

    def unstream(self) -> "zstandard.ZstdDecompressionObj":
        """Return what decompresses one frame piece by piece, beside all others."""
        return zstandard.ZstdDecompressor().decompressobj()

    def decompress(self, frame: bytes | bytearray | memoryview, *, size_bytes: int) -> bytes:
        """Return the content of a frame, which must have exactly `size_bytes`."""
        try:
            plain = self._decompressor.decompress(frame, max_output_size=size_bytes)
        except zstandard.ZstdError as error:
            raise DamagedError("compressed bytes cannot be read", why=str(error)) from error
        if len(plain) != size_bytes:
            raise DamagedError(
                "compressed bytes have the wrong size",
                why=f"{len(plain)} bytes where {size_bytes} were promised",
            )
        return plain

    def decompress_unknown(self, frame: bytes | bytearray | memoryview) -> bytes:
        """Return the content of a frame whose size nobody promised."""
        parts: list[bytes] = []
        size_bytes = 0
        try:
            for part in self._decompressor.read_to_iter(frame):
                size_bytes += len(part)
                if size_bytes > LARGEST_PLAIN_BYTES:
                    raise DamagedError(
                        "compressed bytes are larger than anything that belongs here"
                    )
                parts.append(part)
        except zstandard.ZstdError as error:
            raise DamagedError("compressed bytes cannot be read", why=str(error)) from error
        return b"".join(parts)
