"""Parking messages that nobody is left to park.

A worker that dies on the last delivery leaves its message where no consumer will give it out
again. The server tells about each such message in an advisory (as soon as somebody asks for the
next one); a stream keeps those, and this sweep parks what they name.
"""

import asyncio

import msgspec
import structlog

from appshield.bus.api import Api, remove_message
from appshield.bus.connection import Connection
from appshield.bus.parking import Died, Parking
from appshield.bus.publishing import Publisher, message_id_of
from appshield.bus.pulling import GONE_PAUSE_S, ConsumerGoneError, Taken, pulling
from appshield.bus.topology import Topology
from appshield.bus.waiting import pause, pause_s, redelivery_s
from appshield.contracts.streams import PLANNER_EXHAUSTED, STREAM_NAME_BEGINS
from appshield.errors import AppShieldError, NotFoundError

_BATCH = 16


class _Advisory(msgspec.Struct, frozen=True):
    """`io.nats.jetstream.advisory.v1.max_deliver`."""

    stream: str
    consumer: str
    stream_seq: int
    deliveries: int = 0


class Sweep:
    """Reads the advisories of one server."""

    def __init__(
        self, connection: Connection, api: Api, publisher: Publisher, topology: Topology
    ) -> None:
        self._connection = connection
        self._api = api
        self._publisher = publisher
        self._topology = topology
        self._log = structlog.get_logger().bind(consumer=PLANNER_EXHAUSTED.name)

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until told to stop; a connection that is closed for good ends it."""
        troubles = 0
        while not stopping.is_set():
            try:
                async with pulling(self._connection, PLANNER_EXHAUSTED) as pull:
                    while not stopping.is_set():
                        async for taken in pull.take(_BATCH):
                            await self._sweep(taken)
                        troubles = 0
            except AppShieldError as error:
                if self._connection.is_closed:
                    raise
                self._log.warning("cannot sweep", problem=str(error))
                if isinstance(error, ConsumerGoneError):
                    await pause(stopping, GONE_PAUSE_S)
                    await self._restore()
                await pause(stopping, pause_s(troubles))
                troubles += 1

    async def _restore(self) -> None:
        try:
            await self._topology.restore(PLANNER_EXHAUSTED)
        except AppShieldError as error:
            self._log.warning("cannot restore the consumer", problem=str(error))

    async def _sweep(self, taken: Taken) -> None:
        try:
            advisory = msgspec.json.decode(taken.body, type=_Advisory)
        except msgspec.DecodeError:
            await taken.end("no advisory")
            return
        try:
            if advisory.stream.startswith(STREAM_NAME_BEGINS):
                await self._park(advisory)
        except AppShieldError as error:
            self._log.warning("cannot park", problem=str(error), stream=advisory.stream)
            await taken.give_back(redelivery_s(taken.deliveries))
            return
        await taken.acknowledge()

    async def _park(self, advisory: _Advisory) -> None:
        try:
            found = await self._api.message(advisory.stream, seq=advisory.stream_seq)
        except NotFoundError:
            return
        if found is None:
            return  # it was settled after all
        service = advisory.consumer.partition("-")[0]
        died = Died(
            subject=found.subject,
            stream=advisory.stream,
            sequence=found.sequence,
            message_id=message_id_of(found.headers, f"{advisory.stream}.{found.sequence}"),
            deliveries=advisory.deliveries,
            body=found.body,
        )
        await Parking(self._publisher, service).park(
            died, f"{advisory.consumer} never settled it in {advisory.deliveries} deliveries"
        )
        await self._remove(advisory)

    async def _remove(self, advisory: _Advisory) -> None:
        """Take it out of a work queue; elsewhere other readers may still want it."""
        info = await self._api.stream(advisory.stream)
        if info is None or info.config.get("retention") != "workqueue":
            return
        await remove_message(self._api, advisory.stream, advisory.stream_seq)
