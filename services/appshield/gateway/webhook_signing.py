"""How what is sent to a webhook is signed: as Standard Webhooks describe it. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from appshield.errors import InvalidInputError

PREFIX = b"whsec_"
KEY_BYTES_MIN = 16


def signing_key(secret: bytes) -> bytes:
    """Return the key that a secret stands for: itself, or what follows `whsec_` in base64.

    Raises:
        InvalidInputError: it is no key.
    """
    key = secret.strip()
    if key.startswith(PREFIX):
        try:
            key = base64.b64decode(key.removeprefix(PREFIX), validate=True)
        except binascii.Error as error:
            raise InvalidInputError(
                "the secret of a webhook is no key",
                why="what follows whsec_ is not base64",
                next_step="Copy it again from the receiver.",
            ) from error
    if len(key) < KEY_BYTES_MIN:
        raise InvalidInputError(
            "the secret of a webhook is no key",
            why=f"it has fewer than {KEY_BYTES_MIN} bytes",
            next_step="Use a longer one, such as `openssl rand -base64 32` makes.",
        )
    return key


def headers_of(notice: str, body: bytes, key: bytes | None, now: datetime) -> dict[str, str]:
    """Return the headers that say which notice it is, when it was sent, and that it is ours."""
    sent = str(int(now.timestamp()))
    headers = {"webhook-id": notice, "webhook-timestamp": sent}
    if key is not None:
        signed = b".".join((notice.encode(), sent.encode(), body))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
