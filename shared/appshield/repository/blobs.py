"""Blobs: the unit of storing. A chunk of a file or a directory, called by the SHA-256 of its bytes.

    stored = seal(zstd(plain)) or seal(plain)

Directories are always compressed, chunks where it makes them smaller. Unless told otherwise each
encoded blob is decoded again and compared before it counts: faulty memory must not reach a bucket.
"""

import hashlib
from typing import Final, Literal

import msgspec

from appshield.errors import DamagedError
from appshield.repository.compression import Compression
from appshield.repository.crypto import SealingKey

BlobKind = Literal["data", "tree"]

LARGEST_BLOB_BYTES: Final = 8 << 20
"""What restic's own chunker never exceeds."""


class EncodedBlob(msgspec.Struct, frozen=True):
    """What is stored of a blob; `compressed_from` is its plain size, 0 when stored as it is."""

    sealed: bytearray
    compressed_from: int


def blob_id(plain: bytes | bytearray | memoryview) -> bytes:
    """Return what a blob of these plain bytes is called: 32 bytes."""
    return hashlib.sha256(plain).digest()


class BlobCodec:
    """Encodes and decodes the blobs of one repository; thread-safe."""

    def __init__(self, key: SealingKey, *, verify: bool = True) -> None:
        self._key = key
        self._verify = verify
        self._compression = Compression()

    def encode(self, identity: bytes, kind: BlobKind, plain: bytes | memoryview) -> EncodedBlob:
        """Return the stored form of a blob.

        Raises:
            DamagedError: what was encoded does not decode to the same bytes.
        """
        packed = self._compression.compress(plain)
        if kind == "tree" or len(packed) < len(plain):
            encoded = EncodedBlob(sealed=self._key.seal(packed), compressed_from=len(plain))
        else:
            encoded = EncodedBlob(sealed=self._key.seal(plain), compressed_from=0)
        if self._verify:
            self._prove(identity, encoded)
        return encoded

    def decode(
        self, identity: bytes, sealed: bytes | bytearray | memoryview, *, compressed_from: int
    ) -> bytes:
        """Return the plain bytes of a blob.

        Raises:
            DamagedError: seal, compression or content are not what they should be.
        """
        packed = self._key.open(sealed)
        plain = (
            self._compression.decompress(packed, size_bytes=compressed_from)
            if compressed_from
            else bytes(packed)
        )
        if blob_id(plain) != identity:
            raise DamagedError("the content does not match its name")
        return plain

    def _prove(self, identity: bytes, encoded: EncodedBlob) -> None:
        try:
            self.decode(identity, encoded.sealed, compressed_from=encoded.compressed_from)
        except DamagedError as error:
            raise DamagedError(
                f"blob {identity.hex()} changed while it was encoded",
                why="memory or processor of this machine are faulty",
                next_step="Nothing wrong was stored; run the backup on another node",
            ) from error
