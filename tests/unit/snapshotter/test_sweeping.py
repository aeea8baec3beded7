"""What was made for a run that has ended is swept; nothing else is touched."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from appshield.contracts.runs import Run, RunState, Trigger
from appshield.contracts.streams import RUNS
from appshield.kubernetes.kinds import POD, PVC
from appshield.podvolumes import labels_of
from appshield.snapshotter.quiescing import Quiescing
from appshield.snapshotter.releasing import Releasing
from appshield.snapshotter.shelves import VaultShelves
from appshield.snapshotter.sweeping import Sweeping
from fake_kubernetes import FakeKubernetes
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from planner_world import APP
from simulation.outside import Outside
from simulation.workers import Hooks

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SYSTEM = "appshield-system"


class Place:
    """A cluster, a bus, and what sweeps."""

    def __init__(self, kubernetes: FakeKubernetes, sweeping: Sweeping, bus: MemoryBus) -> None:
        self.kubernetes = kubernetes
        self.sweeping = sweeping
        self._bus = bus

    async def run(self, name: str, state: RunState) -> None:
        run = Run(
            id=name,
            kind="backup",
            app=APP,
            app_id="a-1",
            vault="primary",
            trigger=Trigger(kind="manual", identity=name),
            state=state,
            epoch=1,
            requested_at=NOW,
        )
        await self._bus.bucket(RUNS, Run).create(name, run)

    def make(self, run: str) -> None:
        for kind, version in (("Pod", "v1"), ("PersistentVolumeClaim", "v1")):
            meta = {"name": f"copy-{run}", "namespace": SYSTEM, "labels": labels_of(run)}
            self.kubernetes.put({"apiVersion": version, "kind": kind, "metadata": meta})

    def left(self, run: str) -> list[bool]:
        names = (self.kubernetes.take(kind, f"copy-{run}", SYSTEM) for kind in (POD, PVC))
        return [found is not None for found in names]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as kubernetes, kubernetes.cluster() as cluster:
        bus, shelves = MemoryBus(), VaultShelves(Outside([], []))
        hooks: Hooks = Hooks.__new__(Hooks)  # nothing is resumed here
        quiescing = Quiescing(
            bus=bus, hooks=hooks, shelves=shelves, clock=FixedClock(NOW), worker="one"
        )
        releasing = Releasing(
            cluster, quiescing=quiescing, shelves=shelves, system_namespace=SYSTEM
        )
        yield Place(kubernetes, Sweeping(cluster, bus=bus, releasing=releasing), bus)


async def test_what_was_made_late_for_a_run_that_has_ended_goes(place: Place) -> None:
    """Pods, claims and snapshots, wherever they are."""
    await place.run("b-ended", "cancelled")
    place.make("b-ended")
    await place.sweeping.sweep()
    assert place.left("b-ended") == [False, False]


async def test_what_a_run_under_way_needs_stays(place: Place) -> None:
    """It is removed by the run itself."""
    await place.run("b-running", "running")
    place.make("b-running")
    await place.sweeping.sweep()
    assert place.left("b-running") == [True, True]


async def test_what_another_installation_made_stays(place: Place) -> None:
    """Its runs are not known here, and may be under way."""
    place.make("b-unknown")
    await place.sweeping.sweep()
    assert place.left("b-unknown") == [True, True]
