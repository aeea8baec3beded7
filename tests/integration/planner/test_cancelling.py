"""A run cancelled at each of its steps, on a real bus with a real planner: nothing stays behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import run_id
from appshield.contracts.requests import RequestCancel, RequestRestore
from appshield.contracts.runs import Run
from planner_processes import Plant, plant
from planner_world import APP
from restoring_workers import BACKUP_STEPS, RESTORE_STEPS, RestoringWorkers
from waiting import wait_until

HELD_WITHIN_S = 60.0


class Place:
    """A planner with one application that has one version."""

    def __init__(self, planted: Plant, workers: RestoringWorkers) -> None:
        self.plant = planted
        self.workers = workers
        self._asked = 0

    async def back_up(self) -> str:
        self._asked += 1
        return await self.plant.ask(f"backup-{self._asked}")

    async def restore(self) -> str:
        self._asked += 1
        request = f"restore-{self._asked}"
        await self.plant.bus.publish(RequestRestore(app=APP, request_id=request, version=1))
        return run_id("restore", f"request/{request}")

    async def held(self) -> None:
        """Wait until a step is held."""
        async with asyncio.timeout(HELD_WITHIN_S):
            await self.workers.is_held.wait()

    async def cancel(self, step: str, run: str) -> None:
        """Ask for the end of a run that is at a step."""
        request = RequestCancel(app=APP, request_id=f"{step}-{run}", actor="eve", run=run)
        await self.plant.bus.publish(request)

    async def cancelled_at(self, step: str, run: str) -> Run:
        """Cancel a run while it is at a step, and return it as it ends."""
        await self.held()
        await self.cancel(step, run)
        return await self.plant.ended(run)

    async def ensure_nothing_is_left(self) -> None:
        """Nothing in the world, nothing in line, no order that anybody could still get."""
        assert self.workers.world == set()
        records = self.plant.bus.bucket(streams.APPLICATIONS, ApplicationRecord)

        async def at_rest() -> bool:  # its place in line is given back after the run has ended
            [record] = [entry.value async for entry in records.items()]
            return (record.active_run, record.pending_runs) == ("", ())

        await wait_until(at_rest, deadline_s=HELD_WITHIN_S, what="nothing is in line")


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    workers = RestoringWorkers()
    async with plant(tmp_path_factory.mktemp("cancelling"), workers=workers) as planted:
        await planted.until_leads(await planted.start_planner())
        await planted.observe()
        made = Place(planted, workers)
        assert (await planted.ended(await made.back_up())).state == "succeeded"
        yield made


@pytest.mark.parametrize("step", [step for step in BACKUP_STEPS if step != "release"])
async def test_a_backup_cancelled_at_a_step_makes_no_version(step: str, place: Place) -> None:
    """The application is resumed, the cut is gone, and the next run begins."""
    before = await place.plant.versions()
    place.workers.hold(step)
    run = await place.cancelled_at(step, await place.back_up())
    assert run.state == "cancelled"
    assert "asked by eve" in str(run.failure)
    assert all(one.state != "running" for one in run.steps)
    await place.ensure_nothing_is_left()
    assert await place.plant.versions() == before


@pytest.mark.parametrize("step", [step for step in RESTORE_STEPS if step != "finish"])
async def test_a_restore_cancelled_at_a_step_leaves_no_loader(step: str, place: Place) -> None:
    """What mounts its volumes is gone, and the next run begins."""
    place.workers.hold(step)
    run = await place.cancelled_at(step, await place.restore())
    assert run.state == "cancelled"
    assert all(one.state != "running" for one in run.steps)
    await place.ensure_nothing_is_left()


async def test_what_is_being_removed_already_is_removed_to_its_end(place: Place) -> None:
    """A cancellation that comes so late changes nothing: the version exists."""
    before = await place.plant.versions()
    place.workers.hold("release")
    run = await place.back_up()
    await place.held()
    await place.cancel("release", run)
    entry = await place.plant.bus.bucket(streams.RUNS, Run).get(run)
    assert entry is not None
    assert (entry.value.state, entry.value.ends_as) == ("ending", "succeeded")
    place.workers.going.set()
    assert (await place.plant.ended(run)).state == "succeeded"
    assert len(await place.plant.versions()) == len(before) + 1
    await place.ensure_nothing_is_left()


async def test_a_cancelled_run_lets_the_next_one_begin(place: Place) -> None:
    """It waited for its turn, and comes to its own end."""
    place.workers.hold("store")
    first = await place.back_up()
    await place.held()
    second = await place.restore()
    await place.cancel("store", first)
    assert (await place.plant.ended(first)).state == "cancelled"
    assert (await place.plant.ended(second)).state == "succeeded"
    await place.ensure_nothing_is_left()
