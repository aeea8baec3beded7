"""The bus as services see it: what it can do, without a word about NATS.

Delivery is at least once, effects are once: whoever handles a message may see it again. Every
call has a deadline of its own and raises an error of `appshield.errors` or `appshield.bus`.
"""

import abc
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Generic, Literal, TypeVar

from appshield.bus.values import Change, Delivery, Entry, Receipt, Stored
from appshield.contracts.message import Message
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, StreamSpec

T = TypeVar("T")
Handler = Callable[[Delivery], Awaitable[None]]
Listener = Callable[[Message, str], Awaitable[None]]
"""Takes what is told, and the subject on which it came."""
Since = int | Literal["all", "new"]


class Bucket(abc.ABC, Generic[T]):
    """Typed values under keys, each with a revision that only grows.

    A `prefix` chooses keys: empty for all, `a.b.` for those below `a.b`, else that key alone.
    """

    @abc.abstractmethod
    async def get(self, key: str) -> Entry[T] | None:
        """Read a key as its last writer left it; None when it is not there."""

    @abc.abstractmethod
    async def create(self, key: str, value: T) -> int:
        """Write a key that must not be there; return its revision.

        Raises:
            KeyExistsError: it is there.
        """

    @abc.abstractmethod
    async def update(self, key: str, value: T, revision: int) -> int:
        """Write a key that must still have `revision`; return the new one.

        With revision 0 it must never have been there, not even deleted (see `delete`).

        Raises:
            StaleRevisionError: somebody else has written or deleted it.
        """

    @abc.abstractmethod
    async def put(self, key: str, value: T) -> int:
        """Write a key whatever it held; return its revision."""

    @abc.abstractmethod
    async def delete(self, key: str, revision: int | None = None) -> None:
        """Remove a key, with `revision` only if it still has that one; no error if it is gone.

        A key that was never there is deleted, too, with revision 0: for an hour nobody can write it
        as one that never was.

        Raises:
            StaleRevisionError: somebody else has written it.
        """

    @abc.abstractmethod
    async def keys(self, prefix: str = "") -> list[str]:
        """List the keys that are there, sorted."""

    @abc.abstractmethod
    def items(self, prefix: str = "") -> AsyncIterator[Entry[T]]:
        """Give every entry that is there."""

    @abc.abstractmethod
    def watch(
        self, prefix: str = "", *, stopping: asyncio.Event, traces: bool = False
    ) -> AsyncIterator[Change[T]]:
        """Give what is there, then a marker, then every change until `stopping` is set.

        With `traces` also, before the marker, keys that were deleted within the last hour.

        Of several changes in a row only the last may be seen. Outages of the server are survived:
        what changed meanwhile is given afterwards, keys that vanished (or expired) included.
        """


class Bus(abc.ABC):
    """One connection to the message bus, as one user."""

    @abc.abstractmethod
    async def publish(self, message: Message, *, subject: str | None = None) -> Receipt:
        """Store a message under its own subject and identity; tried again within a budget.

        Raises:
            BusFullError: the stream is at a limit.
            NotStoredError: the server is there and confirms nothing, as one whose disk is full.
            UnavailableError: the server did not confirm within the budget. The message may have
                been stored all the same: publishing it again is safe.
            DeniedError: this user may not publish there.
        """

    @abc.abstractmethod
    async def publish_raw(
        self,
        subject: str,
        body: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Store bytes that were promised before; else as `publish`."""

    @abc.abstractmethod
    async def append(self, subject: str, body: bytes, *, after_sequence: int) -> Receipt:
        """Store bytes right after the newest message of `subject`, of this sequence; 0: none.

        Raises:
            StaleRevisionError: another one is the newest. After a lost confirmation that may be
                this very message: read it and see.
        """

    @abc.abstractmethod
    async def schedule(self, name: str, at: datetime, body: bytes, *, message_id: str) -> None:
        """Let `body` arrive on `due.<name>` at that time, at once when it is past.

        Timers are durable, fire once (also after downtime) and have a resolution of one second.
        Scheduling the same name again replaces the timer.
        """

    @abc.abstractmethod
    async def cancel_timer(self, name: str) -> None:
        """Forget a timer that has not fired; no error when there is none."""

    @abc.abstractmethod
    async def consume(
        self,
        consumer: ConsumerSpec,
        handler: Handler,
        *,
        stopping: asyncio.Event,
        concurrency: int = 8,
    ) -> None:
        """Give every message of `consumer` to `handler` until `stopping` is set.

        The handler returns (done), raises `Retry` or `Reject`, or fails: then the message comes
        again after a growing pause, and is parked on `dead.<user>` when `deliver_max` is reached.
        A handler that is silent for `silence_max_s` (see `Delivery.moved`) is stopped and counts as
        failed. After `stopping` nothing new begins and running handlers finish; cancel the call
        to end them: their messages go back at once.
        """

    @abc.abstractmethod
    def bucket(self, spec: BucketSpec, of: type[T]) -> Bucket[T]:
        """Open a bucket whose values have the type `of`."""

    @abc.abstractmethod
    async def tell(self, subject: str, message: Message) -> None:
        """Send something that may be lost, such as progress; never raises, never waits long."""

    @abc.abstractmethod
    def listen(self, subject: str, handler: Listener) -> AbstractAsyncContextManager[None]:
        """Give what is told on `subject` to `handler` for the time of the block.

        Raises:
            DeniedError: this user may not listen there.
        """

    @abc.abstractmethod
    def read(
        self,
        stream: StreamSpec,
        *,
        filters: tuple[str, ...] = (),
        since: Since = "all",
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        """Read a stream in order without consuming it: what is stored, or also what comes.

        `since` is the first sequence wanted; "new" gives only what is stored from now on.
        Following survives outages. Close the iterator to stop following.
        """

    @abc.abstractmethod
    async def message_at(self, stream: StreamSpec, sequence: int) -> Stored | None:
        """Read one message of a stream; None when there is none of that sequence."""

    @abc.abstractmethod
    async def newest(self, stream: StreamSpec, subject: str) -> Stored | None:
        """Read the newest message of a subject; None when there is none.

        A replica may answer that lags behind.
        """

    @abc.abstractmethod
    async def remove_message(self, stream: StreamSpec, sequence: int) -> None:
        """Remove one message of a stream; no error when it is gone."""

    @abc.abstractmethod
    async def trim(self, stream: StreamSpec, *, below_sequence: int) -> None:
        """Drop the messages with lower sequences than this."""

    @abc.abstractmethod
    async def acknowledged(self, consumer: ConsumerSpec) -> int:
        """Return the stream sequence up to which everything is acknowledged."""

    @abc.abstractmethod
    async def ensure_topology(self, *, replicas: int = 1) -> None:
        """Make the streams, buckets and consumers of the contracts; change what differs.

        Raises:
            RefusedError: the server's stream differs in a way that would lose data if changed.
        """

    @abc.abstractmethod
    async def ensure_stream(self, stream: StreamSpec) -> None:
        """Make one stream, or change it to its description; raises as `ensure_topology`."""

    @abc.abstractmethod
    async def ensure_bucket(self, bucket: BucketSpec) -> None:
        """Make one bucket, or change it to its description; raises as `ensure_topology`."""

    @abc.abstractmethod
    async def ensure_consumer(self, consumer: ConsumerSpec) -> None:
        """Make one durable consumer, or change it to its description."""

    @abc.abstractmethod
    async def remove_consumer(self, consumer: ConsumerSpec, *, purge: bool) -> None:
        """Remove a durable consumer, with `purge` also the messages that only it would read."""

    @abc.abstractmethod
    async def sweep_exhausted(self, *, stopping: asyncio.Event) -> None:
        """Park messages whose handlers never came back on their last delivery, until stopped."""

    @abc.abstractmethod
    async def health(self) -> str:
        """Say what is wrong with the connection; empty when all is well."""
