"""Messages as they come off the wire, and the places where they wait to be taken."""

from collections.abc import Mapping
from typing import Any

import msgspec
import nats.errors
from nats.aio.msg import Msg

from appshield.errors import UnavailableError

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

    def __init__(self, place: str, subscription: Any) -> None:  # noqa: ANN401 - nats-py's own
        self._place = place
        self._subscription = subscription
        self._requests = 0

    def reply(self) -> str:
        """Return a new subject of this inbox, so that a late answer is known as such."""
        self._requests += 1
        return f"{self._place}.{self._requests}"

    async def next(self, timeout_s: float) -> Incoming | None:
        """Take the next message; None when none came in time."""
        try:
            return incoming(await self._subscription.next_msg(timeout=max(timeout_s, 0.001)))
        except TimeoutError:  # nats-py raises its own or the built-in one
            return None
        except nats.errors.Error as error:
            raise UnavailableError("the connection to the bus is closed", why=str(error)) from error


def incoming(message: Msg) -> Incoming:
    """Translate a message of nats-py."""
    # nats-py uses members of an enumeration as keys that are not found by their text
    headers = {str(getattr(k, "value", k)): str(v) for k, v in (message.headers or {}).items()}
    return Incoming(
        subject=message.subject,
        reply=message.reply,
        body=message.data or b"",
        headers=headers,
        status=headers.pop(_STATUS, ""),
        description=headers.pop(_DESCRIPTION, "").strip(),
    )
