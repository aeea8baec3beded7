"""Promises to resume change hands one at a time, and a hook never runs into the next quiesce."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.contracts.agents import Agent, QuiesceLease
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.streams import AGENTS, QUIESCED
from appshield.errors import UnavailableError
from appshield.objectstore import MemoryObjectStore
from appshield.snapshotter.quiescing import Quiescing
from appshield.snapshotter.shelves import VaultShelves
from appshield.vault import Vault
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from planner_world import APP

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
APPLICATION = CapturedApplication(
    namespace=APP.namespace,
    name=APP.name,
    uid="uid-1",
    revision="r1",
    document={},
    objects=(),
    components=(
        CapturedComponent(
            name="db",
            quiesce=CapturedHook(command=("quiesce",)),
            resume=CapturedHook(command=("resume",)),
        ),
    ),
)
ORDER = TakeSnapshot(
    app=APP, run="b-1", step="take", attempt=1, epoch=1, app_id="a-1", vault="main"
)


class Container:
    """One container, whose resume hook takes as long as `slow` is not set."""

    def __init__(self) -> None:
        self.quiesced = False
        self.ran: list[str] = []
        self.resuming = asyncio.Event()
        self.slow = asyncio.Event()
        self.slow.set()

    async def ensure_possible(self, *_: Any) -> None:
        return

    async def run(self, _: Any, __: Any, hook: CapturedHook) -> None:
        [word] = hook.command
        self.ran.append(word)
        if word == "resume":
            self.resuming.set()
            await self.slow.wait()
        self.quiesced = word == "quiesce"


class OneVault:
    def __init__(self) -> None:
        self._vault = Vault(MemoryObjectStore(), bytes(32), "main")
        self._vault.initialize()

    async def open(self, _: str) -> Vault:
        return self._vault


class Place:
    """A container, a bus, and as many snapshotters as a test needs; `alive` are announced."""

    def __init__(self) -> None:
        self.bus = MemoryBus("snapshotter")
        self.container = Container()
        self.shelves = VaultShelves(OneVault())
        self.clock = FixedClock(NOW)

    def snapshotter(self, worker: str) -> Quiescing:
        return Quiescing(
            bus=self.bus,
            hooks=self.container,
            shelves=self.shelves,
            clock=self.clock,
            worker=worker,
        )

    async def announce(self, worker: str) -> None:
        agent = Agent(service="snapshotter", cluster="test", worker=worker, seen_at=NOW)
        await self.bus.bucket(AGENTS, Agent).put(f"snapshotter.test.{worker}", agent)

    async def promise(self) -> QuiesceLease | None:
        entry = await self.bus.bucket(QUIESCED, QuiesceLease).get("a-1")
        return entry.value if entry else None

    async def staged(self) -> str:
        shelf = await self.shelves.shelf("main", "a-1")
        return shelf.stage("b-1", APPLICATION.encode())

    async def leave_quiesced(self, worker: str) -> None:
        """Do what a snapshotter does before it dies in the middle of a cut."""
        lease = QuiesceLease(
            worker=worker,
            run="b-1",
            app_id="a-1",
            cluster=APP.cluster,
            namespace=APP.namespace,
            name=APP.name,
            vault="main",
            staged_sha256=await self.staged(),
            components=("db",),
            resume_by=NOW + timedelta(seconds=60),
        )
        await self.bus.bucket(QUIESCED, QuiesceLease).put("a-1", lease)
        self.container.quiesced = True


@pytest.fixture
async def place() -> Place:
    return Place()


async def test_a_dead_snapshotters_promise_is_kept_by_one_of_the_others(place: Place) -> None:
    """Both look at the same moment; the hook runs once."""
    await place.leave_quiesced("dead")
    assert place.container.quiesced
    one, two = place.snapshotter("one"), place.snapshotter("two")
    await place.announce("one")
    await place.announce("two")
    await asyncio.gather(one.resume_late(), two.resume_late())
    assert place.container.ran == ["resume"]
    assert not place.container.quiesced
    assert await place.promise() is None


async def test_a_live_snapshotters_promise_is_its_own_until_its_time_has_passed(
    place: Place,
) -> None:
    """Nobody resumes an application in the middle of a cut that goes well."""
    await place.leave_quiesced("working")
    await place.announce("working")
    other = place.snapshotter("other")
    await other.resume_late()
    assert place.container.quiesced
    promise = await place.promise()
    assert promise is not None
    place.clock.at = promise.resume_by
    await other.resume_late()
    assert not place.container.quiesced


async def test_a_new_attempt_waits_until_a_late_resume_is_over(place: Place) -> None:
    """Else that hook would run into its own quiesce, and the cut would be told consistent."""
    await place.leave_quiesced("dead")
    one = place.snapshotter("one")
    place.container.slow.clear()
    late = asyncio.create_task(one.resume_late())
    await place.container.resuming.wait()
    release = asyncio.create_task(one.release("a-1", "b-1"))
    await asyncio.wait({release}, timeout=0.05)
    assert not release.done()
    place.container.slow.set()
    await asyncio.gather(late, release)
    assert place.container.ran == ["resume"]


async def test_a_new_attempt_elsewhere_is_told_to_come_again(place: Place) -> None:
    """Another snapshotter is at it, and says so by the promise."""
    await place.leave_quiesced("dead")
    one, two = place.snapshotter("one"), place.snapshotter("two")
    await place.announce("one")
    place.container.slow.clear()
    late = asyncio.create_task(one.resume_late())
    await place.container.resuming.wait()
    with pytest.raises(UnavailableError, match="has not resumed yet"):
        await two.release("a-1", "b-1")
    place.container.slow.set()
    await late
    await two.release("a-1", "b-1")


async def test_a_cut_during_which_somebody_resumed_is_not_told_consistent(place: Place) -> None:
    """A snapshotter that was stopped for long wakes up and sees that its promise is gone."""
    slow, other = place.snapshotter("slow"), place.snapshotter("other")
    async with slow.quiesced(ORDER, APPLICATION, await place.staged(), block_s=60) as quiesced:
        await other.resume_late()
    assert not quiesced.whole
    assert not place.container.quiesced


async def test_one_thought_dead_does_not_resume_in_the_middle_of_anothers_cut(
    place: Place,
) -> None:
    """It was stopped in its own cut; when it wakes up it waits until the other's is over."""
    slow, other = place.snapshotter("slow"), place.snapshotter("other")
    await place.announce("other")
    begun, over = asyncio.Event(), asyncio.Event()

    async def cut_slowly() -> bool:
        async with slow.quiesced(ORDER, APPLICATION, await place.staged(), block_s=60) as quiesced:
            begun.set()
            await over.wait()
        return quiesced.whole

    first = asyncio.create_task(cut_slowly())
    await begun.wait()
    await other.release("a-1", "b-1")
    async with other.quiesced(ORDER, APPLICATION, await place.staged(), block_s=60) as quiesced:
        over.set()
        await asyncio.wait({first}, timeout=0.05)
        assert place.container.quiesced
    assert quiesced.whole
    assert not await first
    assert not place.container.quiesced
