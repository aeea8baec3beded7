"""A subscription that takes one message, until it is armed again.

Whoever follows a stream wants to know that there is something new and then looks for itself: of
thousands of messages that tell the same it would take each one off the wire for nothing.
"""

from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from appshield.bus.inbox import Inbox, Incoming

_ONE: Final = 1


class Bell:
    """Rings when a message comes on a subject, for the first one after it was armed.

    Armed before a look at the stream it rings for whatever that look does not find: the server
    takes both in order. It may ring for what was found, too.
    """

    def __init__(self, client: Client, subject: str) -> None:
        self.inbox = Inbox(subject)
        self._client = client
        self.subject = subject
        self._armed: Subscription | None = None

    async def arm(self) -> None:
        """Let it ring again; raises the errors of nats-py."""
        if self._armed is None:
            self._armed = await self._client.subscribe(self.subject, cb=self._receive)
            await self._armed.unsubscribe(limit=_ONE)

    async def rung(self, timeout_s: float) -> Incoming | None:
        """Wait for a message; see `Inbox.next`."""
        return await self.inbox.next(timeout_s)

    async def disarm(self) -> None:
        """Let nothing come any more; raises the errors of nats-py."""
        armed, self._armed = self._armed, None
        if armed is not None:
            await armed.unsubscribe()

    async def _receive(self, message: Msg) -> None:
        self._armed = None
        await self.inbox.receive(message)
