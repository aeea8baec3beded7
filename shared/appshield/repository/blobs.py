"""Blobs: the unit of storing. A chunk of a file or a directory, called by the SHA-256 of its bytes.

    stored = seal(zstd(plain)) or seal(plain)

Directories are always compressed, chunks where it makes them smaller. Unless told otherwise each
encoded blob is decoded again and compared before it counts: faulty memory must not reach a bucket.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import zstandard

from appshield.errors import DamagedError
from appshield.repository.compression import LEVEL, Compression
from appshield.repository.crypto import SEAL_BYTES, BrokenSealError, SealingKey

BlobKind = Literal["data", "tree"]

LARGEST_BLOB_BYTES: Final = 8 << 20
"""What restic's own chunker never exceeds."""


def blob_id(plain: bytes | bytearray | memoryview) -> bytes:
    """Return what a blob of these plain bytes is called: 32 bytes."""
    return hashlib.sha256(plain).digest()


class BlobCodec:
    """Encodes and decodes the blobs of one repository; thread-safe.

    Encoding has two steps, `pack` and `seal_into`, since sealing writes into the pack itself.
    """

    def __init__(self, key: SealingKey, *, verify: bool = True, level: int = LEVEL) -> None:
        self.key = key
        self.compression = Compression(level)
        self._verify = verify

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
        identity: bytes,
        pieces: Iterable[bytes | memoryview],
        *,
        compressed_from: int,
    ) -> int:
        """Seal a packed blob into a buffer that has room; return how many bytes it takes.

        Raises:
            DamagedError: what was encoded does not decode to the bytes that the identity names.
        """
        sealed_bytes = self.key.seal_into(pieces, buffer, offset)
        if self._verify:
            self._prove(identity, buffer[offset : offset + sealed_bytes], compressed_from)
        return sealed_bytes

    def pack_each(self, chunks: Iterable[bytes]) -> list[tuple[bytes, int]]:
        """Return what is to be sealed of small chunks, each as `pack` returns it."""
        compress = self.compression.compressor
        packed = [(compress(chunk), chunk) for chunk in chunks]
        return [
            (frame, len(chunk)) if len(frame) < len(chunk) else (chunk, 0)
            for frame, chunk in packed
        ]

    def seal_each_into(
        self,
        buffer: memoryview,
        offset: int,
        identities: Sequence[bytes],
        packed: Sequence[tuple[bytes, int]],
    ) -> list[int]:
        """Seal small chunks of `pack_each` one after the other; return how many bytes each takes.

        There must be room in the buffer. Raises as `seal_into`.
        """
        self.key.seal_each_into([piece for piece, _ in packed], buffer, offset)
        sizes = [len(piece) + SEAL_BYTES for piece, _ in packed]
        if self._verify:
            self._prove_each(identities, buffer[offset : offset + sum(sizes)], sizes, packed)
        return sizes

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

    def _prove_each(
        self,
        identities: Sequence[bytes],
        sealed: memoryview,
        sizes: Sequence[int],
        packed: Sequence[tuple[bytes, int]],
    ) -> None:
        """Verify small chunks that follow each other: what `_prove` does for one."""
        decompress, sha256 = self.compression.decompressor, hashlib.sha256
        opened = self.key.open_each(sealed, sizes)
        for identity, (_, compressed_from) in zip(identities, packed, strict=True):
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

    def _prove(self, identity: bytes, sealed: memoryview, compressed_from: int) -> None:
        try:
            if len(sealed) <= LARGEST_BLOB_BYTES:
                for packed in self.key.open_each(sealed, (len(sealed),)):
                    self._require(identity, packed, compressed_from)
            else:
                self._decode_in_pieces(identity, sealed, compressed_from)
        except DamagedError as error:
            raise _changed(identity) from error

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
