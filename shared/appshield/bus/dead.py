"""Dead letters: messages that could not be handled, to look at and to replay."""

import re
from datetime import datetime

import msgspec

from appshield.bus import parking
from appshield.bus.port import Bus
from appshield.bus.values import Receipt, Stored
from appshield.contracts import subjects
from appshield.contracts.streams import DEAD
from appshield.errors import NotFoundError

_REPLAYED = re.compile(r"(.*)\.replay\.(\d+)")


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A parked message: `sequence` names it among the dead; the rest is what it was alive."""

    sequence: int
    service: str
    subject: str
    stream: str
    stream_sequence: int
    message_id: str
    reason: str
    deliveries: int
    parked_at: datetime
    body: bytes


class DeadLetters:
    """The dead letters of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def list(self, service: str = "") -> list[DeadLetter]:
        """List them, oldest first, of one service or of all."""
        filters = (subjects.dead(service or ">"),)
        return [_letter(stored) async for stored in self._bus.read(DEAD, filters=filters)]

    async def show(self, sequence: int) -> DeadLetter:
        """Look at one.

        Raises:
            NotFoundError: there is none of that sequence.
        """
        stored = await self._bus.message_at(DEAD, sequence)
        if stored is None:
            raise NotFoundError(
                f"there is no dead letter {sequence}",
                next_step="`appshield dead list` shows those that are there",
            )
        return _letter(stored)

    async def replay(self, sequence: int) -> Receipt:
        """Publish one again where it was, as a new message, and remove it here.

        Replaying twice at once publishes once: both carry the same new identity.
        """
        letter = await self.show(sequence)
        receipt = await self._bus.publish_raw(
            letter.subject, letter.body, message_id=_next_id(letter.message_id)
        )
        await self.remove(sequence)
        return receipt

    async def remove(self, sequence: int) -> None:
        """Forget one."""
        await self._bus.remove_message(DEAD, sequence)


def _letter(stored: Stored) -> DeadLetter:
    headers = stored.headers
    return DeadLetter(
        sequence=stored.sequence,
        service=headers.get(parking.SERVICE, stored.subject.rpartition(".")[2]),
        subject=headers.get(parking.SUBJECT, ""),
        stream=headers.get(parking.STREAM, ""),
        stream_sequence=int(headers.get(parking.SEQUENCE, "0")),
        message_id=headers.get(parking.MESSAGE_ID, ""),
        reason=headers.get(parking.REASON, ""),
        deliveries=int(headers.get(parking.DELIVERIES, "0")),
        parked_at=stored.time,
        body=stored.body,
    )


def _next_id(message_id: str) -> str:
    found = _REPLAYED.fullmatch(message_id)
    return f"{found[1]}.replay.{int(found[2]) + 1}" if found else f"{message_id}.replay.1"
