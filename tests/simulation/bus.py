"""The bus of the simulation: in memory, in virtual time, delivering to processes that may die.

It is `MemoryBus` with time: timers fire, leases and announcements expire, a message whose handler
is silent, stopped or dead comes again, and so may one that was handled.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from appshield.bus import Delivery, Handler, Receipt, Reject, Retry, Stored
from appshield.bus.signals import message_in
from appshield.contracts import subjects
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec
from memory_bucket import BucketContent
from memory_bus import MemoryBus
from simulation.chance import Chance
from simulation.process import Process

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
_BRIEF_S = 3_600.0
_FAILED_AGAIN_S = 1.0
_NOBODY_TAKES_S = 1.0


class Subscription:
    """One process that handles the messages of a consumer."""

    def __init__(
        self, process: Process, handler: Handler, slots: int, stopping: asyncio.Event
    ) -> None:
        self.process = process
        self.handler = handler
        self.free = slots
        self.stopping = stopping

    def takes(self) -> bool:
        """Whether another message may be given to it."""
        return self.free > 0 and self.process.runs and not self.stopping.is_set()


class SimulatedDelivery(Delivery):
    """A delivery whose silence is virtual."""

    def __init__(
        self, process: Process, consumer: ConsumerSpec, stored: Stored, deliveries: int
    ) -> None:
        super().__init__(
            message=message_in(
                consumer,
                stored.subject,
                stored.headers,
                stored.body,
                sequence=stored.sequence,
                stored_at=stored.time,
            ),
            subject=stored.subject,
            message_id=stored.headers.get("Nats-Msg-Id", f"{stored.sequence}"),
            sequence=stored.sequence,
            deliveries=deliveries,
            published_at=stored.time,
            headers=stored.headers,
        )
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._virtually_moved_at = self._loop.time()

    def moved(self) -> None:
        """Say that the work moves; a process that is dead or stopped says nothing."""
        if self._process.runs:
            self._virtually_moved_at = self._loop.time()

    def silent_s(self) -> float:
        """Return for how long it has said nothing."""
        return self._loop.time() - self._virtually_moved_at


class _Expiring(BucketContent):
    """Keys that live for a while after they were written."""

    def __init__(self, live_s: float) -> None:
        super().__init__()
        self._live_s = live_s
        self._loop = asyncio.get_running_loop()

    async def write(self, key: str, body: bytes | None) -> int:
        revision = await super().write(key, body)
        if body is not None:
            self._loop.call_later(self._live_s, self._expire, key, revision)
        return revision

    def _expire(self, key: str, revision: int) -> None:
        if self.cells.get(key, (None, 0))[1] == revision:
            self._loop.create_task(self.write(key, None))


class SimulatedBus(MemoryBus):
    """See the module."""

    def __init__(self, chance: Chance) -> None:
        super().__init__("simulation", now=START)
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._pumping = False

    @property
    def time(self) -> datetime:
        """The present moment."""
        return START + timedelta(seconds=self._loop.time())

    def add_bucket(self, spec: BucketSpec) -> None:
        """Make a bucket, whose keys expire if they are to within the time of a simulation."""
        if spec.name not in self._buckets:
            brief = 0 < spec.live_s < _BRIEF_S
            self._buckets[spec.name] = _Expiring(spec.live_s) if brief else BucketContent()

    async def schedule(self, name: str, at: datetime, body: bytes, *, message_id: str) -> None:
        timer = (at, body, message_id)
        self._timers[name] = timer
        self._loop.call_later(max(0.0, (at - self.time).total_seconds()), self._fire, name, timer)

    def subscribe(self, spec: ConsumerSpec, one: Subscription) -> Callable[[], None]:
        """Let a process handle messages; call what is returned to end that."""
        self._consumer(spec)
        those = self._subscriptions.setdefault(spec.name, [])
        those.append(one)
        self.pump_soon()
        return lambda: those.remove(one)

    def pump_soon(self, after_s: float = 0.0) -> None:
        """Give out what waits, a moment later."""
        if after_s:
            self._loop.call_later(after_s, self.pump_soon)
        elif not self._pumping:
            self._pumping = True
            self._loop.call_later(self._chance.delay_s(), self._pump)

    def open_messages(self) -> list[str]:
        """Name the subjects of what some consumer has not settled."""
        return [
            stored.subject
            for state in self._consumers.values()
            for stored in self._streams[state.spec.stream].messages.values()
            if state.wants(stored) and stored.sequence not in state.settled
        ]

    async def _store(
        self, subject: str, body: bytes, headers: Mapping[str, str], message_id: str
    ) -> Receipt:
        self.now = self.time
        if self._chance.short_memory:
            self.forget_duplicates()
        receipt = await super()._store(subject, body, headers, message_id)
        self.pump_soon()
        return receipt

    def _fire(self, name: str, timer: tuple[datetime, bytes, str]) -> None:
        if self._timers.get(name) == timer:
            del self._timers[name]
            due = self._store(subjects.due(name), timer[1], {}, "")
            self._loop.create_task(due)

    def _pump(self) -> None:
        self._pumping = False
        for name, those in self._subscriptions.items():
            state = self._consumers[name]
            for stored in self._waiting(state):
                able = [one for one in those if one.takes()]
                if not able:
                    self.pump_soon(_NOBODY_TAKES_S)
                    break
                self._give(name, stored, self._chance.random.choice(able))

    def _give(self, consumer: str, stored: Stored, to: Subscription) -> None:
        state = self._consumers[consumer]
        state.running.add(stored.sequence)
        deliveries = state.deliveries.get(stored.sequence, 0) + 1
        state.deliveries[stored.sequence] = deliveries
        to.free -= 1
        delivery = SimulatedDelivery(to.process, state.spec, stored, deliveries)
        handling = to.process.spawn(self._handled(consumer, stored, to, delivery))

        def watch() -> None:
            """Give it again when its process is gone or its handler silent."""
            if handling.done():
                return
            silence_max_s = state.spec.silence_max_s or state.spec.ack_wait_s
            if to.process.runs and delivery.silent_s() < silence_max_s:
                self._loop.call_later(state.spec.ack_wait_s, watch)
                return
            if to.process.runs:
                handling.cancel()
            self._comes_again(consumer, stored)

        self._loop.call_later(state.spec.ack_wait_s, watch)

    async def _handled(
        self, consumer: str, stored: Stored, to: Subscription, delivery: SimulatedDelivery
    ) -> None:
        state = self._consumers[consumer]
        failed = ""
        after_s = _FAILED_AGAIN_S
        try:
            await to.handler(delivery)
        except Retry as retry:
            failed, after_s = retry.why, retry.after_s
        except Reject as reject:
            await self._park(state, stored, delivery.deliveries, reject.why)
            return
        except Exception as error:  # noqa: BLE001 - as the consume loop
            failed = f"{type(error).__name__}: {error}"
        finally:
            to.free += 1
        if not to.process.alive:  # nobody hears how it ended
            self._comes_again(consumer, stored, state.spec.ack_wait_s)
            return
        if failed:
            to.process.note(f"cannot handle {stored.subject}: {failed}")
        if failed and 0 < state.spec.deliver_max <= delivery.deliveries:
            await self._park(state, stored, delivery.deliveries, failed)
        elif failed or self._chance.loses_acknowledgement():
            self._comes_again(consumer, stored, after_s if failed else state.spec.ack_wait_s)
        else:
            self._settle(state, stored)
            self.pump_soon()

    def _comes_again(self, consumer: str, stored: Stored, after_s: float = 0.0) -> None:
        state = self._consumers[consumer]
        state.not_before[stored.sequence] = self._loop.time() + after_s
        state.running.discard(stored.sequence)
        self.pump_soon(after_s)
