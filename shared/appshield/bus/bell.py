"""A subscription that takes one message, until it is armed again.

Whoever follows a stream wants to know that there is something new and then looks for itself: of
thousands of messages that tell the same it would take each one off the wire for nothing.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from appshield.bus.inbox import Inbox, Incoming

_ONE: Final = 1
Translated: TypeAlias = Callable[[str, int, BaseException], Exception]
"""Gives the error of ours for one of nats-py, about a subject and a size in bytes."""


class Bell:
    """Rings when a message comes on a subject, for the first one after it was armed.

    Armed before a look at the stream it rings for whatever that look does not find: the server
    takes both in order. It may ring for what was found, too.
    """

    def __init__(self, client: Client, subject: str, translated: Translated) -> None:
        self.inbox = Inbox(subject)
        self._client = client
        self._subject = subject
        self._translated = translated
        self._is_armed = False
        self._subscription: Subscription | None = None

    async def arm(self) -> None:
        """Let it ring again; raises UnavailableError when not connected."""
        if self._is_armed:
            return
        self._is_armed = True  # before the server knows: it may ring before that has returned
        try:
            self._subscription = await self._client.subscribe(self._subject, cb=self._receive)
            await self._subscription.unsubscribe(limit=_ONE)
        except (nats.errors.Error, OSError) as error:
            self._is_armed = False
            raise self._translated(self._subject, 0, error) from error

    async def rung(self, timeout_s: float) -> Incoming | None:
        """Wait for a message; see `Inbox.next`."""
        return await self.inbox.next(timeout_s)

    async def disarm(self) -> None:
        """Let nothing come any more; raises the errors of nats-py."""
        if self._is_armed and self._subscription is not None:
            await self._subscription.unsubscribe()

    async def _receive(self, message: Msg) -> None:
        self._is_armed = False
        await self.inbox.receive(message)
