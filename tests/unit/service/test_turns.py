"""Orders for one step take turns, whoever delivers them and however often."""

import asyncio
from datetime import UTC, datetime

from msgspec.structs import replace

from appshield.bus import Delivery
from appshield.contracts.maintenance import PruneRepository, RepositoryPruned
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import Run, Step, Trigger
from appshield.contracts.streams import OUTCOMES, RUNS
from appshield.service.steps import StepContext, StepWork, outcome
from memory_bus import MemoryBus
from planner_world import APP

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
STEP = Step(name="prune", state="running", attempt=1, epoch=1, started_at=NOW, deadline_at=NOW)
RUN = Run(
    id="b-1",
    kind="backup",
    app=APP,
    app_id="a-1",
    vault="main",
    trigger=Trigger(kind="manual", identity="one"),
    state="running",
    epoch=1,
    requested_at=NOW,
    steps=(STEP,),
)
ORDER = PruneRepository(
    app=APP, run="b-1", step="prune", attempt=1, epoch=1, app_id="a-1", vault="main"
)


class Work:
    """Counts how many are at work at once, and lets them wait."""

    def __init__(self) -> None:
        self.begun = 0
        self.at_once = 0
        self.most = 0
        self.at_work = asyncio.Event()
        self.go_on = asyncio.Event()

    async def prune(self, command: StepCommand, _: StepContext) -> StepEvent:
        self.begun += 1
        self.at_work.set()
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.go_on.wait()
        finally:
            await asyncio.sleep(0)  # winding up takes a moment
            self.at_once -= 1
        return outcome(RepositoryPruned, command, app_id="a-1", vault="main", pruned_at=NOW)


def delivery(command: StepCommand) -> Delivery:
    return Delivery(
        message=command,
        subject=command.subject(),
        message_id=command.message_id(),
        sequence=1,
        deliveries=1,
        published_at=NOW,
        headers={},
    )


async def test_an_order_that_comes_twice_at_once_is_done_once_and_answered_twice() -> None:
    """The second one finds the record of the first."""
    bus, work = MemoryBus("uploader"), Work()
    await bus.bucket(RUNS, Run).create("b-1", RUN)
    worker = StepWork(bus, worker="worker", handlers={PruneRepository: work.prune})
    both = asyncio.gather(worker.handle(delivery(ORDER)), worker.handle(delivery(ORDER)))
    work.go_on.set()
    await both
    assert work.begun == 1
    assert len(bus.published(OUTCOMES)) == 1, "the same outcome under the same identity"


async def test_a_new_attempt_begins_when_the_one_before_has_wound_up() -> None:
    """Two attempts of one step never touch the cluster at the same time in one worker."""
    bus, work = MemoryBus("uploader"), Work()
    runs = bus.bucket(RUNS, Run)
    revision = await runs.create("b-1", RUN)
    worker = StepWork(bus, worker="worker", handlers={PruneRepository: work.prune})
    first = asyncio.create_task(worker.handle(delivery(ORDER)))
    await work.at_work.wait()
    again = replace(RUN, steps=(replace(STEP, attempt=2),))
    await runs.update("b-1", again, revision)
    second = asyncio.create_task(worker.handle(delivery(replace(ORDER, attempt=2))))
    await first
    work.go_on.set()
    await second
    assert (work.begun, work.most) == (2, 1)
