"""The consume loop: the only code that knows how a message is settled.

A handler returns: acknowledged, and the server has noted it. It raises `Retry`: given back for a
while. It raises `Reject`: parked. It fails: logged once, given back for a growing while. Whatever
happens on the last delivery that the consumer allows parks the message. It falls silent: stopped,
and counted as failed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from appshield.bus import tracing
from appshield.bus.connection import Connection
from appshield.bus.errors import Reject, Retry
from appshield.bus.parking import Died, Parking
from appshield.bus.pulling import GONE_PAUSE_S, WAIT_S, ConsumerGoneError, Pull, Taken, pulling
from appshield.bus.signals import message_in
from appshield.bus.values import Delivery
from appshield.bus.waiting import first_of, pause, pause_s, redelivery_s
from appshield.contracts.message import Message
from appshield.contracts.stream_specs import ConsumerSpec
from appshield.contracts.streams import DELIVER_FOREVER
from appshield.errors import AppShieldError, DeadlineError, UnavailableError

HEARTBEATS_PER_WAIT = 3
_STOP_TIMEOUT_S = 5.0

Handle = Callable[[Delivery], Awaitable[None]]
Restore = Callable[[ConsumerSpec], Awaitable[None]]


class ConsumeLoop:
    """Runs one consumer. `restore` makes the consumer again when it is gone."""

    def __init__(
        self,
        connection: Connection,
        consumer: ConsumerSpec,
        handler: Handle,
        parking: Parking,
        restore: Restore,
    ) -> None:
        self._connection = connection
        self._consumer = consumer
        self._handler = handler
        self._parking = parking
        self._restore = restore
        self._log = structlog.get_logger().bind(consumer=consumer.name)

    async def run(self, stopping: asyncio.Event, concurrency: int) -> None:
        """Work until `stopping`, then let the running handlers finish."""
        try:
            async with asyncio.TaskGroup() as running:
                await self._work(stopping, asyncio.Semaphore(concurrency), running)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _work(
        self, stopping: asyncio.Event, slots: asyncio.Semaphore, running: asyncio.TaskGroup
    ) -> None:
        troubles = 0
        while not stopping.is_set():
            try:
                async with pulling(self._connection, self._consumer) as pull:
                    while not stopping.is_set():
                        await self._take(pull, slots, running, stopping)
                        troubles = 0
            except AppShieldError as error:
                await self._recover(error, troubles, stopping)
                troubles += 1

    async def _take(
        self,
        pull: Pull,
        slots: asyncio.Semaphore,
        running: asyncio.TaskGroup,
        stopping: asyncio.Event,
    ) -> None:
        """Fill the free slots; what comes after `stopping` goes back.

        It comes again only when the request is over that brought it: else the server would give it
        to that same request again and again, until its deliveries are used up.
        """
        free = await _acquire(slots, stopping)
        try:
            if stopping.is_set():
                return
            async with contextlib.aclosing(pull.take(free)) as taking:
                async for taken in taking:
                    if stopping.is_set():
                        await taken.give_back(WAIT_S)
                        continue
                    free -= 1
                    task = running.create_task(self._settle(taken), name=f"handle {taken.subject}")
                    task.add_done_callback(lambda _: slots.release())
        finally:
            for _ in range(free):
                slots.release()

    async def _recover(self, error: AppShieldError, troubles: int, stopping: asyncio.Event) -> None:
        """Wait for better times; a connection that is closed for good ends the loop."""
        if self._connection.is_closed:
            raise error
        self._log.warning("cannot consume", problem=str(error))
        if isinstance(error, ConsumerGoneError):
            await pause(stopping, GONE_PAUSE_S)
            await self._restored()
        if isinstance(error, UnavailableError) and not self._connection.is_up:
            await self._connection.wait_up(stopping, longest_s=5.0)
        await pause(stopping, pause_s(troubles))

    async def _restored(self) -> None:
        try:
            await self._restore(self._consumer)
            self._log.info("consumer restored")
        except AppShieldError as reason:
            self._log.warning("cannot restore the consumer", problem=str(reason))

    async def _settle(self, taken: Taken) -> None:
        trace = tracing.incoming(taken.headers)
        with (
            tracing.within(trace),
            structlog.contextvars.bound_contextvars(
                service=self._connection.access.user,
                subject=taken.subject,
                message_id=taken.message_id,
                delivery=taken.deliveries,
                trace_id=trace.trace_id,
            ),
        ):
            try:
                await self._handle(taken)
            except asyncio.CancelledError:
                with contextlib.suppress(asyncio.CancelledError):
                    await taken.give_back()
                raise
            except AppShieldError as error:
                # the server could not be told; it delivers the message again by itself
                self._log.warning("message not settled", problem=str(error))

    async def _handle(self, taken: Taken) -> None:
        try:
            delivery = _decoded(taken, self._consumer)
            with structlog.contextvars.bound_contextvars(**_names(delivery.message)):
                await self._watched(taken, delivery)
        except Reject as reject:
            self._log.warning("message rejected", why=reject.why)
            await self._park(taken, reject.why)
        except Retry as retry:
            self._log.info("message comes again", why=retry.why, after_s=retry.after_s)
            await self._again(taken, retry.why, retry.after_s)
        except AppShieldError as error:  # of the surroundings: it needs no trace
            self._log.warning("handler failed", problem=str(error))
            await self._again(taken, str(error), redelivery_s(taken.deliveries))
        except Exception as error:  # noqa: BLE001 - the run loop's boundary
            self._log.exception("handler failed")
            why = f"{type(error).__name__}: {error}"
            await self._again(taken, why, redelivery_s(taken.deliveries))
        else:
            await taken.acknowledge()

    async def _again(self, taken: Taken, why: str, after_s: float) -> None:
        deliver_max = self._consumer.deliver_max
        if deliver_max == DELIVER_FOREVER or taken.deliveries < deliver_max:
            await taken.give_back(after_s)
            return
        await self._park(taken, f"{why} (after {taken.deliveries} deliveries)")

    async def _park(self, taken: Taken, why: str) -> None:
        """Park first, end then: when parking fails, the message comes again or is swept."""
        try:
            await self._parking.park(_died(taken), why)
        except AppShieldError as error:
            self._log.error("cannot park the message", problem=str(error))
            await taken.give_back(redelivery_s(taken.deliveries))
            return
        await taken.end(why)

    async def _watched(self, taken: Taken, delivery: Delivery) -> None:
        """Run the handler; say that it works for as long as it moves, stop it when it does not."""
        work = asyncio.ensure_future(self._handler(delivery))
        wait_s = self._consumer.ack_wait_s / HEARTBEATS_PER_WAIT
        silence_max_s = self._consumer.silence_max_s or self._consumer.ack_wait_s
        try:
            while True:
                await asyncio.wait({work}, timeout=wait_s)
                if work.done():
                    return work.result()
                if delivery.silent_s() >= silence_max_s:
                    raise DeadlineError(f"no progress within {silence_max_s:g} s")
                await taken.say_working()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=_STOP_TIMEOUT_S)


async def _acquire(slots: asyncio.Semaphore, stopping: asyncio.Event) -> int:
    """Wait for a free slot, then take all that are free; maybe none when told to stop."""
    taken = 0

    async def one() -> None:
        nonlocal taken
        await slots.acquire()
        taken += 1

    await first_of(one(), stopping.wait())
    while taken and not slots.locked():
        await one()
    return taken


def _decoded(taken: Taken, consumer: ConsumerSpec) -> Delivery:
    return Delivery(
        message=message_in(
            consumer,
            taken.subject,
            taken.headers,
            taken.body,
            sequence=taken.sequence,
            stored_at=taken.published_at,
        ),
        subject=taken.subject,
        message_id=taken.message_id,
        sequence=taken.sequence,
        deliveries=taken.deliveries,
        published_at=taken.published_at,
        headers=taken.headers,
    )


def _died(taken: Taken) -> Died:
    return Died(
        subject=taken.subject,
        stream=taken.stream,
        sequence=taken.sequence,
        message_id=taken.message_id,
        deliveries=taken.deliveries,
        body=taken.body,
    )


def _names(message: Message) -> dict[str, str]:
    names = {"app": str(message.app)}
    if run := getattr(message, "run", ""):
        names["run"] = run
    return names
