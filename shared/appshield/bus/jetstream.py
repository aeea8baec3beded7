"""The bus over NATS JetStream: its parts put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import structlog

from appshield.bus import reading
from appshield.bus.access import BusAccess
from appshield.bus.api import Api, ConsumerInfo, remove_message
from appshield.bus.buckets import JetStreamBucket
from appshield.bus.connection import Connection
from appshield.bus.consuming import ConsumeLoop
from appshield.bus.errors import BusFullError, NotStoredError
from appshield.bus.inbox import Incoming
from appshield.bus.parking import Parking
from appshield.bus.port import Bucket, Bus, Handler, Listener, Since
from appshield.bus.publishing import Publisher
from appshield.bus.sweeping import Sweep
from appshield.bus.topology import Topology
from appshield.bus.values import Receipt, Stored
from appshield.contracts import decode, encode, subjects
from appshield.contracts.message import Message
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, StreamSpec
from appshield.contracts.streams import TIMERS
from appshield.errors import AppShieldError, DeniedError, UnavailableError

T = TypeVar("T")

_TELL_TIMEOUT_S = 0.5
_LISTEN_PAUSE_S = 3600.0


class JetStreamBus(Bus):
    """See `Bus`."""

    def __init__(
        self, connection: Connection, on_problem: Callable[[str], None], publish_budget_s: float
    ) -> None:
        self._connection = connection
        self._on_problem = on_problem
        limits: dict[str, str] = {}
        self._api = Api(connection)
        self._topology = Topology(self._api, limits)
        self._publisher = Publisher(connection, limits, publish_budget_s)

    @classmethod
    async def open(
        cls,
        access: BusAccess,
        *,
        name: str,
        on_problem: Callable[[str], None] | None,
        deadline_s: float,
        publish_budget_s: float,
        leaving: asyncio.Event | None = None,
    ) -> "JetStreamBus":
        """Connect; see `connect_bus`."""
        leaving = leaving or asyncio.Event()
        connection = Connection(access, name, on_problem, leaving)
        try:
            await connection.open(deadline_s)
        except DeniedError:
            # a server that reads its configuration anew refuses whom it has not heard out yet
            connection = Connection(access, name, on_problem, leaving)
            await connection.open(deadline_s)
        return cls(connection, on_problem or (lambda _: None), publish_budget_s)

    async def close(self) -> None:
        """Disconnect after what is written has been sent."""
        await self._connection.close()

    async def publish(self, message: Message, *, subject: str | None = None) -> Receipt:
        """See `Bus.publish`."""
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
        """See `Bus.publish_raw`."""
        try:
            return await self._publisher.publish(subject, body, headers or {}, message_id)
        except (BusFullError, NotStoredError) as error:
            self._on_problem(str(error))
            raise

    async def append(self, subject: str, body: bytes, *, after_sequence: int) -> Receipt:
        """See `Bus.append`."""
        return await self._publisher.append(subject, body, after_sequence)

    async def schedule(self, name: str, at: datetime, body: bytes, *, message_id: str) -> None:
        """See `Bus.schedule`."""
        await self._publisher.schedule(name, at, body, message_id)

    async def cancel_timer(self, name: str) -> None:
        """See `Bus.cancel_timer`."""
        await self._topology.purge(TIMERS.name, {"filter": subjects.timer(name)})

    async def consume(
        self,
        consumer: ConsumerSpec,
        handler: Handler,
        *,
        stopping: asyncio.Event,
        concurrency: int = 8,
    ) -> None:
        """See `Bus.consume`."""
        parking = Parking(self._publisher, self._connection.access.user)
        loop = ConsumeLoop(self._connection, consumer, handler, parking, self._topology.restore)
        await loop.run(stopping, concurrency)

    def bucket(self, spec: BucketSpec, of: type[T]) -> Bucket[T]:
        """See `Bus.bucket`."""
        return JetStreamBucket(self._connection, self._api, self._publisher, spec, of)

    async def tell(self, subject: str, message: Message) -> None:
        """See `Bus.tell`."""
        if self._connection.is_congested():
            return
        with contextlib.suppress(AppShieldError, TimeoutError):
            async with asyncio.timeout(_TELL_TIMEOUT_S):
                await self._connection.send(subject, encode(message))

    @asynccontextmanager
    async def listen(self, subject: str, handler: Listener) -> AsyncIterator[None]:
        """See `Bus.listen`."""
        async with self._connection.inbox(subject) as inbox:

            async def pump() -> None:
                while True:
                    with contextlib.suppress(UnavailableError):  # the subscription comes back
                        if (incoming := await inbox.next(_LISTEN_PAUSE_S)) is not None:
                            await self._heard(incoming, handler)

            pumping = asyncio.create_task(pump(), name=f"listen {subject}")
            try:
                yield
            finally:
                pumping.cancel()
                await asyncio.gather(pumping, return_exceptions=True)

    def read(
        self,
        stream: StreamSpec,
        *,
        filters: tuple[str, ...] = (),
        since: Since = "all",
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        """See `Bus.read`."""
        return reading.read(
            self._connection,
            self._api,
            stream.name,
            filters=filters,
            since=since,
            follow=follow,
        )

    async def message_at(self, stream: StreamSpec, sequence: int) -> Stored | None:
        """See `Bus.message_at`."""
        return await reading.message_at(self._connection, stream.name, sequence)

    async def newest(self, stream: StreamSpec, subject: str) -> Stored | None:
        """See `Bus.newest`."""
        return await reading.newest(self._connection, stream.name, subject)

    async def remove_message(self, stream: StreamSpec, sequence: int) -> None:
        """See `Bus.remove_message`."""
        await remove_message(self._api, stream.name, sequence)

    async def trim(self, stream: StreamSpec, *, below_sequence: int) -> None:
        """See `Bus.trim`."""
        await self._topology.trim(stream, below_sequence)

    async def acknowledged(self, consumer: ConsumerSpec) -> int:
        """See `Bus.acknowledged`."""
        operation = f"CONSUMER.INFO.{consumer.stream}.{consumer.name}"
        info = await self._api.call(operation, None, ConsumerInfo)
        return info.ack_floor.stream_seq

    async def ensure_topology(self, *, replicas: int = 1) -> None:
        """See `Bus.ensure_topology`."""
        await self._topology.ensure(replicas)

    async def ensure_stream(self, stream: StreamSpec) -> None:
        """See `Bus.ensure_stream`."""
        await self._topology.ensure_stream(stream)

    async def ensure_bucket(self, bucket: BucketSpec) -> None:
        """See `Bus.ensure_bucket`."""
        await self._topology.ensure_bucket(bucket)

    async def ensure_consumer(self, consumer: ConsumerSpec) -> None:
        """See `Bus.ensure_consumer`."""
        await self._topology.ensure_consumer(consumer)

    async def remove_consumer(self, consumer: ConsumerSpec, *, purge: bool) -> None:
        """See `Bus.remove_consumer`."""
        await self._topology.remove_consumer(consumer, purge=purge)

    async def sweep_exhausted(self, *, stopping: asyncio.Event) -> None:
        """See `Bus.sweep_exhausted`."""
        sweep = Sweep(self._connection, self._api, self._publisher, self._topology)
        await sweep.run(stopping)

    async def health(self) -> str:
        """See `Bus.health`."""
        return await self._connection.problem()

    async def _heard(self, incoming: Incoming, handler: Listener) -> None:
        try:
            message = decode(incoming.body)
        except ValueError:
            structlog.get_logger().debug("heard something else", subject=incoming.subject)
            return
        try:
            await handler(message, incoming.subject)
        except Exception:  # noqa: BLE001 - the boundary of a listener
            structlog.get_logger().exception("listener failed", subject=incoming.subject)
