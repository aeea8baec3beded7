"""Sealing: how every byte of a repository is encrypted and proved to be unchanged.

    body = AES-256-CTR(encrypt, iv, plain)
    seal(plain) = iv(16) ‖ body ‖ Poly1305(r ‖ AES-128(k, iv), body)(16)

This is restic's construction (its design document, "Keys, encryption and MAC"). A key is safe to
use from several threads: each thread has its own cipher contexts, since making one costs more than
sealing a small blob.
"""

import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from appshield.errors import DamagedError

IV_BYTES: Final = 16
MAC_BYTES: Final = 16
SEAL_BYTES: Final = IV_BYTES + MAC_BYTES
"""What sealing adds to the plain bytes."""

PIECE_BYTES: Final = 1 << 20
"""How much is opened at once where a whole copy would cost too much memory."""

NO_IV: Final = bytes(IV_BYTES)


class BrokenSealError(DamagedError):
    """The bytes were not sealed by this key, or were changed since."""


class SealingKey:
    """One key for encryption (32 bytes) with its two halves for authentication (16 bytes each)."""

    def __init__(self, *, encrypt: bytes, mac_k: bytes, mac_r: bytes) -> None:
        for part, size in ((encrypt, 32), (mac_k, 16), (mac_r, 16)):
            if len(part) != size or not any(part):
                raise DamagedError("a key of the repository has an impossible value")
        self.encrypt = encrypt
        self.mac_k = mac_k
        self.mac_r = mac_r
        self._of_thread = threading.local()

    def __repr__(self) -> str:
        return "<sealing key>"

    @classmethod
    def random(cls) -> "SealingKey":
        """Return a new key."""
        return cls(
            encrypt=secrets.token_bytes(32),
            mac_k=secrets.token_bytes(16),
            mac_r=secrets.token_bytes(16),
        )

    def seal(self, plain: bytes | bytearray | memoryview, *, iv: bytes | None = None) -> bytearray:
        """Return `plain` sealed; `iv` is given by tests alone, it must never repeat."""
        sealed = bytearray(SEAL_BYTES + len(plain))
        self.seal_into((plain,), memoryview(sealed), 0, iv=iv)
        return sealed

    def seal_into(
        self,
        pieces: Iterable[bytes | bytearray | memoryview],
        buffer: memoryview,
        offset: int,
        *,
        iv: bytes | None = None,
    ) -> int:
        """Seal the pieces as one into a buffer that has room; return how many bytes it takes."""
        iv = iv or os.urandom(IV_BYTES)
        contexts = self._contexts
        start = position = offset + IV_BYTES
        buffer[offset:start] = iv
        contexts.reset_nonce(iv)
        for piece in pieces:
            # the cipher demands 15 bytes of room behind its output: the place of the MAC has 16
            end = position + len(piece)
            contexts.apply_ctr(piece, buffer[position : end + MAC_BYTES])
            position = end
        mac_key = self.mac_r + contexts.encrypt_block(iv)
        end = position + MAC_BYTES
        buffer[position:end] = Poly1305.generate_tag(mac_key, buffer[start:position])
        return end - offset

    def seal_each_into(self, pieces: Sequence[bytes], buffer: memoryview, offset: int) -> None:
        """Seal many small pieces, one after the other, into a buffer that has room for all."""
        contexts = self._contexts
        reset_nonce, apply_ctr = contexts.reset_nonce, contexts.apply_ctr
        generate_tag, mac_r = Poly1305.generate_tag, self.mac_r
        ivs = os.urandom(IV_BYTES * len(pieces))
        blocks = contexts.encrypt_block(ivs)
        place = 0
        for piece in pieces:
            iv = ivs[place : place + IV_BYTES]
            start = offset + IV_BYTES
            end = start + len(piece)
            buffer[offset:start] = iv
            reset_nonce(iv)
            apply_ctr(piece, buffer[start : end + MAC_BYTES])
            offset = end + MAC_BYTES
            mac_key = mac_r + blocks[place : place + IV_BYTES]
            buffer[end:offset] = generate_tag(mac_key, buffer[start:end])
            place += IV_BYTES

    def open_each(self, sealed: memoryview, sizes: Iterable[int]) -> Iterator[memoryview]:
        """Yield the plain bytes of sealed pieces of these sizes that follow each other.

        Each is valid until the next one is asked for. Raises as `open`.
        """
        contexts = self._contexts
        reset_nonce, apply_ctr = contexts.reset_nonce, contexts.apply_ctr
        encrypt_block, verify_tag, mac_r = contexts.encrypt_block, Poly1305.verify_tag, self.mac_r
        offset = 0
        for size in sizes:
            piece = contexts.piece(size)
            start = offset + IV_BYTES
            iv = bytes(sealed[offset:start])
            offset += size
            end = offset - MAC_BYTES
            body = sealed[start:end]
            try:
                verify_tag(mac_r + encrypt_block(iv), body, bytes(sealed[end:offset]))
            except InvalidSignature as error:
                raise BrokenSealError("the seal does not verify") from error
            reset_nonce(iv)
            apply_ctr(body, piece)
            yield piece[: end - start]

    def open(self, sealed: bytes | bytearray | memoryview) -> memoryview:
        """Return the plain bytes.

        Raises:
            BrokenSealError: another key sealed it, or it was changed or cut off.
        """
        iv, body = self._verified(sealed)
        plain = memoryview(bytearray(len(body) + MAC_BYTES))
        contexts = self._contexts
        contexts.reset_nonce(iv)
        contexts.apply_ctr(body, plain)
        return plain[: len(body)]

    def open_in_pieces(self, sealed: bytes | bytearray | memoryview) -> Iterator[memoryview]:
        """Yield the plain bytes piece by piece, each valid until the next one is asked for.

        The seal of all of it is verified before the first. Nothing else may be sealed or opened by
        this thread meanwhile.

        Raises:
            BrokenSealError: see `open`.
        """
        iv, body = self._verified(sealed)
        contexts = self._contexts
        contexts.reset_nonce(iv)
        piece = contexts.piece(PIECE_BYTES)
        for start in range(0, len(body), PIECE_BYTES):
            part = body[start : start + PIECE_BYTES]
            contexts.apply_ctr(part, piece)
            yield piece[: len(part)]

    def _verified(self, sealed: bytes | bytearray | memoryview) -> tuple[bytes, memoryview]:
        """Return the initialization vector and the encrypted bytes; the seal has been verified."""
        view = memoryview(sealed)
        if len(view) < SEAL_BYTES:
            raise BrokenSealError("sealed bytes are too short", why=f"{len(view)} bytes")
        iv, body, mac = bytes(view[:IV_BYTES]), view[IV_BYTES:-MAC_BYTES], bytes(view[-MAC_BYTES:])
        if iv == NO_IV:
            raise BrokenSealError("sealed bytes have an empty initialization vector")
        try:
            Poly1305.verify_tag(self.mac_r + self._contexts.encrypt_block(iv), body, mac)
        except InvalidSignature as error:
            raise BrokenSealError("the seal does not verify") from error
        return iv, body

    @property
    def _contexts(self) -> "_Contexts":
        """The contexts of this thread; made when it first comes here."""
        try:
            contexts: _Contexts = self._of_thread.contexts
        except AttributeError:
            contexts = self._of_thread.contexts = _Contexts(self.encrypt, self.mac_k)
        return contexts


class _Contexts:
    """The cipher contexts of one thread."""

    def __init__(self, encrypt: bytes, mac_k: bytes) -> None:
        ctr: CipherContext = Cipher(algorithms.AES(encrypt), modes.CTR(NO_IV)).encryptor()
        block: CipherContext = Cipher(
            algorithms.AES(mac_k),
            modes.ECB(),  # noqa: S305 - one block at a time, each a fresh nonce, as Poly1305-AES asks
        ).encryptor()
        self.reset_nonce = ctr.reset_nonce
        self.apply_ctr = ctr.update_into
        self.encrypt_block = block.update
        self._piece = memoryview(b"")

    def piece(self, size: int) -> memoryview:
        """Return a buffer for a piece of this size; it is kept for the next time."""
        if len(self._piece) < size + MAC_BYTES:
            self._piece = memoryview(bytearray(max(size, PIECE_BYTES) + MAC_BYTES))
        return self._piece
