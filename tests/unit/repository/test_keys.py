"""Key files give the repository's key to who knows a password, and to nobody else."""

import msgspec
import pytest

from appshield.errors import DamagedError
from appshield.repository.crypto import SealingKey
from appshield.repository.keys import (
    KeyFile,
    WrongPasswordError,
    derive_bytes,
    make_key_file,
    open_key_file,
)

KEY = SealingKey.random()
STORED = make_key_file(KEY, "pass wörd")


def changed(**fields: object) -> bytes:
    file = msgspec.json.decode(STORED, type=KeyFile)
    return msgspec.json.encode(msgspec.structs.replace(file, **fields))


def test_the_vector_of_scrypt_comes_out() -> None:
    """A known password and salt give known bytes."""
    derived = derive_bytes("pw", b"\5" * 64, cost=32768, block=8, parallel=1)
    assert (derived.hex()[:16], derived.hex()[-10:]) == ("47e0197de955c7ca", "bc85066d44")


def test_the_password_opens_its_key_file() -> None:
    """The key that comes out opens what the key that went in has sealed."""
    opened = open_key_file(STORED, "pass wörd")
    assert bytes(opened.open(KEY.seal(b"text"))) == b"text"


def test_another_password_does_not() -> None:
    """A wrong password is told apart from a damaged file."""
    with pytest.raises(WrongPasswordError):
        open_key_file(STORED, "pass word")


def test_a_key_file_cannot_exhaust_our_memory() -> None:
    """Costs far above restic's are refused before they are paid."""
    with pytest.raises(DamagedError, match="memory"):
        open_key_file(changed(N=1 << 30), "pass wörd")


@pytest.mark.parametrize(
    "stored",
    [b"", b"{}", STORED[:-5], changed(kdf="md5"), changed(N=0), changed(N=3), changed(p=0)],
)
def test_a_damaged_key_file_is_named_so(stored: bytes) -> None:
    """What is no key file is damage, never a wrong password."""
    with pytest.raises(DamagedError):
        open_key_file(stored, "pass wörd")


def test_the_salt_has_the_length_that_restic_demands() -> None:
    """Restic enforces 64 bytes."""
    assert len(msgspec.json.decode(STORED, type=KeyFile).salt) == 64
