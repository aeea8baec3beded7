"""Messages that are to be stored at the same moment go as one atomic batch.

The server syncs to the disk before it confirms, so a thousand messages one by one wait a thousand
times. What waits for the same stream when a message is about to be sent goes with it; a message
alone goes as ever. A batch is stored whole or not at all, and nothing depends on it: whatever is
refused or stays without an answer, each message then goes its own way under its own identity.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final

import msgspec

from appshield.bus.api import Answer
from appshield.bus.connection import Connection
from appshield.contracts import subjects
from appshield.contracts.streams import TIMERS
from appshield.errors import AppShieldError

MESSAGES_MAX: Final = 500
"""Half of what the server takes in one batch."""
BYTES_MAX: Final = 1024 * 1024
_GO_ON_AT_ONCE: Final = 50
"""So many go on before everybody else has a turn, the connection too."""
_TIMEOUT_S: Final = 3.0
_OLDEST_SERVER: Final = (2, 15)
"""Batches came with 2.12; with timers in them only this release was tried."""
_BUCKET: Final = "$KV"
_TIMERS: Final = subjects.timer("")


class _Waiting(msgspec.Struct):
    """A message that is to be stored; the result is its sequence, 0 if it must go by itself."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    stored: asyncio.Future[int]


class _Confirmation(Answer, frozen=True):
    seq: int = 0
    count: int = 0


class Grouping:
    """Groups what is stored over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: dict[str, list[_Waiting]] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}

    async def store(self, subject: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Store a message together with others; return its sequence, 0 if it was not stored."""
        stream = stream_grouped(subject)
        if not stream:
            return 0
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        one = _Waiting(subject, body, headers, stored)
        self._waiting.setdefault(stream, []).append(one)
        if stream not in self._sending and await self._stays_alone(stream, one):
            return 0
        if stream not in self._sending:
            self._sending[stream] = asyncio.create_task(self._send_all(stream))
        return await stored

    async def _stays_alone(self, stream: str, one: _Waiting) -> bool:
        """Let others come that are to be stored at the same moment; take back one that is alone."""
        waiting = self._waiting[stream]
        try:
            await asyncio.sleep(0)  # one turn: whoever stores at the same moment comes in it
        except asyncio.CancelledError:
            if one in waiting:
                waiting.remove(one)
            raise
        if len(waiting) == 1 and waiting[0] is one:
            waiting.clear()
            return True
        return False

    async def _send_all(self, stream: str) -> None:
        """Send what waits for a stream; what comes meanwhile is the next batch.

        That one is on its way before those of the last one go on: the server has work meanwhile.
        """
        waiting = self._waiting[stream]
        sent, first = list[_Waiting](), 0
        try:
            while waiting or sent:
                count = _fitting(waiting)
                batch = [one for one in waiting[:count] if not one.stored.done()]  # or cancelled
                del waiting[:count]
                sending = asyncio.create_task(self._send(batch)) if len(batch) > 1 else None
                await _let_go_on(sent, first)
                sent, first = batch, await sending if sending else 0
        finally:
            del self._sending[stream]

    async def _send(self, batch: list[_Waiting]) -> int:
        """Send a batch; return the sequence of its first message, 0 if it was not stored."""
        if self._connection.server_version < _OLDEST_SERVER:
            return 0
        name = secrets.token_hex(12)
        *others, last = [
            (one, {**one.headers, "Nats-Batch-Id": name, "Nats-Batch-Sequence": str(number)})
            for number, one in enumerate(batch, start=1)
        ]
        try:
            for one, headers in others:
                await self._connection.send(one.subject, one.body, headers=headers)
            message, headers = last
            answer = await self._connection.request(
                message.subject,
                message.body,
                timeout_s=_TIMEOUT_S,
                headers={**headers, "Nats-Batch-Commit": "1"},
            )
            confirmed = msgspec.json.decode(answer.body, type=_Confirmation)
        except (AppShieldError, msgspec.DecodeError):
            return 0  # each that goes by itself meets what is wrong, and says so
        whole = confirmed.error is None and confirmed.count == len(batch)
        return confirmed.seq - len(batch) + 1 if whole else 0


def stream_grouped(subject: str) -> str:
    """Name the stream in which messages may be stored together; empty for all others."""
    if subject.startswith(f"{_BUCKET}."):
        return f"KV_{subject.split('.', 2)[1]}"
    return TIMERS.name if subject.startswith(_TIMERS) else ""


async def _let_go_on(batch: list[_Waiting], first: int) -> None:
    """Give each message of a batch its sequence; all get 0 if the first one has none."""
    for number, one in enumerate(batch):
        if number and number % _GO_ON_AT_ONCE == 0:
            await asyncio.sleep(0)  # others have their turn between many messages
        if not one.stored.done():
            one.stored.set_result(first and first + number)


def _fitting(waiting: list[_Waiting]) -> int:
    """Count how many of the first one batch takes, at least one."""
    size_bytes = 0
    for number, one in enumerate(waiting[:MESSAGES_MAX]):
        size_bytes += len(one.body)
        if number and size_bytes > BYTES_MAX:
            return number
    return min(len(waiting), MESSAGES_MAX)
