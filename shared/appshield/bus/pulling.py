"""Taking messages from a durable consumer, one request at a time and never more than asked for.

One request is outstanding at most. It ends when everything asked for has come, when the server
says so, or after `WAIT_S`: nothing can hang on a server that has been restarted meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from appshield.bus.api import PREFIX
from appshield.bus.connection import Connection
from appshield.bus.inbox import Inbox, Incoming
from appshield.bus.publishing import message_id_of
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.errors import UnavailableError

WAIT_S = 1.0
"""How long one request waits for messages: a drain may take as long."""

GONE_PAUSE_S = 1.0
"""How long to wait before a consumer that is gone is made again: the server tells so while it is
still removing it, and what is made in that moment may be removed along or be deaf (NATS 2.15)."""

_GRACE_S = 1.0
_SETTLE_BUDGET_S = 10.0
_SETTLE_ATTEMPT_S = 2.0
_ENDINGS = frozenset({"404", "408"})


class ConsumerGoneError(UnavailableError):
    """The consumer, or its stream, is not there (any more)."""


class Taken:
    """One delivery of one message, to be settled exactly once."""

    def __init__(self, connection: Connection, incoming: Incoming) -> None:
        self._connection = connection
        self._reply = incoming.reply
        self.subject = incoming.subject
        self.body = incoming.body
        self.headers = incoming.headers
        # $JS.ACK[.<domain>.<account>].<stream>.<consumer>.<deliveries>.<stream seq>.<consumer
        # seq>.<nanoseconds>.<pending>[.<random>]
        parts = incoming.reply.split(".")
        place = 2 if len(parts) == 9 else 4
        self.stream = parts[place]
        self.deliveries = int(parts[place + 2])
        self.sequence = int(parts[place + 3])
        self.published_at = datetime.fromtimestamp(int(parts[place + 5]) / 1e9, UTC)

    @property
    def message_id(self) -> str:
        """Its identity; a message without one is named by its place."""
        return message_id_of(self.headers, f"{self.stream}.{self.sequence}")

    async def acknowledge(self) -> None:
        """Have the server note that it is done.

        Raises:
            UnavailableError: the server did not confirm it; the message may come again.
        """
        await self._settle(b"+ACK")

    async def end(self, why: str) -> None:
        """Have the server note that it will never be done; raises as `acknowledge`."""
        await self._settle(b"+TERM " + why.encode()[:200])

    async def give_back(self, after_s: float = 0.0) -> None:
        """Let it come again after a while; if this is lost, the server's own deadline does it."""
        delay = msgspec.json.encode({"delay": int(after_s * 1e9)})
        try:
            await self._connection.send(self._reply, b"-NAK " + delay if after_s else b"-NAK")
        except UnavailableError:
            return

    async def say_working(self) -> None:
        """Move the server's deadline; if this is lost, the next one does it."""
        try:
            await self._connection.send(self._reply, b"+WPI")
        except UnavailableError:
            return

    async def _settle(self, word: bytes) -> None:
        budget = self._connection.budget(_SETTLE_BUDGET_S)
        while True:
            try:
                attempt_s = min(_SETTLE_ATTEMPT_S, budget.left_s)
                await self._connection.request(self._reply, word, timeout_s=attempt_s)
                return
            except UnavailableError:
                if not await budget.pause():
                    raise


class Pull:
    """Requests for messages of one consumer."""

    def __init__(self, connection: Connection, consumer: ConsumerSpec, inbox: Inbox) -> None:
        self._connection = connection
        self._consumer = consumer
        self._inbox = inbox
        self._subject = f"{PREFIX}.CONSUMER.MSG.NEXT.{consumer.stream}.{consumer.name}"

    async def take(self, count: int) -> AsyncGenerator[Taken, None]:
        """Ask for up to `count` messages and give each as it comes.

        Raises:
            ConsumerGoneError: there is no such consumer.
            UnavailableError: no connection.
            DeniedError: this user may not read this consumer.
        """
        loop = asyncio.get_running_loop()
        request = {"batch": count, "expires": int(WAIT_S * 1e9)}
        reply = self._inbox.reply()
        await self._connection.send(self._subject, msgspec.json.encode(request), reply=reply)
        last = loop.time() + WAIT_S + _GRACE_S
        missing = count
        while missing and (left_s := last - loop.time()) > 0:
            incoming = await self._inbox.next(left_s)
            if incoming is None:
                break
            if not incoming.status:
                missing -= 1
                yield Taken(self._connection, incoming)
            elif incoming.subject == reply and self._ends(incoming):
                return
        self._connection.ensure_allowed(self._subject)

    def _ends(self, incoming: Incoming) -> bool:
        if incoming.status in _ENDINGS:
            return True
        gone = incoming.status == "503" or "Deleted" in incoming.description
        if gone:
            raise ConsumerGoneError(
                f"the consumer {self._consumer.name} of {self._consumer.stream} is gone",
                why=incoming.description or "nothing serves it",
            )
        # 100 is a sign of life; 409 ends a request early, as on a change of the leader
        return incoming.status != "100"


@asynccontextmanager
async def pulling(connection: Connection, consumer: ConsumerSpec) -> AsyncIterator[Pull]:
    """Open a place where messages of `consumer` arrive, for the time of the block."""
    async with connection.inbox() as inbox:
        yield Pull(connection, consumer, inbox)
