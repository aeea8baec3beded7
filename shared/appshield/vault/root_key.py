"""The root key of a Vault: 32 random bytes, and the form in which a person keeps them.

    ASK1-7K2M-Q0ZD-…  14 groups of 4 letters: 32 bytes of key, 3 bytes of checksum, in Crockford's
                      base 32, which has no I, L, O or U

Reading forgives case, spaces and dashes, O for 0, I and L for 1, and finds any other typing error
by the checksum. No error repeats any of the text.
"""

import hashlib
import secrets

from appshield.errors import InvalidInputError

KEY_BYTES = 32

_CHECKSUM_BYTES = 3
_PREFIX = "ASK1"
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS_TOTAL = (KEY_BYTES + _CHECKSUM_BYTES) * 8 // 5
_MISREAD = str.maketrans("OIL", "011", " -\t\r\n")


class RootKeyError(InvalidInputError):
    """The text is not an exported root key, or was not copied whole and right."""


def new_root_key() -> bytes:
    """Make a root key."""
    return secrets.token_bytes(KEY_BYTES)


def check_root_key(root_key: bytes) -> None:
    """Raise RootKeyError unless these bytes can be a root key."""
    if len(root_key) != KEY_BYTES:
        raise RootKeyError(f"a root key has {KEY_BYTES} bytes, not {len(root_key)}")


def export_root_key(root_key: bytes) -> str:
    """Return the printable form."""
    check_root_key(root_key)
    number = int.from_bytes(root_key + _checksum(root_key))
    letters = "".join(
        _LETTERS[number >> 5 * place & 31] for place in reversed(range(_LETTERS_TOTAL))
    )
    groups = [letters[at : at + 4] for at in range(0, _LETTERS_TOTAL, 4)]
    return "-".join([_PREFIX, *groups])


def import_root_key(text: str) -> bytes:
    """Return the key of the printable form.

    Raises:
        RootKeyError: says how the text differs from an exported key.
    """
    packed = text.upper().translate(_MISREAD)
    if not packed.startswith(_PREFIX):
        raise RootKeyError(f"this is no exported root key: it does not begin with {_PREFIX}")
    letters = packed.removeprefix(_PREFIX)
    if len(letters) != _LETTERS_TOTAL:
        raise RootKeyError(
            f"the root key is not whole: {len(letters)} of {_LETTERS_TOTAL} letters after {_PREFIX}"
        )
    number = 0
    for place, letter in enumerate(letters, start=1):
        if letter not in _LETTERS:
            raise RootKeyError(f"letter {place} after {_PREFIX} cannot be in a root key")
        number = number << 5 | _LETTERS.index(letter)
    whole = number.to_bytes(KEY_BYTES + _CHECKSUM_BYTES)
    root_key, checksum = whole[:KEY_BYTES], whole[KEY_BYTES:]
    if checksum != _checksum(root_key):
        raise RootKeyError(
            "the root key has a typing error: its checksum does not match",
            next_step="Compare it letter by letter with the exported one",
        )
    return root_key


def _checksum(root_key: bytes) -> bytes:
    return hashlib.sha256(b"appshield root key" + root_key).digest()[:_CHECKSUM_BYTES]
