"""Sessions of browsers, as a gateway keeps them for itself and for the one after it."""

from datetime import datetime

import msgspec


class KeptSession(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody logged in with, sealed by the session's own name, which is kept nowhere.

    Its key in the bucket is the SHA-256 of that name, in hex. `used_at` is noted now and then.
    """

    sealed: bytes
    began_at: datetime
    used_at: datetime
