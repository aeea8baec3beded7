"""Blobs: the unit of storing. A chunk of a file or a directory, called by the SHA-256 of its bytes.

    stored = seal(zstd(plain)) or seal(plain)

Directories are always compressed, chunks where it makes them smaller. Unless told otherwise each
encoded blob is decoded again and compared before it leaves: faulty memory must not reach a bucket.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import zstandard

from appshield.errors import DamagedError
from appshield.repository.compression import LEVEL, Compression
from appshield.repository.crypto import SEAL_BYTES, BrokenSealError, SealingKey
from appshield.repository.native import NativeCode, native_code
from appshield.repository.opening import CompiledOpener, Sealed, windows

BlobKind = Literal["data", "tree"]

LARGEST_BLOB_BYTES: Final = 8 << 20
"""What restic's own chunker never exceeds."""


def blob_id(plain: bytes | bytearray | memoryview) -> bytes:
    """Return what a blob of these plain bytes is called: 32 bytes."""
    return hashlib.sha256(plain).digest()


class BlobCodec:
    """Encodes and decodes the blobs of one repository; thread-safe.

    Encoding has three steps: `pack`; `seal_into`, which writes into the pack itself; and `prove`,
    for many blobs at once.
    """

    def __init__(self, key: SealingKey, *, verify: bool = True, level: int = LEVEL) -> None:
        self.key = key
        self.compression = Compression(level)
        self._verify = verify
        self._native = native_code() if verify else None
        self._openers: deque[CompiledOpener] = deque()

    def pack(self, kind: BlobKind, plain: bytes | memoryview) -> tuple[bytes | memoryview, int]:
        """Return what is to be sealed, and the plain size if that is compressed, 0 if not."""
        packed = self.compression.compress(plain)
        if kind == "tree" or len(packed) < len(plain):
            return packed, len(plain)
        return plain, 0

    def seal_into(
        self,
        buffer: memoryview,
        offset: int,
        pieces: Iterable[bytes | memoryview],
    ) -> int:
        """Seal a packed blob into a buffer that has room; return how many bytes it takes."""
        return self.key.seal_into(pieces, buffer, offset)

    def pack_each(self, chunks: Iterable[bytes]) -> list[tuple[bytes, int]]:
        """Return what is to be sealed of small chunks, each as `pack` returns it."""
        compress = self.compression.compressor
        packed = [(compress(chunk), chunk) for chunk in chunks]
        return [
            (frame, len(chunk)) if len(frame) < len(chunk) else (chunk, 0)
            for frame, chunk in packed
        ]

    def seal_each_into(
        self, buffer: memoryview, offset: int, packed: Sequence[tuple[bytes, int]]
    ) -> list[int]:
        """Seal small chunks of `pack_each` one after the other; return how many bytes each takes.

        There must be room in the buffer.
        """
        self.key.seal_each_into([piece for piece, _ in packed], buffer, offset)
        return [len(piece) + SEAL_BYTES for piece, _ in packed]

    def prove(self, buffer: memoryview, blobs: Sequence[Sealed]) -> None:
        """Decode blobs that follow each other in a buffer, and compare them with their names.

        Raises:
            DamagedError: what was encoded does not decode to the bytes that an identity names.
        """
        if not self._verify:
            return
        for window in windows(blobs):
            sealed = buffer[window[0].offset : window[-1].end]
            if window[0].sealed_bytes > LARGEST_BLOB_BYTES:
                self._prove_in_pieces(window[0], sealed)
            elif self._native is None or not self._is_proved(self._native, sealed, window):
                self._prove_each(sealed, window)

    def decode(
        self, identity: bytes, sealed: bytes | bytearray | memoryview, *, compressed_from: int
    ) -> bytes:
        """Return the plain bytes of a blob.

        Raises:
            DamagedError: seal, compression or content are not what they should be.
        """
        return bytes(self._require(identity, self.key.open(sealed), compressed_from))

    def _require(
        self, identity: bytes, packed: memoryview, compressed_from: int
    ) -> bytes | memoryview:
        """Return the plain bytes of what was opened; DamagedError if they are not right."""
        plain = (
            self.compression.decompress(packed, size_bytes=compressed_from)
            if compressed_from
            else packed
        )
        if blob_id(plain) != identity:
            raise DamagedError("the content does not match its name")
        return plain

    def _is_proved(self, native: NativeCode, sealed: memoryview, blobs: Sequence[Sealed]) -> bool:
        """Tell whether all are plainly right."""
        opener = self._openers.pop() if self._openers else CompiledOpener(native, self.key)
        found = opener.open_in(sealed, len(sealed), blobs[0].offset, blobs)
        self._openers.append(opener)
        return min(found.starts) >= 0

    def _prove_each(self, sealed: memoryview, blobs: Sequence[Sealed]) -> None:
        decompress, sha256 = self.compression.decompressor, hashlib.sha256
        opened = self.key.open_each(sealed, [blob.sealed_bytes for blob in blobs])
        for _, _, compressed_from, identity in blobs:
            try:
                piece = next(opened)
                plain = (
                    decompress(piece, max_output_size=compressed_from) if compressed_from else piece
                )
                is_right = sha256(plain).digest() == identity
            except (BrokenSealError, zstandard.ZstdError) as error:
                raise _changed(identity) from error
            if not is_right:
                raise _changed(identity)

    def _prove_in_pieces(self, blob: Sealed, sealed: memoryview) -> None:
        try:
            self._decode_in_pieces(blob.blob_id, sealed, blob.compressed_from)
        except DamagedError as error:
            raise _changed(blob.blob_id) from error

    def _decode_in_pieces(self, identity: bytes, sealed: memoryview, compressed_from: int) -> None:
        """Verify a blob without ever having all of it in memory."""
        digest = hashlib.sha256()
        frame = self.compression.unstream()
        try:
            for piece in self.key.open_in_pieces(sealed):
                digest.update(frame.decompress(piece) if compressed_from else piece)
        except zstandard.ZstdError as error:
            raise DamagedError("compressed bytes cannot be read", why=str(error)) from error
        if digest.digest() != identity:
            raise DamagedError("the content does not match its name")


def _changed(identity: bytes) -> DamagedError:
    return DamagedError(
        f"blob {identity.hex()} changed while it was encoded",
        why="memory or processor of this machine are faulty",
        next_step="Nothing wrong was stored; run the backup on another node",
    )
