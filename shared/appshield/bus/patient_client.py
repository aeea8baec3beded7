"""The client of nats-py, mended where it loses a connection or takes long."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

_HEADER = re.compile(r"^([!-9;-~]+):(.*)\r$", re.MULTILINE)


class PatientClient(Client):
    """A client for which a flush may be given up, and that reads headers at once.

    nats-py sets the result of the flush that a PONG answers, even when whoever asked was cancelled
    or has timed out; that error ends its read loop and with it the connection. And it looks at each
    character of the name of each header, which was a third of the work of whoever follows a stream.
    """

    def __init__(self) -> None:
        super().__init__()
        self._takers: dict[int, Callable[[Msg], None]] = {}

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        text = raw.decode("utf-8", "replace")
        return {name: value.strip() for name, value in _HEADER.findall(text)}

    async def listen(self, subject: str, take: Callable[[Msg], None]) -> Subscription:
        """Subscribe; `take` has each message at once, with no task that waits for it in between."""

        async def take_early(message: Msg) -> None:
            take(message)

        subscription = await self.subscribe(subject, cb=take_early)
        self._takers[subscription._id] = take  # noqa: SLF001 - under which messages come in
        return subscription

    async def end_listening(self, subscription: Subscription) -> None:
        """Take no more."""
        self._takers.pop(subscription._id, None)  # noqa: SLF001 - as in `listen`
        await subscription.unsubscribe()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        take = self._takers.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        named = await self._process_headers(headers)
        take(self._build_message(sid, subject, reply, data, named))

    def drop_socket(self) -> None:
        """Close the socket, which nats-py leaves open when its own closing was cancelled."""
        transport: Any = self._transport  # whose methods have no types
        if transport is not None:
            transport.close()
