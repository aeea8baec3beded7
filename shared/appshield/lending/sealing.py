"""What is lent, sealed to the key pair of one request (libsodium's sealed box: X25519, XSalsa20).

The request is named inside, so that a loan counts for what was asked and for nothing else.
"""

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from appshield.errors import DamagedError, InvalidInputError
from appshield.vault import RepositoryAccess


class _Loan(msgspec.Struct, frozen=True):
    request_id: str
    access: RepositoryAccess


def sealed_loan(access: RepositoryAccess, *, request_id: str, public_key: bytes) -> bytes:
    """Seal what opens a repository to who asked for it.

    Raises:
        InvalidInputError: that is no public key.
    """
    try:
        box = SealedBox(PublicKey(public_key))
    except (CryptoError, TypeError, ValueError) as error:
        raise InvalidInputError("the key to which a loan is to be sealed is none") from error
    return bytes(box.encrypt(msgspec.msgpack.encode(_Loan(request_id, access))))


def opened_loan(sealed: bytes, *, request_id: str, private_key: PrivateKey) -> RepositoryAccess:
    """Open what was lent.

    Raises:
        DamagedError: it was altered, or is not what was asked for.
    """
    try:
        loan = msgspec.msgpack.decode(SealedBox(private_key).decrypt(sealed), type=_Loan)
    except (CryptoError, ValueError, msgspec.MsgspecError) as error:
        raise DamagedError("the key that was lent does not open") from error
    if loan.request_id != request_id:
        raise DamagedError("the key that was lent is not the one that was asked for")
    return loan.access
