"""Opening many sealed blobs at once: what `BlobCodec.decode` does, without its small costs.

For a blob of 4 KiB, to make a view or an exception handler costs as much as to decrypt it, and for
one of 1 MiB a new buffer costs as much as to decompress it. So blobs are opened in windows, from
one buffer into another, both used again for the next window: in C where that is there
(`native`), else here. Whatever is not plainly right goes through `BlobCodec.decode`, which says
what is wrong.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from appshield.repository.crypto import IV_BYTES, MAC_BYTES, NO_IV, SEAL_BYTES, SealingKey
from appshield.repository.native import BLOB, NativeCode, native_code

WINDOW_BYTES: Final = 4 << 20
"""What is opened at once: several blobs mostly, and less than the cache of a processor holds."""


class Sealed(NamedTuple):
    """Where a sealed blob is in its pack; `compressed_from` is its plain size, 0 if it is raw."""

    offset: int
    sealed_bytes: int
    compressed_from: int
    blob_id: bytes

    @property
    def end(self) -> int:
        """Where it ends in its pack."""
        return self.offset + self.sealed_bytes

    @property
    def plain_bytes(self) -> int:
        """The size of its content."""
        return self.compressed_from or max(0, self.sealed_bytes - SEAL_BYTES)


class Opened(NamedTuple):
    """The blobs of a window in one buffer, valid until the next window is opened.

    `starts` says where each begins there, -1 for one that is not right.
    """

    plain: memoryview
    starts: list[int]


class BlobOpener(Protocol):
    """Opens blobs with one key; belongs to one thread."""

    def room(self, size_bytes: int) -> memoryview:
        """Return the buffer for the sealed bytes of the next window."""
        ...

    def open(self, size_bytes: int, start: int, blobs: Sequence[Sealed]) -> Opened:
        """Open blobs, of which so many bytes are in `room`; those begin at `start` of the pack."""
        ...


def blob_opener(key: SealingKey) -> BlobOpener:
    """Return the fastest opener that there is here."""
    native = native_code()
    return PythonOpener(key) if native is None else CompiledOpener(native, key)


def windows(blobs: Sequence[Sealed]) -> Iterator[Sequence[Sealed]]:
    """Yield ascending blobs of one pack in groups that are fetched and opened at once."""
    first = plain_bytes = 0
    for number, blob in enumerate(blobs):
        plain_bytes += blob.plain_bytes
        too_large = max(plain_bytes, blob.end - blobs[first].offset) > WINDOW_BYTES
        if number > first and too_large:
            yield blobs[first:number]
            first, plain_bytes = number, blob.plain_bytes
    yield blobs[first:]


class _Buffers:
    """The two buffers of an opener, as large as they were ever needed."""

    def __init__(self) -> None:
        self.sealed = bytearray()
        self.plain = bytearray()

    def room(self, size_bytes: int) -> memoryview:
        """See BlobOpener."""
        if size_bytes > len(self.sealed) or not self.sealed:
            self.sealed = bytearray(max(size_bytes, WINDOW_BYTES))
        return memoryview(self.sealed)[:size_bytes]

    def place(self, blobs: Sequence[Sealed]) -> list[int]:
        """Return where each blob goes in `plain`, which then has room, 16 bytes behind them too."""
        starts: list[int] = []
        end = 0
        for _, sealed_bytes, compressed_from, _ in blobs:
            starts.append(end)
            end += compressed_from or max(0, sealed_bytes - SEAL_BYTES)
        if end + MAC_BYTES > len(self.plain):
            self.plain = bytearray(end + MAC_BYTES)
        return starts


class CompiledOpener(_Buffers):
    """A BlobOpener in C."""

    def __init__(self, native: NativeCode, key: SealingKey) -> None:
        super().__init__()
        self._native = native.opener(key.encrypt, key.mac_k, key.mac_r)

    def open(self, size_bytes: int, start: int, blobs: Sequence[Sealed]) -> Opened:
        """See BlobOpener."""
        return self.open_in(memoryview(self.sealed), size_bytes, start, blobs)

    def open_in(
        self, sealed: memoryview, size_bytes: int, start: int, blobs: Sequence[Sealed]
    ) -> Opened:
        """Open blobs from so many bytes of another writable buffer; see `open`."""
        starts = self.place(blobs)
        table = bytearray().join(
            [
                BLOB.pack(offset - start, sealed_bytes, compressed_from, 0, blob_id)
                for offset, sealed_bytes, compressed_from, blob_id in blobs
            ]
        )
        self._native.open(sealed, size_bytes, table, len(blobs), self.plain)
        for number, (_, _, _, found, _) in enumerate(BLOB.iter_unpack(table)):
            if not found:
                starts[number] = -1
        return Opened(memoryview(self.plain), starts)


class PythonOpener(_Buffers):
    """A BlobOpener in Python."""

    def __init__(self, key: SealingKey) -> None:
        super().__init__()
        self._mac_r = key.mac_r
        self._ctr = Cipher(algorithms.AES(key.encrypt), modes.CTR(NO_IV)).encryptor()
        self._block = Cipher(
            algorithms.AES(key.mac_k),
            modes.ECB(),  # noqa: S305 - as in `crypto`
        ).encryptor()
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._scratch = memoryview(bytearray(WINDOW_BYTES))

    def open(self, size_bytes: int, start: int, blobs: Sequence[Sealed]) -> Opened:
        """See BlobOpener."""
        starts = self.place(blobs)
        sealed, plain = memoryview(self.sealed)[:size_bytes], memoryview(self.plain)
        for number, blob in enumerate(blobs):
            begin = blob.offset - start
            room = plain[starts[number] :][: blob.plain_bytes + MAC_BYTES]
            if not self._open(sealed[begin : begin + blob.sealed_bytes], room, blob):
                starts[number] = -1
        return Opened(plain, starts)

    def _open(self, sealed: memoryview, plain: memoryview, blob: Sealed) -> bool:
        """Open a blob into a buffer that has 16 bytes more than its content; False if it is bad."""
        iv, body, mac = bytes(sealed[:IV_BYTES]), sealed[IV_BYTES:-MAC_BYTES], sealed[-MAC_BYTES:]
        if len(sealed) != blob.sealed_bytes or len(sealed) < SEAL_BYTES or iv == NO_IV:
            return False
        size_bytes = blob.plain_bytes
        try:
            Poly1305.verify_tag(self._mac_r + self._block.update(iv), body, bytes(mac))
            self._ctr.reset_nonce(iv)
            if blob.compressed_from:
                packed = self._decrypted(body)
                content = self._decompress(packed, max_output_size=size_bytes)
                if len(content) != size_bytes:
                    return False
                plain[:size_bytes] = content
            else:
                self._ctr.update_into(body, plain)
        except (InvalidSignature, zstandard.ZstdError):
            return False
        return hashlib.sha256(plain[:size_bytes]).digest() == blob.blob_id

    def _decrypted(self, body: memoryview) -> memoryview:
        if len(body) + MAC_BYTES > len(self._scratch):
            self._scratch = memoryview(bytearray(len(body) + MAC_BYTES))
        self._ctr.update_into(body, self._scratch)
        return self._scratch[: len(body)]
