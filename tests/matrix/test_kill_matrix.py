"""Every effect of a backup and of a restore, killed before and after it, done twice, done late.

Always exactly one version, an application that runs on, and nothing left behind. The effects are
those of an undisturbed run of the real planner and of workers with real step work, on a real bus;
each time that one happens in it is a cell for each of the four moments.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from appshield.contracts.identities import run_id
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from matrix.effects import EFFECTS, LOOKS, MOMENTS, NOT_IN_A_RUN, TOLD, Effect, Moment
from matrix.stories import STORIES, Story
from matrix.world import Accident, World, world

_numbers = itertools.count(1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory: the bus syncs every message, and there are many."""
    with TemporaryDirectory(dir="/dev/shm", prefix="appshield-matrix-") as name:
        yield Path(name)


def _ask(world: World, story: Story) -> tuple[Message, str]:
    identity = f"{story}-{next(_numbers)}"
    run = run_id(story, f"request/{identity}")
    if story == "backup":
        return RequestBackup(app=world.app, request_id=identity), run
    return RequestRestore(app=world.app, request_id=identity, version=1), run


async def _undisturbed(world: World, story: Story) -> dict[Effect, int]:
    """Return what happens in a run, and how often; a restore has a version to restore."""
    if story == "restore":
        await _undisturbed(world, "backup")
    request, run = _ask(world, story)
    assert await _broken(world, await world.live_through(request, run, None), story) == []
    return dict(world.seen)


async def _broken(world: World, run: Run, story: Story) -> list[str]:
    """List every claim that does not hold after a run."""
    application, store = world.application, world.store
    broken = [
        f"it has {run.state}: {run.failure}" if run.state != "succeeded" else "",
        "the application is quiesced" if application.at_rest else "",
        f"snapshots are left: {application.snapshots}" if application.snapshots else "",
        f"loaders are left: {application.loaders}" if application.loaders else "",
        f"staged content is left: {store.staged()}" if store.staged() else "",
        *store.numbers_used_again,
    ]
    versions = [version.run for version in store.of(run.app_id).values()]
    known = [version.facts.run for version in await world.catalog()]
    if sorted(versions) != sorted(known):
        broken.append(f"the catalog knows {known}, there are {versions}")
    if story == "backup" and versions.count(run.id) != 1:
        broken.append(f"it has made {versions.count(run.id)} versions")
    if story == "restore" and not application.restored[run.id]:
        broken.append("nothing was restored")
    return [text for text in broken if text]


def _cells(effects: dict[Effect, int]) -> Iterable[tuple[Effect, int]]:
    for effect, times in sorted(effects.items()):
        yield from ((effect, nth) for nth in range(1, times + 1))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("story", STORIES)
async def test_an_accident_at_any_effect_changes_nothing_in_the_end(
    story: Story, moment: Moment, folder: Path
) -> None:
    """One cell after the other, each a run of its own of the one application."""
    missed: list[Effect] = []
    async with world(folder) as made:
        for effect, nth in _cells(await _undisturbed(made, story)):
            accident = Accident(effect, nth, moment)
            request, run = _ask(made, story)
            ended = await made.live_through(request, run, accident)
            assert await _broken(made, ended, story) == [], accident
            if not accident.happened and nth == 1:
                missed.append(effect)
        assert missed == []
        assert await made.dead() == []


@pytest.mark.parametrize("story", STORIES)
async def test_a_run_has_the_effects_that_are_written_down(story: Story, folder: Path) -> None:
    """A new one is seen here, and by whoever writes it down."""
    async with world(folder) as made:
        assert sorted(map(str, await _undisturbed(made, story))) == sorted(STORIES[story])


@pytest.mark.parametrize("port", EFFECTS, ids=lambda port: port.__name__)
def test_every_method_of_a_port_is_an_effect_or_a_look(port: type) -> None:
    """One that is new is neither yet."""
    methods = {
        name
        for kind in port.__mro__
        if kind.__module__.startswith("appshield.")
        for name in vars(kind)
        if not name.startswith("_")
    }
    assert methods == EFFECTS[port] | LOOKS[port]
    assert not EFFECTS[port] & LOOKS[port]


def test_every_effect_of_a_port_is_in_a_run_or_said_why_not() -> None:
    """No operation that changes something is forgotten."""
    every = {f"{port.__name__}.{name}" for port, names in EFFECTS.items() for name in names}
    in_runs = {line.split()[1] for lines in STORIES.values() for line in lines}
    assert in_runs | NOT_IN_A_RUN.keys() == every
    assert not in_runs & NOT_IN_A_RUN.keys()
    assert set(TOLD.values()) - NOT_IN_A_RUN.keys() == in_runs
