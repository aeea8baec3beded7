"""Planner processes that are frozen, and a message bus that is killed: each run ends once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from appshield.bus import Bus, Receipt
from appshield.contracts import encode, streams
from appshield.contracts.message import Message
from appshield.planner.leading import Leadership
from appshield.planner.service import build
from appshield.service import SystemClock
from planner_processes import Plant, freeze, plant, thaw
from planner_world import PLANNER_CONSUMERS
from waiting import wait_until

WINDOW_S = 0.1
MESSAGES_OF_A_BACKUP = 15
"""One fact, one request, six orders, six outcomes, and changes of the run."""


async def _one_run_once(running: Plant, run: str) -> None:
    ended = await running.ended(run)
    assert (ended.state, ended.failure) == ("succeeded", None)
    assert [one.id for one in await running.runs()] == [run]
    assert await running.versions() == [1]
    assert running.done(times=1), running.workers.done


@pytest.mark.parametrize("outcomes_before", [False, True])
async def test_a_leader_that_was_frozen_steps_down_and_no_step_is_done_twice(
    outcomes_before: bool,
    tmp_path: Path,
) -> None:
    """The other planner ends the run; the frozen one wakes up, and leads again when its turn comes.

    It is frozen with nothing in hand, and with outcomes of steps on their way to it.
    """
    async with plant(tmp_path) as running:
        both = (await running.start_planner(), await running.start_planner())
        leader = await running.until_leads(*both)
        other = next(one for one in both if one is not leader)
        await running.observe()
        run = await running.ask("one")
        await running.workers.at_the_gate.wait()
        if outcomes_before:
            running.workers.gate.set()
        freeze(leader)
        try:
            await running.until_leads(other)
        finally:
            thaw(leader)
        running.workers.gate.set()
        await _one_run_once(running, run)
        await other.stop(20)
        await running.until_leads(leader)
        await _one_run_once(running, run)


@pytest.mark.parametrize("outcomes_before", [False, True])
async def test_a_message_bus_killed_in_the_middle_of_a_run_loses_nothing_of_it(
    outcomes_before: bool,
    tmp_path: Path,
) -> None:
    """Planner and workers find it again, and the run ends once."""
    async with plant(tmp_path) as running:
        planner = await running.start_planner()
        await running.until_leads(planner)
        await running.observe()
        run = await running.ask("one")
        await running.workers.at_the_gate.wait()
        if outcomes_before:
            running.workers.gate.set()
        running.server.kill()
        await running.server.wait()
        await running.server.stop()
        await running.server.start()
        running.workers.gate.set()
        await _one_run_once(running, run)


class RepeatingBus:
    """A bus on which everything is published again, once the first is forgotten by the server."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._repeats: list[asyncio.Task[None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def publish(self, message: Message) -> Receipt:
        return await self.publish_raw(
            message.subject(), encode(message), message_id=message.message_id()
        )

    async def publish_raw(self, subject: str, body: bytes, *, message_id: str) -> Receipt:
        receipt = await self._bus.publish_raw(subject, body, message_id=message_id)
        self._repeats.append(asyncio.create_task(self._repeat(subject, body, message_id)))
        return receipt

    async def repeated(self) -> int:
        """Wait until everything that was published is there twice; return how much that was."""
        done = 0
        while done < len(self._repeats):
            await self._repeats[done]
            done += 1
        return done

    async def _repeat(self, subject: str, body: bytes, message_id: str) -> None:
        async def stored_again() -> bool:
            receipt = await self._bus.publish_raw(subject, body, message_id=message_id)
            return not receipt.duplicate

        await wait_until(stored_again, deadline_s=10, what=f"{message_id} stored again")


def around(bus: Bus) -> Any:
    """Put a repeating bus around the real one."""
    return RepeatingBus(bus)


async def test_everything_published_twice_outside_the_duplicate_window_is_done_once(
    tmp_path: Path,
) -> None:
    """Correctness never depends on the window: it is 100 ms here, and every message comes again."""
    stopping = asyncio.Event()
    async with plant(tmp_path, around) as running, asyncio.TaskGroup() as tasks:
        for spec in streams.STREAMS:
            await running.bus.ensure_stream(replace(spec, duplicate_window_s=WINDOW_S))
        repeating: Any = running.bus
        leadership = Leadership(running.bus, "planner")
        assert await leadership.acquire(stopping)
        tasks.create_task(leadership.keep(stopping))
        planner = build(running.bus, leadership, SystemClock())
        for consumer in PLANNER_CONSUMERS:
            tasks.create_task(running.bus.consume(consumer, planner.handle, stopping=stopping))
        running.workers.gate.set()
        await running.observe()
        one = await running.ended(await running.ask("one"))
        assert await repeating.repeated() > MESSAGES_OF_A_BACKUP
        two = await running.ended(await running.ask("two"))  # by now the repeats were handled too
        await repeating.repeated()
        assert {one.state, two.state} == {"succeeded"}
        assert {run.id for run in await running.runs()} == {one.id, two.id}
        assert await running.versions() == [1, 2]
        assert running.done(times=2), running.workers.done
        stopping.set()
