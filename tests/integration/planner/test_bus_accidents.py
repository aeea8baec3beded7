"""What people do to a message bus: consumers deleted, buckets purged. The planner goes on."""

from collections.abc import AsyncIterator

import pytest

from appshield.bus.jetstream import JetStreamBus
from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec
from planner_processes import Plant, plant
from waiting import wait_until


@pytest.fixture
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    """A planner, workers and an application; a backup waits in the middle."""
    async with plant(tmp_path_factory.mktemp("accidents")) as made:
        await made.until_leads(await made.start_planner())
        await made.observe()
        yield made


async def _purge(running: Plant, bucket: BucketSpec) -> None:
    assert isinstance(running.bus, JetStreamBus)
    await running.bus._topology.purge(f"KV_{bucket.name}", {})


@pytest.mark.parametrize("consumer", [streams.PLANNER_OUTCOMES, streams.UPLOADER_ORDERS])
async def test_a_consumer_that_a_person_deletes_is_made_again_and_the_run_goes_on(
    consumer: ConsumerSpec, running: Plant
) -> None:
    """Nothing is lost: what it had not acknowledged is still in the stream."""
    run = await running.ask("one")
    await running.workers.at_the_gate.wait()
    await running.bus.remove_consumer(consumer, purge=False)
    running.workers.gate.set()
    assert (await running.ended(run)).state == "succeeded"
    assert await running.versions() == [1]


async def test_purged_runs_leave_an_application_that_can_be_backed_up(running: Plant) -> None:
    """The run is gone with its key; the next one takes its turn, with a number of its own."""
    await running.ask("lost")
    await running.workers.at_the_gate.wait()
    await _purge(running, streams.RUNS)
    running.workers.gate.set()
    assert (await running.ended(await running.ask("next"))).state == "succeeded"
    assert len(await running.versions()) == 1


async def test_a_purged_registry_is_learned_again_from_the_facts_and_the_runs(
    running: Plant,
) -> None:
    """The application is known again, the run under way keeps its turn, and ends well."""
    run = await running.ask("one")
    await running.workers.at_the_gate.wait()
    await _purge(running, streams.APPLICATIONS)
    later = await running.ask("later")

    async def regained() -> bool:
        bucket = running.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
        found = [entry.value async for entry in bucket.items()]
        return [record.active_run for record in found] == [run]

    await wait_until(regained, deadline_s=30, what="the registry learned again")
    running.workers.gate.set()
    assert (await running.ended(run)).state == "succeeded"
    assert (await running.ended(later)).state == "succeeded"
    assert await running.versions() == [1, 2]


async def test_a_purged_catalog_is_filled_by_what_comes_and_numbers_go_on(running: Plant) -> None:
    """No number is given twice; older versions come back with `rebuild-catalog`."""
    running.workers.gate.set()
    assert (await running.ended(await running.ask("one"))).state == "succeeded"
    await _purge(running, streams.CATALOG)
    assert await running.versions() == []
    assert (await running.ended(await running.ask("two"))).state == "succeeded"
    assert await running.versions() == [2]
