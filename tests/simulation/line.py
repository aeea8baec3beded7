"""A process's own connection to the bus: each call is an effect that may be its last."""

import abc
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from typing import TypeVar

from appshield.bus import Bucket, Bus, Change, Entry, Handler, Listener, Receipt, Since, Stored
from appshield.contracts import encode
from appshield.contracts.message import Message
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, StreamSpec
from simulation.bus import SimulatedBus, Subscription
from simulation.process import Process

T = TypeVar("T")
R = TypeVar("R")


class Line(Bus):
    """The bus as one process sees it, whichever bus it is."""

    def __init__(self, bus: Bus, process: Process) -> None:
        self._bus = bus
        self._process = process

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
        publish = partial(
            self._bus.publish_raw, subject, body, message_id=message_id, headers=headers
        )
        return await self._process.effect(f"publish {subject}", publish)

    async def append(self, subject: str, body: bytes, *, after_sequence: int) -> Receipt:
        append = partial(self._bus.append, subject, body, after_sequence=after_sequence)
        return await self._process.effect(f"append {subject}", append)

    async def schedule(self, name: str, at: datetime, body: bytes, *, message_id: str) -> None:
        schedule = partial(self._bus.schedule, name, at, body, message_id=message_id)
        await self._process.effect(f"schedule {name}", schedule)

    async def cancel_timer(self, name: str) -> None:
        await self._process.effect(f"cancel {name}", partial(self._bus.cancel_timer, name))

    @abc.abstractmethod
    async def consume(
        self,
        consumer: ConsumerSpec,
        handler: Handler,
        *,
        stopping: asyncio.Event,
        concurrency: int = 8,
    ) -> None:
        """Handle messages for as long as the process lives."""

    def bucket(self, spec: BucketSpec, of: type[T]) -> Bucket[T]:
        return LineBucket(spec.name, self._bus.bucket(spec, of), self._process)

    async def tell(self, subject: str, message: Message) -> None:
        if self._process.runs:
            await self._bus.tell(subject, message)

    def listen(self, subject: str, handler: Listener) -> AbstractAsyncContextManager[None]:
        return self._bus.listen(subject, handler)

    async def read(
        self,
        stream: StreamSpec,
        *,
        filters: tuple[str, ...] = (),
        since: Since = "all",
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        await self._process.reach()
        async for stored in self._bus.read(stream, filters=filters, since=since, follow=follow):
            yield stored

    async def message_at(self, stream: StreamSpec, sequence: int) -> Stored | None:
        return await self._bus.message_at(stream, sequence)

    async def newest(self, stream: StreamSpec, subject: str) -> Stored | None:
        await self._process.reach()
        return await self._bus.newest(stream, subject)

    async def remove_message(self, stream: StreamSpec, sequence: int) -> None:
        await self._bus.remove_message(stream, sequence)

    async def trim(self, stream: StreamSpec, *, below_sequence: int) -> None:
        await self._bus.trim(stream, below_sequence=below_sequence)

    async def acknowledged(self, consumer: ConsumerSpec) -> int:
        return await self._bus.acknowledged(consumer)

    async def ensure_topology(self, *, replicas: int = 1) -> None:
        return

    async def ensure_stream(self, stream: StreamSpec) -> None:
        await self._bus.ensure_stream(stream)

    async def ensure_bucket(self, bucket: BucketSpec) -> None:
        await self._bus.ensure_bucket(bucket)

    async def ensure_consumer(self, consumer: ConsumerSpec) -> None:
        await self._bus.ensure_consumer(consumer)

    async def remove_consumer(self, consumer: ConsumerSpec, *, purge: bool) -> None:
        await self._bus.remove_consumer(consumer, purge=purge)

    async def sweep_exhausted(self, *, stopping: asyncio.Event) -> None:
        await stopping.wait()

    async def health(self) -> str:
        return ""


class SimulatedLine(Line):
    """The bus of the simulation as one process sees it."""

    def __init__(self, bus: SimulatedBus, process: Process) -> None:
        super().__init__(bus, process)
        self._simulated = bus

    async def consume(
        self,
        consumer: ConsumerSpec,
        handler: Handler,
        *,
        stopping: asyncio.Event,
        concurrency: int = 8,
    ) -> None:
        one = Subscription(self._process, handler, concurrency, stopping)
        leave = self._simulated.subscribe(consumer, one)
        try:
            await stopping.wait()
        finally:
            leave()

    def bucket(self, spec: BucketSpec, of: type[T]) -> Bucket[T]:
        self._simulated.add_bucket(spec)
        return super().bucket(spec, of)


class LineBucket(Bucket[T]):
    """A bucket as one process sees it."""

    def __init__(self, name: str, bucket: Bucket[T], process: Process) -> None:
        self._name = name
        self._bucket = bucket
        self._process = process

    async def get(self, key: str) -> Entry[T] | None:
        await self._process.reach()
        return await self._bucket.get(key)

    async def create(self, key: str, value: T) -> int:
        return await self._effect("create", key, partial(self._bucket.create, key, value))

    async def update(self, key: str, value: T, revision: int) -> int:
        return await self._effect("update", key, partial(self._bucket.update, key, value, revision))

    async def put(self, key: str, value: T) -> int:
        return await self._effect("put", key, partial(self._bucket.put, key, value))

    async def delete(self, key: str, revision: int | None = None) -> None:
        await self._effect("delete", key, partial(self._bucket.delete, key, revision))

    async def keys(self, prefix: str = "") -> list[str]:
        await self._process.reach()
        return await self._bucket.keys(prefix)

    async def items(self, prefix: str = "") -> AsyncIterator[Entry[T]]:
        await self._process.reach()
        async for entry in self._bucket.items(prefix):
            yield entry

    async def watch(
        self, prefix: str = "", *, stopping: asyncio.Event, traces: bool = False
    ) -> AsyncIterator[Change[T]]:
        async for change in self._bucket.watch(prefix, stopping=stopping):
            await self._process.reach()
            yield change

    async def _effect(self, verb: str, key: str, do: Callable[[], Awaitable[R]]) -> R:
        return await self._process.effect(f"{verb} {self._name} {key}", do)
