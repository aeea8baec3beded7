"""The promise to resume comes before the quiesce, and the resume comes whatever happens."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook
from appshield.contracts.agents import QuiesceLease
from appshield.contracts.backups import TakeSnapshot
from appshield.contracts.runs import Run, RunState, Trigger
from appshield.contracts.streams import QUIESCED, RUNS
from appshield.errors import AppShieldError, DeadlineError, NotFoundError, RunFailedError
from appshield.objectstore import MemoryObjectStore
from appshield.podvolumes.components import NoWorkloadError
from appshield.service.steps import Superseded
from appshield.snapshotter.quiescing import Quiescing, again_s
from appshield.vault import ApplicationShelf, Vault
from failing_store import names_in
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from planner_world import APP

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORDER = TakeSnapshot(
    app=APP, run="b-1", step="take", attempt=1, epoch=1, app_id="a-1", vault="main"
)


def part(name: str, **changes: Any) -> CapturedComponent:
    quiesce = CapturedHook(command=("quiesce", name), timeout_s=20, **changes)
    return CapturedComponent(
        name=name, quiesce=quiesce, resume=CapturedHook(command=("resume", name))
    )


def application(*parts: CapturedComponent) -> CapturedApplication:
    return CapturedApplication(
        namespace="shop",
        name="shop",
        uid="u-1",
        revision="r-1",
        document={},
        objects=(),
        components=parts,
    )


class Place:
    """Hooks that end as the test says, and everything around them in memory."""

    def __init__(self) -> None:
        self.bus = MemoryBus("snapshotter")
        self.store = MemoryObjectStore()
        self.vault = Vault(self.store, bytes(32), "main")
        self.vault.initialize()
        self.clock = FixedClock(NOW)
        self.ran: list[str] = []
        self.promised: list[bool] = []
        self.fails: dict[str, AppShieldError] = {}
        self.impossible: dict[str, AppShieldError] = {}
        self.quiescing = Quiescing(
            bus=self.bus, hooks=self, shelves=self, clock=self.clock, worker="w"
        )

    async def shelf(self, vault: str, app_id: str) -> ApplicationShelf:
        return self.vault.application(app_id)

    async def ensure_possible(
        self, _: CapturedApplication, component: CapturedComponent, __: CapturedHook
    ) -> None:
        if component.name in self.impossible:
            raise self.impossible[component.name]

    async def run(self, _: CapturedApplication, __: CapturedComponent, hook: CapturedHook) -> None:
        words = " ".join(hook.command)
        self.ran.append(words)
        self.promised.append(await self.promise() is not None)
        if words in self.fails:
            raise self.fails[words]

    async def promise(self) -> QuiesceLease | None:
        entry = await self.bus.bucket(QUIESCED, QuiesceLease).get("a-1")
        return entry.value if entry else None

    async def cut(self, *parts: CapturedComponent, error: Exception | None = None) -> bool:
        """Quiesce for a block that does nothing or fails; return whether it was whole."""
        found = application(*parts)
        staged = self.vault.application("a-1").stage("b-1", found.encode())
        async with self.quiescing.quiesced(ORDER, found, staged, block_s=60) as quiesced:
            if error is not None:
                raise error
        return quiesced.whole

    async def end_run(self, state: RunState) -> None:
        run = Run(
            id="b-1",
            kind="backup",
            app=APP,
            app_id="a-1",
            vault="main",
            trigger=Trigger(kind="manual", identity="x"),
            state=state,
            epoch=1,
            requested_at=NOW,
        )
        await self.bus.bucket(RUNS, Run).put("b-1", run)

    def staged(self) -> list[str]:
        return names_in(self.store, "applications/a-1/staging")


@pytest.fixture
async def place() -> Place:
    return Place()


async def test_every_hook_runs_under_a_promise_that_is_gone_afterwards(place: Place) -> None:
    """First all quiesce hooks in their order, at the end all that resume."""
    assert await place.cut(part("db"), part("cache"))
    assert place.ran[:2] == ["quiesce db", "quiesce cache"]
    assert sorted(place.ran[2:]) == ["resume cache", "resume db"]
    assert all(place.promised)
    assert await place.promise() is None


async def test_without_hooks_nothing_is_promised(place: Place) -> None:
    """Nor for a component whose data nobody saves."""
    none = CapturedComponent(
        name="x",
        strategy="none",
        quiesce=CapturedHook(command=("q",)),
        resume=CapturedHook(command=("r",)),
    )
    assert await place.cut(CapturedComponent(name="web"), none)
    assert place.ran == []


async def test_a_hook_that_has_nothing_to_run_in_is_told_before_anything_waits(
    place: Place,
) -> None:
    """No promise is made that nobody could keep."""
    place.impossible["cache"] = NotFoundError("no pod of component cache runs")
    with pytest.raises(NotFoundError, match="no pod of component cache"):
        await place.cut(part("db"), part("cache"))
    assert place.ran == []
    assert await place.promise() is None


async def test_what_may_fail_is_left_out_of_quiesce_and_resume(place: Place) -> None:
    """The version is told to be less than consistent."""
    place.impossible["cache"] = NotFoundError("no pod of component cache runs")
    assert not await place.cut(part("db"), part("cache", on_error="continue"))
    assert place.ran == ["quiesce db", "resume db"]


@pytest.mark.parametrize("error", [RunFailedError("it said no"), DeadlineError("it hangs")])
async def test_after_a_quiesce_that_failed_everything_resumes_and_the_failure_is_told(
    place: Place, error: AppShieldError
) -> None:
    """Also what was never reached: resuming twice is harmless, not resuming is not."""
    place.fails["quiesce db"] = error
    with pytest.raises(type(error), match=str(error)):
        await place.cut(part("db"), part("cache"))
    assert sorted(place.ran) == ["quiesce db", "resume cache", "resume db"]
    assert await place.promise() is None


async def test_after_a_cut_that_failed_the_application_resumes(place: Place) -> None:
    """Whatever was raised, it is what is told."""
    with pytest.raises(ZeroDivisionError):
        await place.cut(part("db"), error=ZeroDivisionError())
    assert place.ran == ["quiesce db", "resume db"]
    assert await place.promise() is None


async def test_what_failed_first_is_told_when_the_resume_fails_too(place: Place) -> None:
    """The promise stays, and it is due at once."""
    place.fails["quiesce db"] = RunFailedError("the quiesce failed")
    place.fails["resume db"] = RunFailedError("the resume failed")
    with pytest.raises(RunFailedError, match="the quiesce failed"):
        await place.cut(part("db"))
    promise = await place.promise()
    assert promise is not None
    assert promise.resume_by == NOW


async def test_one_resume_that_fails_does_not_keep_the_others_waiting(place: Place) -> None:
    """All are tried; the error names those that failed."""
    place.fails["resume db"] = RunFailedError("cannot thaw")
    with pytest.raises(RunFailedError, match=r"shop/shop did not resume: db: cannot thaw\."):
        await place.cut(part("db"), part("cache"))
    assert "resume cache" in place.ran


async def test_a_promise_lasts_as_long_as_the_work_may_take(place: Place) -> None:
    """Hooks, cut and some grace; nobody else resumes before that."""
    found = application(part("db"), part("cache"))
    staged = place.vault.application("a-1").stage("b-1", found.encode())
    async with place.quiescing.quiesced(ORDER, found, staged, block_s=60):
        promise = await place.promise()
    assert promise is not None
    assert promise.resume_by >= NOW + timedelta(seconds=20 + 20 + 60)


async def test_a_workload_that_is_gone_has_nothing_to_resume(place: Place) -> None:
    """Its namespace was deleted meanwhile: the promise is kept by doing nothing."""
    place.fails["resume db"] = NoWorkloadError("component db has no workload")
    assert await place.cut(part("db"))
    assert await place.promise() is None


async def test_a_resume_that_fails_is_tried_less_and_less_often(place: Place) -> None:
    """And without end, until it succeeds."""
    place.fails["resume db"] = RunFailedError("not yet")
    with pytest.raises(RunFailedError):
        await place.cut(part("db"))
    tried = []
    for second in range(1, 200):
        place.clock.at = NOW + timedelta(seconds=second)
        before = len(place.ran)
        await place.quiescing.resume_late()
        if len(place.ran) > before:
            tried.append(second)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert len(tried) < 12
    del place.fails["resume db"]
    place.clock.at += timedelta(seconds=again_s(100))
    await place.quiescing.resume_late()
    assert await place.promise() is None


@pytest.mark.parametrize(("state", "left"), [("failed", 0), ("running", 1)])
async def test_what_a_late_resume_needed_goes_when_its_run_has_ended(
    place: Place, state: RunState, left: int
) -> None:
    """A run that goes on removes it itself, and may need it before."""
    place.fails["resume db"] = RunFailedError("not yet")
    with pytest.raises(RunFailedError):
        await place.cut(part("db"))
    await place.end_run(state)
    assert len(place.staged()) == 1
    place.fails.clear()
    await place.quiescing.resume_late()
    assert await place.promise() is None
    assert len(place.staged()) == left


async def test_a_run_that_ended_before_the_promise_quiesces_nothing(place: Place) -> None:
    """What the promise needs is gone with the run: nobody could keep it."""
    await place.end_run("succeeded")
    with pytest.raises(Superseded):
        await place.cut(part("db"))
    assert place.ran == ["resume db"]
    assert await place.promise() is None
