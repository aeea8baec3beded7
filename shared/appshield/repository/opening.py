"""Opening many sealed blobs of one range: what `BlobCodec.decode` does, without its small costs.

For a blob of 4 KiB, to make a view or an exception handler costs as much as to decrypt it. Whatever
is not plainly right here goes through `BlobCodec.decode`, which says what is wrong.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from appshield.repository.crypto import IV_BYTES, MAC_BYTES, NO_IV, SEAL_BYTES, SealingKey

_SCRATCH_BYTES: Final = 1 << 20


class Sealed(NamedTuple):
    """Where a sealed blob is in its pack; `compressed_from` is its plain size, 0 if it is raw."""

    offset: int
    sealed_bytes: int
    compressed_from: int
    blob_id: bytes


class BlobOpener:
    """Opens blobs with one key; belongs to one thread."""

    def __init__(self, key: SealingKey) -> None:
        self._mac_r = key.mac_r
        self._ctr = Cipher(algorithms.AES(key.encrypt), modes.CTR(NO_IV)).encryptor()
        self._block = Cipher(
            algorithms.AES(key.mac_k),
            modes.ECB(),  # noqa: S305 - as in `crypto`
        ).encryptor()
        self._decompressor = zstandard.ZstdDecompressor()
        self._scratch = memoryview(bytearray(_SCRATCH_BYTES))

    def open_all(
        self, fetched: bytes, start: int, blobs: Iterable[Sealed]
    ) -> Iterator[tuple[Sealed, bytes | None]]:
        """Yield blobs of a range that begins at `start` of its pack, None if one is not right."""
        view = memoryview(fetched)
        for blob in blobs:
            begin = blob.offset - start
            plain = self._open(fetched, view, begin, begin + blob.sealed_bytes, blob)
            yield blob, plain

    def _open(
        self, fetched: bytes, view: memoryview, begin: int, end: int, blob: Sealed
    ) -> bytes | None:
        length = blob.sealed_bytes - SEAL_BYTES
        iv = fetched[begin : begin + IV_BYTES]
        if length < 0 or end > len(fetched) or iv == NO_IV:
            return None
        body = view[begin + IV_BYTES : end - MAC_BYTES]
        scratch = self._scratch
        if length + MAC_BYTES > len(scratch):
            scratch = self._scratch = memoryview(bytearray(length + MAC_BYTES))
        try:
            mac_key = self._mac_r + self._block.update(iv)
            Poly1305.verify_tag(mac_key, body, fetched[end - MAC_BYTES : end])
            self._ctr.reset_nonce(iv)
            self._ctr.update_into(body, scratch)
            if blob.compressed_from:
                plain = self._decompressor.decompress(
                    scratch[:length], max_output_size=blob.compressed_from
                )
            else:
                plain = bytes(scratch[:length])
        except (InvalidSignature, zstandard.ZstdError):
            return None
        size_bytes = blob.compressed_from or length
        if len(plain) != size_bytes or hashlib.sha256(plain).digest() != blob.blob_id:
            return None
        return plain
