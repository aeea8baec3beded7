"""Parking what cannot be handled: a dead letter is the message and why it died, in headers."""

import re
from collections.abc import Mapping

import msgspec

from appshield.bus.publishing import TIMER_MESSAGE_ID, Publisher
from appshield.contracts import subjects

SUBJECT = "AppShield-Subject"
STREAM = "AppShield-Stream"
SEQUENCE = "AppShield-Sequence"
MESSAGE_ID = TIMER_MESSAGE_ID
REASON = "AppShield-Reason"
DELIVERIES = "AppShield-Deliveries"
SERVICE = "AppShield-Service"

_REASON_LETTERS_MAX = 1000


class Died(msgspec.Struct, frozen=True, kw_only=True):
    """A message that will not be handled, and where it lay."""

    subject: str
    stream: str
    sequence: int
    message_id: str
    deliveries: int
    body: bytes


class Parking:
    """Parks for one service."""

    def __init__(self, publisher: Publisher, service: str) -> None:
        self._publisher = publisher
        self._service = service

    async def park(self, died: Died, why: str) -> None:
        """Store a dead letter; parking the same message again is parking it once.

        Raises:
            BusFullError, UnavailableError, DeniedError: it is not parked.
        """
        headers: Mapping[str, str] = {
            SUBJECT: died.subject,
            STREAM: died.stream,
            SEQUENCE: str(died.sequence),
            MESSAGE_ID: died.message_id,
            REASON: re.sub(r"\s+", " ", why)[:_REASON_LETTERS_MAX],
            DELIVERIES: str(died.deliveries),
            SERVICE: self._service,
        }
        await self._publisher.publish(
            subjects.dead(self._service),
            died.body,
            headers,
            f"dead.{self._service}.{died.stream}.{died.sequence}",
        )
