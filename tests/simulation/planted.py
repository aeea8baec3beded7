"""Bugs to plant: each takes one promise out of the product, as a careless change would."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
from msgspec.structs import replace

from appshield.bus import Entry
from appshield.contracts.agents import CommitRecord
from appshield.contracts.runs import Run
from appshield.planner import backing_up
from appshield.planner.handling import Planner
from appshield.planner.leading import Leadership
from appshield.planner.queueing import Queue
from appshield.planner.registry import Registry
from appshield.planner.runs import Runs
from appshield.planner.steps import Next
from appshield.service import steps
from appshield.snapshotter.quiescing import Quiescing
from appshield.uploader.publishing import Publishing
from simulation.stories import Story, cancelled_in_its_commit, some_days_work

Planting = Callable[[], contextlib.AbstractContextManager[Any]]


@contextmanager
def acknowledged_before_published() -> Iterator[None]:
    """State is written, the cause acknowledged, and the promises are published some time later."""
    later: set[asyncio.Task[Any]] = set()

    async def early(self: Runs, seen: Entry[Run], run: Run) -> Entry[Run]:
        self.forget(run.id)
        revision = seen.revision
        if run != seen.value:
            revision = await self._bucket.update(run.id, replace(run, outbox=()), revision)
        for promised in run.outbox:
            task = asyncio.ensure_future(self._outboxes.publish_one(promised))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            later.add(task)
        return Entry(value=replace(run, outbox=()), revision=revision)

    with mock.patch.object(Runs, "write", early):
        yield


@contextmanager
def no_outbox() -> Iterator[None]:
    """State is written without its promises, which are published after that, if at all."""

    async def without(self: Runs, seen: Entry[Run], run: Run) -> Entry[Run]:
        self.forget(run.id)
        bare = replace(run, outbox=())
        revision = seen.revision
        if bare != seen.value:
            revision = await self._bucket.update(run.id, bare, revision)
        for promised in run.outbox:
            await self._outboxes.publish_one(promised)
        return Entry(value=bare, revision=revision)

    with mock.patch.object(Runs, "write", without):
        yield


@contextmanager
def state_written_whatever_it_is_now() -> Iterator[None]:
    """A run is written without comparing it with what was read: epochs fence nothing."""

    async def over(self: Runs, seen: Entry[Run], run: Run) -> Entry[Run]:
        self.forget(run.id)
        await self._bucket.put(run.id, run)
        for promised in run.outbox:
            await self._outboxes.publish_one(promised)
        cleared = replace(run, outbox=())
        revision = await self._bucket.put(run.id, cleared)
        return Entry(value=cleared, revision=revision)

    with mock.patch.object(Runs, "write", over):
        yield


def no_look_at_the_run() -> contextlib.AbstractContextManager[Any]:
    """Workers do every order that comes, whatever became of its run."""
    return mock.patch.object(steps, "unwanted", return_value=None)


@contextmanager
def two_leaders() -> Iterator[None]:
    """Planners do not look at their lease, and take it from each other."""

    async def acquire(self: Leadership, stopping: asyncio.Event) -> bool:
        self._revision = await self._bucket.put("planner", self._holder)
        self.epoch = self._revision
        return True

    async def keep(self: Leadership, stopping: asyncio.Event) -> None:
        await stopping.wait()

    with (
        mock.patch.object(Leadership, "acquire", acquire),
        mock.patch.object(Leadership, "keep", keep),
        mock.patch.object(Leadership, "held", return_value=True),
    ):
        yield


@contextmanager
def resume_lost() -> Iterator[None]:
    """Nobody keeps a promise to resume that a dead snapshotter made."""

    async def nothing(self: Quiescing, *_: Any) -> None:
        return

    with (
        mock.patch.object(Quiescing, "resume_late", nothing),
        mock.patch.object(Quiescing, "release", nothing),
    ):
        yield


def number_used_again() -> contextlib.AbstractContextManager[Any]:
    """The next version is one above the newest, whatever was promised before."""

    async def newest(self: Registry, run: Run, *, at_least_above: int) -> int:
        record = self.get(run.app_id)
        return (record.last_version if record else 0) + 1

    return mock.patch.object(Registry, "number_for", newest)


def commit_not_written_ahead() -> contextlib.AbstractContextManager[Any]:
    """Whoever commits publishes what it has sealed itself."""

    async def own(self: Publishing, key: str, made: Any, useless: Any) -> Any:
        return made

    async def nothing(self: Publishing, key: str) -> Entry[CommitRecord] | None:
        return None

    patches = contextlib.ExitStack()
    patches.enter_context(mock.patch.object(Publishing, "write_ahead", own))
    patches.enter_context(mock.patch.object(Publishing, "written", nothing))
    return patches


def nothing_released() -> contextlib.AbstractContextManager[Any]:
    """A backup that fails or is cancelled leaves what it made."""

    def only_after_success(run: Run) -> tuple[Any, ...]:
        return () if run.ends_as != "succeeded" else (Next("release"),)

    return mock.patch.object(backing_up, "last", only_after_success)


@contextmanager
def next_one_forgotten() -> Iterator[None]:
    """A planner that takes over starts nothing that waited, not when it looks again either."""

    async def loaded(self: Planner) -> None:
        await self._registry.load()
        await self._policing.reconcile(self._turns)

    async def nothing(self: Planner) -> None:
        return

    with (
        mock.patch.object(Planner, "reconcile", loaded),
        mock.patch.object(Planner, "look_again", nothing),
    ):
        yield


@contextmanager
def runs_at_once() -> Iterator[None]:
    """Every run begins when it is admitted, whatever runs already."""

    async def at_once(self: Queue, entry: Entry[Run]) -> None:
        await self.start_beside(entry)

    with mock.patch.object(Queue, "admit", at_once):
        yield


class Planted(msgspec.Struct, frozen=True):
    """A bug to plant, a seed that has found it and is tried first, and the story that is told.

    The state machine finds it, too, where `by_use` says so: the others need accidents that come
    together as only a thousand stories have them.
    """

    plant: Planting
    likely: int
    story: Story = some_days_work
    by_use: bool = False


PLANTED: Mapping[str, Planted] = {
    "acknowledged before published": Planted(acknowledged_before_published, 4),
    "no outbox": Planted(no_outbox, 6, by_use=True),
    "no compare of epochs": Planted(state_written_whatever_it_is_now, 1, by_use=True),
    "no look at the run": Planted(no_look_at_the_run, 370),
    "two leaders": Planted(two_leaders, 8, by_use=True),
    "resume lost": Planted(resume_lost, 373),
    "number used again": Planted(number_used_again, 7, cancelled_in_its_commit),
    "commit not written ahead": Planted(commit_not_written_ahead, 315),
    "nothing released": Planted(nothing_released, 5, by_use=True),
    "next one forgotten": Planted(next_one_forgotten, 160),
    "runs at once": Planted(runs_at_once, 0, by_use=True),
}
