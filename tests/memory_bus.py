"""A message bus in memory for unit tests, proven by the same conformance suite as the real one.

Beyond `Bus` it can be driven by hand: `deliver` gives a consumer what waits, `redeliver` gives it
again what it has handled already (as the real bus may), `pass_time` fires timers, and
`forget_duplicates` is the end of every duplicate window.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from appshield.bus import (
    Bucket,
    Bus,
    BusFullError,
    Delivery,
    Handler,
    Listener,
    NobodyAnswersError,
    Receipt,
    Reject,
    Retry,
    Since,
    StaleRevisionError,
    Stored,
    parking,
    signals,
)
from appshield.bus.publishing import MESSAGE_ID, TIMER_MESSAGE_ID, limits_in_words, message_id_of
from appshield.contracts import decode, encode, subjects
from appshield.contracts.message import Message
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, StreamSpec
from appshield.contracts.streams import STREAMS
from appshield.errors import NotFoundError
from memory_bucket import BucketContent, MemoryBucket

T = TypeVar("T")


class _Stream:
    """One stream: its messages, and the identities that it remembers."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec
        self.messages: dict[int, Stored] = {}
        self.last = 0
        self.known: dict[str, int] = {}

    def full(self, size_bytes: int) -> str:
        held = sum(len(one.body) for one in self.messages.values())
        if held + size_bytes > self.spec.bytes_max:
            return "maximum bytes exceeded"
        if 0 < self.spec.messages_max <= len(self.messages):
            return "maximum messages exceeded"
        return ""


class _Consumer:
    """One durable consumer: what it has been given how often, and what it has settled."""

    def __init__(self, spec: ConsumerSpec) -> None:
        self.spec = spec
        self.deliveries: dict[int, int] = {}
        self.settled: dict[int, Stored] = {}
        self.not_before: dict[int, float] = {}
        self.running: set[int] = set()

    def wants(self, stored: Stored) -> bool:
        return any(subjects.matches(stored.subject, one) for one in self.spec.filters)


class MemoryBus(Bus):
    """See the module; `service` is who parks, `told` what was sent without being stored."""

    def __init__(self, service: str = "test", *, now: datetime | None = None) -> None:
        self.service = service
        self.now = now or datetime.now(UTC)
        self.told: list[tuple[str, Message]] = []
        self._streams = {spec.name: _Stream(spec) for spec in STREAMS}
        self._consumers: dict[str, _Consumer] = {}
        self._buckets: dict[str, BucketContent] = {}
        self._timers: dict[str, tuple[datetime, bytes, str]] = {}
        self._listeners: list[tuple[str, Listener]] = []
        self._changed = asyncio.Condition()

    def stored(self, stream: StreamSpec) -> list[Stored]:
        """Return what lies in a stream."""
        return list(self._streams[stream.name].messages.values())

    def published(self, stream: StreamSpec) -> list[Message]:
        """Return the messages that lie in a stream."""
        return [decode(one.body) for one in self.stored(stream)]

    async def deliver(self, consumer: ConsumerSpec, handler: Handler) -> int:
        """Give everything that waits for `consumer`, also what was to come later; count it."""
        state = self._consumer(consumer)
        state.not_before.clear()
        waiting = self._waiting(state)
        for stored in waiting:
            await self._handle(state, stored, handler)
        return len(waiting)

    async def redeliver(self, consumer: ConsumerSpec, handler: Handler) -> int:
        """Give again everything that `consumer` has handled, as after a lost acknowledgement."""
        state = self._consumer(consumer)
        again = list(state.settled.values())
        for stored in again:
            await self._handle(state, stored, handler)
        return len(again)

    async def pass_time(self, seconds: float) -> None:
        """Move the bus's clock; timers that are due fire in order."""
        self.now += timedelta(seconds=seconds)
        due = sorted((at, name) for name, (at, _, _) in self._timers.items() if at <= self.now)
        for _, name in due:
            _, body, message_id = self._timers.pop(name)
            headers = {TIMER_MESSAGE_ID: message_id}
            await self._store(subjects.due(name), body, headers, "")

    def forget_duplicates(self) -> None:
        """End every duplicate window."""
        for stream in self._streams.values():
            stream.known.clear()

    async def publish(self, message: Message, *, subject: str | None = None) -> Receipt:
        return await self.publish_raw(
            subject or message.subject(), encode(message), message_id=message.message_id()
        )

    async def publish_raw(
        self,
        subject: str,
        body: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        return await self._store(subject, body, headers or {}, message_id)

    async def append(self, subject: str, body: bytes, *, after_sequence: int) -> Receipt:
        stream = self._stream_for(subject, self._streams.values())
        those = [one.sequence for one in stream.messages.values() if one.subject == subject]
        if max(those, default=0) != after_sequence:
            raise StaleRevisionError(stream.spec.name, subject, after_sequence)
        return await self._store(subject, body, {}, "")

    async def schedule(self, name: str, at: datetime, body: bytes, *, message_id: str) -> None:
        self._timers[name] = (at, body, message_id)
        await self.pass_time(0)

    async def cancel_timer(self, name: str) -> None:
        self._timers.pop(name, None)

    async def consume(
        self,
        consumer: ConsumerSpec,
        handler: Handler,
        *,
        stopping: asyncio.Event,
        concurrency: int = 8,
    ) -> None:
        state = self._consumer(consumer)
        slots = asyncio.Semaphore(concurrency)

        async def one(stored: Stored) -> None:
            async with slots:
                if not stopping.is_set():
                    await self._handle(state, stored, handler)
                state.running.discard(stored.sequence)

        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                for stored in self._waiting(state):
                    state.running.add(stored.sequence)
                    group.create_task(one(stored))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await stopping.wait()

    def bucket(self, spec: BucketSpec, of: type[T]) -> Bucket[T]:
        content = self._buckets.setdefault(spec.name, BucketContent())
        return MemoryBucket(spec, content, of)

    async def tell(self, subject: str, message: Message) -> None:
        self.told.append((subject, message))
        for pattern, handler in self._listeners:
            if subjects.matches(subject, pattern):
                await handler(message, subject)

    @asynccontextmanager
    async def listen(self, subject: str, handler: Listener) -> AsyncIterator[None]:
        self._listeners.append((subject, handler))
        try:
            yield
        finally:
            self._listeners.remove((subject, handler))

    async def read(
        self,
        stream: StreamSpec,
        *,
        filters: tuple[str, ...] = (),
        since: Since = "all",
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        state = self._streams[stream.name]
        first = {"all": 1, "new": state.last + 1}.get(str(since), since)
        while True:
            for stored in [one for one in state.messages.values() if one.sequence >= int(first)]:
                first = stored.sequence + 1
                if not filters or any(subjects.matches(stored.subject, one) for one in filters):
                    yield stored
            if not follow:
                return
            async with self._changed:
                await self._changed.wait_for(functools.partial(_reached, state, int(first)))

    async def message_at(self, stream: StreamSpec, sequence: int) -> Stored | None:
        return self._streams[stream.name].messages.get(sequence)

    async def newest(self, stream: StreamSpec, subject: str) -> Stored | None:
        messages = self._streams[stream.name].messages.values()
        return next((one for one in reversed(messages) if one.subject == subject), None)

    async def remove_message(self, stream: StreamSpec, sequence: int) -> None:
        self._streams[stream.name].messages.pop(sequence, None)

    async def trim(self, stream: StreamSpec, *, below_sequence: int) -> None:
        messages = self._streams[stream.name].messages
        for sequence in [one for one in messages if one < below_sequence]:
            del messages[sequence]

    async def acknowledged(self, consumer: ConsumerSpec) -> int:
        state = self._consumer(consumer)
        stream = self._streams[consumer.stream]
        open_ones = [
            one.sequence
            for one in stream.messages.values()
            if state.wants(one) and one.sequence not in state.settled
        ]
        return min(open_ones) - 1 if open_ones else stream.last

    async def ensure_topology(self, *, replicas: int = 1) -> None:
        return

    async def ensure_stream(self, stream: StreamSpec) -> None:
        self._streams.setdefault(stream.name, _Stream(stream)).spec = stream

    async def ensure_bucket(self, bucket: BucketSpec) -> None:
        self._buckets.setdefault(bucket.name, BucketContent())

    async def ensure_consumer(self, consumer: ConsumerSpec) -> None:
        if consumer.stream not in self._streams:
            raise NotFoundError(f"the message bus has no stream {consumer.stream}")
        self._consumer(consumer).spec = consumer

    async def remove_consumer(self, consumer: ConsumerSpec, *, purge: bool) -> None:
        state = self._consumers.pop(consumer.name, _Consumer(consumer))
        if purge:
            messages = self._streams[consumer.stream].messages
            for sequence in [one.sequence for one in messages.values() if state.wants(one)]:
                del messages[sequence]

    async def sweep_exhausted(self, *, stopping: asyncio.Event) -> None:
        await stopping.wait()

    async def health(self) -> str:
        return ""

    def _consumer(self, spec: ConsumerSpec) -> _Consumer:
        return self._consumers.setdefault(spec.name, _Consumer(spec))

    def _waiting(self, state: _Consumer) -> list[Stored]:
        now = asyncio.get_running_loop().time()
        return [
            one
            for one in self._streams[state.spec.stream].messages.values()
            if one.sequence not in state.settled
            and one.sequence not in state.running
            and state.not_before.get(one.sequence, 0) <= now
            and state.wants(one)
        ]

    async def _store(
        self, subject: str, body: bytes, headers: Mapping[str, str], message_id: str
    ) -> Receipt:
        stream = self._stream_for(subject, self._streams.values())
        if message_id and message_id in stream.known:
            known = stream.known[message_id]
            return Receipt(stream=stream.spec.name, sequence=known, duplicate=True)
        if (full := stream.full(len(body))) and stream.spec.discard == "new":
            raise BusFullError(stream.spec.name, f"{full} (limit: {limits_in_words(stream.spec)})")
        if stream.spec.messages_per_subject_max == 1:
            old = [one.sequence for one in stream.messages.values() if one.subject == subject]
            for sequence in old:
                del stream.messages[sequence]
        async with self._changed:
            stream.last += 1
            named = {MESSAGE_ID: message_id} if message_id else {}
            stream.messages[stream.last] = Stored(
                sequence=stream.last,
                subject=subject,
                body=body,
                headers={**headers, **named},
                time=self.now,
            )
            stream.known[message_id or f"{stream.last}"] = stream.last
            self._changed.notify_all()
        self._copy(stream.spec.name, stream.messages[stream.last])
        return Receipt(stream=stream.spec.name, sequence=stream.last)

    def _copy(self, source: str, stored: Stored) -> None:
        """Let streams have what a source of theirs stores."""
        for stream in self._streams.values():
            for moves in (one.moves for one in stream.spec.sources or () if one.stream == source):
                for old, new in moves:
                    if subjects.matches(stored.subject, old):
                        subject = new.removesuffix(">") + stored.subject.removeprefix(old[:-1])
                        stream.last += 1
                        stream.messages[stream.last] = replace(
                            stored, sequence=stream.last, subject=subject
                        )

    def _stream_for(self, subject: str, streams: Iterable[_Stream]) -> _Stream:
        for stream in streams:
            if any(subjects.matches(subject, one) for one in stream.spec.subjects):
                return stream
        raise NobodyAnswersError(f"nothing serves {subject} on the message bus")

    async def _handle(self, state: _Consumer, stored: Stored, handler: Handler) -> None:
        deliveries = state.deliveries.get(stored.sequence, 0) + 1
        state.deliveries[stored.sequence] = deliveries
        try:
            await handler(_delivery(state.spec, stored, deliveries))
        except Reject as reject:
            await self._park(state, stored, deliveries, reject.why)
        except Retry as retry:
            await self._again(state, stored, deliveries, retry.why, retry.after_s)
        except Exception as error:  # noqa: BLE001 - the run loop's boundary
            await self._again(state, stored, deliveries, f"{type(error).__name__}: {error}", 0.05)
        else:
            self._settle(state, stored)

    async def _again(
        self, state: _Consumer, stored: Stored, deliveries: int, why: str, after_s: float
    ) -> None:
        if 0 < state.spec.deliver_max <= deliveries:
            await self._park(state, stored, deliveries, f"{why} (after {deliveries} deliveries)")
            return
        state.not_before[stored.sequence] = asyncio.get_running_loop().time() + after_s

    async def _park(self, state: _Consumer, stored: Stored, deliveries: int, why: str) -> None:
        headers = {
            parking.SUBJECT: stored.subject,
            parking.STREAM: state.spec.stream,
            parking.SEQUENCE: str(stored.sequence),
            parking.MESSAGE_ID: message_id_of(
                stored.headers, f"{state.spec.stream}.{stored.sequence}"
            ),
            parking.REASON: why,
            parking.DELIVERIES: str(deliveries),
            parking.SERVICE: self.service,
        }
        await self._store(subjects.dead(self.service), stored.body, headers, "")
        self._settle(state, stored)

    def _settle(self, state: _Consumer, stored: Stored) -> None:
        state.settled[stored.sequence] = stored
        stream = self._streams[state.spec.stream]
        if stream.spec.retention == "work":
            stream.messages.pop(stored.sequence, None)


def _reached(stream: _Stream, sequence: int) -> bool:
    return stream.last >= sequence


def _delivery(consumer: ConsumerSpec, stored: Stored, deliveries: int) -> Delivery:
    return Delivery(
        message=signals.message_in(
            consumer,
            stored.subject,
            stored.headers,
            stored.body,
            sequence=stored.sequence,
            stored_at=stored.time,
        ),
        subject=stored.subject,
        message_id=message_id_of(stored.headers, f"{consumer.stream}.{stored.sequence}"),
        sequence=stored.sequence,
        deliveries=deliveries,
        published_at=stored.time,
        headers=stored.headers,
    )
