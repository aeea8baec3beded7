"""Blobs: the unit of storing. A chunk of a file or a directory, called by the SHA-256 of its bytes.

    stored = seal(zstd(plain)) or seal(plain)

Directories are always compressed, chunks where it makes them smaller. Unless told otherwise each
encoded blob is decoded again and compared before it counts: faulty memory must not reach a bucket.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, Literal

import zstandard

from appshield.errors import DamagedError
from appshield.repository.compression import LEVEL, Compression
from appshield.repository.crypto import SealingKey

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

    def decode(
        self, identity: bytes, sealed: bytes | bytearray | memoryview, *, compressed_from: int
    ) -> bytes:
        """Return the plain bytes of a blob.

        Raises:
            DamagedError: seal, compression or content are not what they should be.
        """
        packed = self.key.open(sealed)
        plain = (
            self.compression.decompress(packed, size_bytes=compressed_from)
            if compressed_from
            else bytes(packed)
        )
        if blob_id(plain) != identity:
            raise DamagedError("the content does not match its name")
        return plain

    def _prove(self, identity: bytes, sealed: memoryview, compressed_from: int) -> None:
        try:
            if len(sealed) <= LARGEST_BLOB_BYTES:
                self.decode(identity, sealed, compressed_from=compressed_from)
            else:
                self._decode_in_pieces(identity, sealed, compressed_from)
        except DamagedError as error:
            raise DamagedError(
                f"blob {identity.hex()} changed while it was encoded",
                why="memory or processor of this machine are faulty",
                next_step="Nothing wrong was stored; run the backup on another node",
            ) from error

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
