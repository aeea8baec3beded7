"""The values that the bus gives: receipts, stored messages, entries, changes, deliveries."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from appshield.contracts.message import Message

T = TypeVar("T")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The server's word that a message is stored; `duplicate` says that it already was."""

    stream: str
    sequence: int
    duplicate: bool = False


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it lies in a stream, read without consuming it."""

    sequence: int
    subject: str
    body: bytes
    headers: Mapping[str, str]
    time: datetime


class Entry(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What a bucket holds under a key."""

    value: T
    revision: int
    key: str = ""


class Change(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One step of a watch: a key's new value, or None where it is gone.

    The marker (`key` is empty) comes once, when everything present has been given.
    """

    key: str
    value: T | None
    revision: int

    @property
    def is_marker(self) -> bool:
        """Whether this only says that the present state is complete."""
        return not self.key


class Delivery:
    """A message on its way to a handler."""

    def __init__(
        self,
        *,
        message: Message,
        subject: str,
        message_id: str,
        sequence: int,
        deliveries: int,
        published_at: datetime,
        headers: Mapping[str, str],
    ) -> None:
        self.message = message
        self.subject = subject
        self.message_id = message_id
        self.sequence = sequence
        self.deliveries = deliveries
        self.published_at = published_at
        self.headers = headers
        self._moved_at = time.monotonic()

    def moved(self) -> None:
        """Say that the work makes progress; safe to call from any thread.

        A handler that is silent for the consumer's `silence_max_s` is stopped and its message
        delivered again.
        """
        self._moved_at = time.monotonic()

    def silent_s(self) -> float:
        """Return how long ago the handler began or last said that it moves."""
        return time.monotonic() - self._moved_at
