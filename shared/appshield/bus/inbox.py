"""Messages as they come off the wire, and the places where they wait to be taken."""

import asyncio
from collections.abc import Mapping

import msgspec
from nats.aio.msg import Msg

from appshield.errors import UnavailableError

WAITING_MAX = 65_536
"""How many messages wait in one place; more are dropped, as the server would do."""

_STATUS = "Status"
_DESCRIPTION = "Description"


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came off the wire; `status` is set on messages of the server itself."""

    subject: str
    reply: str
    body: bytes
    headers: Mapping[str, str]
    status: str = ""
    description: str = ""


class Inbox:
    """A subscription whose messages wait to be taken."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._waiting: asyncio.Queue[Incoming | None] = asyncio.Queue(WAITING_MAX)
        self._requests = 0

    def reply(self) -> str:
        """Return a new subject of this inbox, so that a late answer is known as such."""
        self._requests += 1
        return f"{self._place}.{self._requests}"

    async def next(self, timeout_s: float) -> Incoming | None:
        """Take the next message; None when none came in time.

        Raises:
            UnavailableError: the connection was lost since; what was asked for will not come.
        """
        try:
            if self._waiting.empty():
                async with asyncio.timeout(timeout_s):
                    found = await self._waiting.get()
            else:  # of many that have come each would cost a timer
                found = self._waiting.get_nowait()
        except TimeoutError:
            return None
        if found is None:
            raise UnavailableError("the connection to the message bus was lost")
        return found

    def receive(self, message: Msg) -> None:
        """Keep a message of nats-py until it is taken."""
        self._keep(incoming(message))

    def interrupt(self) -> None:
        """Tell whoever waits that the connection is lost."""
        self._keep(None)

    def _keep(self, found: Incoming | None) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(found)


def incoming(message: Msg) -> Incoming:
    """Translate a message of nats-py."""
    # it uses members of an enumeration as keys, which are not found by their text
    headers = {str(getattr(k, "value", k)): str(v) for k, v in (message.headers or {}).items()}
    return Incoming(
        subject=message.subject,
        reply=message.reply,
        body=message.data or b"",
        headers=headers,
        status=headers.pop(_STATUS, ""),
        description=headers.pop(_DESCRIPTION, "").strip(),
    )
