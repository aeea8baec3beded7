"""Key files: the repository's key, sealed by a key that is derived from a password.

There may be several, one for each password; all hold the same repository key. They are plain JSON
(restic's design document, "Keys, encryption and MAC").
"""

import datetime as dt
import hashlib
import secrets
from typing import Final

import msgspec

from appshield.errors import DamagedError, DeniedError
from appshield.objectstore import ObjectStore
from appshield.repository.crypto import BrokenSealError, SealingKey
from appshield.repository.layout import file_id, file_name

SCRYPT_N: Final = 1 << 15
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
SALT_BYTES: Final = 64
LARGEST_SCRYPT_MEMORY_BYTES: Final = 1 << 30
"""A key file that asks for more is not read: whoever can write the bucket could exhaust us."""


class WrongPasswordError(DeniedError):
    """The password is not the one of this key file; it may be that of another."""


class KeyParts(msgspec.Struct, frozen=True):
    """The parts of a sealing key."""

    encrypt: bytes
    mac_k: bytes
    mac_r: bytes

    def __repr__(self) -> str:
        return "<parts of a sealing key>"

    @classmethod
    def of(cls, key: SealingKey) -> "KeyParts":
        """Take a key apart."""
        return cls(key.encrypt, key.mac_k, key.mac_r)

    def key(self) -> SealingKey:
        """Put the key together."""
        return SealingKey(encrypt=self.encrypt, mac_k=self.mac_k, mac_r=self.mac_r)


class _MacPart(msgspec.Struct):
    k: bytes
    r: bytes


class _RepositoryKey(msgspec.Struct):
    mac: _MacPart
    encrypt: bytes


class KeyFile(msgspec.Struct, kw_only=True):
    """A key file as it is stored; the field names are restic's."""

    created: str
    username: str
    hostname: str
    kdf: str
    N: int
    r: int
    p: int
    salt: bytes
    data: bytes


def make_key_file(key: SealingKey, password: str) -> bytes:
    """Return the bytes of a key file that gives `key` to whoever knows `password`."""
    salt = secrets.token_bytes(SALT_BYTES)
    content = _RepositoryKey(mac=_MacPart(k=key.mac_k, r=key.mac_r), encrypt=key.encrypt)
    outer = _derive(password, salt, cost=SCRYPT_N, block=SCRYPT_R, parallel=SCRYPT_P)
    file = KeyFile(
        created=dt.datetime.now(dt.UTC).isoformat(),
        username="appshield",
        hostname="appshield",
        kdf="scrypt",
        N=SCRYPT_N,
        r=SCRYPT_R,
        p=SCRYPT_P,
        salt=salt,
        data=bytes(outer.seal(msgspec.json.encode(content))),
    )
    return msgspec.json.encode(file)


def open_key_file(stored: bytes, password: str) -> SealingKey:
    """Return the repository's key.

    Raises:
        WrongPasswordError: the password is not the one of this key file.
        DamagedError: this is not a key file.
    """
    try:
        file = msgspec.json.decode(stored, type=KeyFile)
    except msgspec.DecodeError as error:
        raise DamagedError("a key file cannot be read", why=str(error)) from error
    memory_bytes = 128 * file.N * file.r
    if file.kdf != "scrypt" or not 0 < memory_bytes <= LARGEST_SCRYPT_MEMORY_BYTES:
        raise DamagedError(f"a key file asks for {file.kdf} with {memory_bytes} bytes of memory")
    try:
        outer = _derive(password, file.salt, cost=file.N, block=file.r, parallel=file.p)
        content = msgspec.json.decode(outer.open(file.data), type=_RepositoryKey)
    except BrokenSealError as error:
        raise WrongPasswordError("the password does not open this key file") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise DamagedError("a key file cannot be read", why=str(error)) from error
    return SealingKey(encrypt=content.encrypt, mac_k=content.mac.k, mac_r=content.mac.r)


def read_key_file(store: ObjectStore, identity: str) -> bytes:
    """Return the bytes of a key file.

    Raises:
        ObjectMissingError: there is none of that name.
        DamagedError: its bytes are not those that its name says.
    """
    stored = store.get(file_name("keys", identity))
    if file_id(stored) != identity:
        raise DamagedError("the key file is damaged", why="its bytes do not match its name")
    return stored


def _derive(password: str, salt: bytes, *, cost: int, block: int, parallel: int) -> SealingKey:
    derived = derive_bytes(password, salt, cost=cost, block=block, parallel=parallel)
    return SealingKey(encrypt=derived[:32], mac_k=derived[32:48], mac_r=derived[48:])


def derive_bytes(password: str, salt: bytes, *, cost: int, block: int, parallel: int) -> bytes:
    """Return the 64 bytes that scrypt makes of a password."""
    return hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=cost,
        r=block,
        p=parallel,
        dklen=64,
        # the block itself and OpenSSL's working space for it
        maxmem=128 * cost * block + 128 * block * parallel + (1 << 20),
    )
