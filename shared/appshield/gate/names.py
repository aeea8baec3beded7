"""The names by which people and the API server know the gate, and where it is reached."""

import re

import msgspec

from appshield.errors import InvalidInputError

MODE_LABEL = "appshield.io/gate"
"""Label of a namespace; with the value `fail` nothing gated passes while AppShield is dead."""
FAIL = "fail"
BREAK_GLASS = "appshield.io/break-glass"
"""Annotation of an object: it passes the gate, for the reason that is the value."""
AUTHORITY_SECRET = "appshield-gate"  # noqa: S105 - the name of an object, not a secret
PATH = "/admission"
REQUESTER_PATH = "/requester"
"""Where the API server has it written on an object who wrote it."""
DELETION_PATH = "/deletion"
"""Where the API server says who deletes a document."""
_URL = re.compile(r"https://(?P<host>[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})/?")
_SERVICE = re.compile(
    r"(?P<namespace>[a-z0-9-]+)/(?P<host>[a-z0-9]([a-z0-9-]*[a-z0-9])?):(?P<port>[0-9]{1,5})"
)


class GateAddress(msgspec.Struct, frozen=True):
    """Where the API server reaches the gateway: `https://HOST:PORT`, or `NAMESPACE/SERVICE:PORT`.

    The latter is a Service of the cluster; its namespace is empty in the former.
    """

    namespace: str
    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> "GateAddress":
        """Read it from a setting.

        Raises:
            InvalidInputError: the text is neither form.
        """
        found = _URL.fullmatch(text) or _SERVICE.fullmatch(text)
        if found is None:
            raise InvalidInputError(
                f"{text!r} is no address of the gate",
                why="the API server has to find the gateway",
                next_step="Write https://HOST:PORT, or NAMESPACE/SERVICE:PORT for a Service.",
            )
        parts = found.groupdict()
        host = parts["host"].removeprefix("[").removesuffix("]")
        return cls(namespace=parts.get("namespace", ""), host=host, port=int(parts["port"]))

    @property
    def server_name(self) -> str:
        """Return the name or IP address that the gateway's certificate must bear."""
        return f"{self.host}.{self.namespace}.svc" if self.namespace else self.host
