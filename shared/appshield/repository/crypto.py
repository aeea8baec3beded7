"""Sealing: how every byte of a repository is encrypted and proved to be unchanged.

    body = AES-256-CTR(encrypt, iv, plain)
    seal(plain) = iv(16) ‖ body ‖ Poly1305(r ‖ AES-128(k, iv), body)(16)

This is restic's construction (its design document, "Keys, encryption and MAC"). A key is safe to
use from several threads: each thread has its own cipher contexts, since making one costs more than
sealing a small blob.
"""

import secrets
import threading
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from appshield.errors import DamagedError

IV_BYTES: Final = 16
MAC_BYTES: Final = 16
SEAL_BYTES: Final = IV_BYTES + MAC_BYTES
"""What sealing adds to the plain bytes."""

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
        self._contexts = _Contexts(encrypt, mac_k)

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
        iv = iv or secrets.token_bytes(IV_BYTES)
        sealed = bytearray(SEAL_BYTES + len(plain))
        sealed[:IV_BYTES] = iv
        # the cipher demands 15 bytes of room behind its output: the place of the MAC has 16
        self._contexts.apply_ctr(iv, plain, memoryview(sealed)[IV_BYTES:])
        end = IV_BYTES + len(plain)
        sealed[end:] = Poly1305.generate_tag(self._mac_key(iv), memoryview(sealed)[IV_BYTES:end])
        return sealed

    def open(self, sealed: bytes | bytearray | memoryview) -> memoryview:
        """Return the plain bytes.

        Raises:
            BrokenSealError: another key sealed it, or it was changed or cut off.
        """
        view = memoryview(sealed)
        if len(view) < SEAL_BYTES:
            raise BrokenSealError("sealed bytes are too short", why=f"{len(view)} bytes")
        iv, body, mac = bytes(view[:IV_BYTES]), view[IV_BYTES:-MAC_BYTES], bytes(view[-MAC_BYTES:])
        if iv == NO_IV:
            raise BrokenSealError("sealed bytes have an empty initialization vector")
        try:
            Poly1305.verify_tag(self._mac_key(iv), body, mac)
        except InvalidSignature as error:
            raise BrokenSealError("the seal does not verify") from error
        plain = bytearray(len(body) + MAC_BYTES)
        self._contexts.apply_ctr(iv, body, memoryview(plain))
        return memoryview(plain)[: len(body)]

    def _mac_key(self, iv: bytes) -> bytes:
        return self.mac_r + self._contexts.encrypt_block(iv)


class _Contexts(threading.local):
    """The cipher contexts of one thread; `__init__` runs again in each thread that comes here."""

    def __init__(self, encrypt: bytes, mac_k: bytes) -> None:
        self._ctr: CipherContext = Cipher(algorithms.AES(encrypt), modes.CTR(NO_IV)).encryptor()
        # one block at a time, each a fresh nonce: what the construction asks of AES here
        self._block: CipherContext = Cipher(
            algorithms.AES(mac_k),
            modes.ECB(),  # noqa: S305
        ).encryptor()

    def apply_ctr(
        self, iv: bytes, data: bytes | bytearray | memoryview, output: memoryview
    ) -> None:
        self._ctr.reset_nonce(iv)
        self._ctr.update_into(data, output)

    def encrypt_block(self, block: bytes) -> bytes:
        return self._block.update(block)
