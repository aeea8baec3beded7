"""Keys of bus users: nkeys, random, one per user."""

import binascii
import secrets

import nkeys

_SEED_BYTES = 32


def new_seed() -> str:
    """Make the secret seed of a new user."""
    seed = nkeys.encode_seed(secrets.token_bytes(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)
    return str(seed.decode())


def public_key(seed: str) -> str:
    """Return the public key under which the server knows the holder of `seed`.

    Raises:
        ValueError: this is no seed.
    """
    try:
        written = bytearray(seed.strip().encode())
        pair = nkeys.from_seed(written)
        return str(pair.public_key.decode())
    except (nkeys.NkeysError, binascii.Error) as error:
        raise ValueError("not an nkey seed") from error
