"""How to reach the bus and as whom."""

import msgspec


class BusAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Where the message bus is and which user asks.

    `seed_file` holds the user's nkey seed (empty: a server without users), `ca_file` the
    certificates to trust (empty: no TLS unless the URL begins with `tls://`).
    """

    url: str
    user: str
    seed_file: str = ""
    ca_file: str = ""

    @property
    def inbox_prefix(self) -> str:
        """Where answers for this user arrive; nobody else may listen there."""
        return f"_INBOX_{self.user}"
