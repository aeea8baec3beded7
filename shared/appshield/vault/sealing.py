"""Seals: how small objects around a repository are encrypted and bound to their names.

    sealed = 0x01 ‖ nonce (12 random bytes) ‖ AES-256-GCM(key of the purpose, nonce, plain, name)

The key of a purpose is HKDF-SHA256 of the root key. The name of the object is authenticated with
its content, so an object that was moved, swapped or altered does not open.
"""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from appshield.errors import DamagedError
from appshield.vault.root_key import KEY_BYTES, check_root_key

_VERSION = b"\x01"
_NONCE_BYTES = 12


class Seal:
    """Closes and opens what belongs to one root key. Its representation shows no key."""

    def __init__(self, root_key: bytes) -> None:
        check_root_key(root_key)
        self._root_key = root_key

    def close(self, plain: bytes, *, purpose: str, name: str) -> bytes:
        """Return `plain` sealed for the object `name`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._key(purpose)).encrypt(nonce, plain, name.encode())
        return _VERSION + nonce + sealed

    def open(self, sealed: bytes, *, purpose: str, name: str) -> bytes:
        """Return what was sealed.

        Raises:
            DamagedError: altered, moved from another name, or sealed by another key.
        """
        body = 1 + _NONCE_BYTES
        if sealed[:1] != _VERSION:
            raise DamagedError(f"object {name} has no seal that this version knows")
        try:
            return AESGCM(self._key(purpose)).decrypt(sealed[1:body], sealed[body:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise DamagedError(
                f"the seal of object {name} is broken",
                why="it was altered, moved here from another name, or sealed by another key",
            ) from error

    def fingerprint(self) -> str:
        """Return 16 letters that tell root keys apart and say nothing about them."""
        return self._key("fingerprint")[:8].hex()

    def alias(self, text: str, *, purpose: str) -> str:
        """Return a stable name for `text` that tells nothing to whoever lacks the root key."""
        return hmac.digest(self._key(purpose), text.encode(), "sha256").hex()[:32]

    def _key(self, purpose: str) -> bytes:
        info = f"appshield vault {purpose}".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(
            self._root_key
        )
