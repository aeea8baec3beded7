"""Every effect of a backup and of a restore, killed before and after it, done twice, done late.

Always exactly one version, an application that runs on, and nothing left behind. The effects are
those of an undisturbed run of the real services on a real bus, over an API server and a store that
are fakes; each time that one happens in it is a cell for each of the four moments.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from appshield.contracts.agents import ServiceName
from appshield.contracts.identities import run_id
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from matrix.effects import EFFECTS, LOOKS, MOMENTS, NOT_IN_A_RUN, WORDS, Effect, Moment
from matrix.stories import STORIES, Story
from matrix.world import Accident, World, world

_PARTS = sorted({(story, line.split()[0]) for story in STORIES for line in STORIES[story]})
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
    target = f"{world.app.namespace}-{identity}"
    request = RequestRestore(app=world.app, request_id=identity, version=1, target_namespace=target)
    return request, run


async def _undisturbed(world: World, story: Story) -> dict[Effect, int]:
    """Return what happens in a run, and how often, once there is a repository with a version."""
    for each in ("backup", story):
        request, run = _ask(world, each)
        assert await _broken(world, await world.live_through(request, run, None), request) == []
    return dict(world.seen)


async def _broken(world: World, run: Run, request: Message) -> list[str]:
    """List every claim that does not hold after a run."""
    around = world.around
    if run.state != "succeeded":
        return [f"it has {run.state}: {run.failure}"]
    broken = [
        "the application is quiesced" if around.quiesced() else "",
        *(f"{made} is left" for made in around.made()),
        *(f"{staged} is left" for staged in around.staged()),
    ]
    versions = around.versions(run.app_id)
    known = {version.facts.number: version for version in await world.catalog()}
    if versions != sorted((number, one.facts.run) for number, one in known.items()):
        broken.append(f"the catalog knows {sorted(known)}, there are {versions}")
    if isinstance(request, RequestRestore):
        broken += around.broken_restore(run.app_id, request.version, request.target_namespace)
        around.forget(request.target_namespace)
    elif [made for _, made in versions].count(run.id) != 1 or run.version not in known:
        broken.append(f"it has made other versions than one: {versions}")
    else:
        broken += around.broken_version(run, known[run.version])
    return [text for text in broken if text]


def _cells(effects: dict[Effect, int], service: ServiceName) -> Iterable[tuple[Effect, int]]:
    for effect, times in sorted(effects.items()):
        if effect.service == service:
            yield from ((effect, nth) for nth in range(1, times + 1))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("story", "service"), _PARTS)
async def test_an_accident_at_any_effect_changes_nothing_in_the_end(
    story: Story, service: ServiceName, moment: Moment, folder: Path
) -> None:
    """One cell after the other, each a run of its own of the one application."""
    missed: list[Effect] = []
    async with world(folder) as made:
        for effect, nth in _cells(await _undisturbed(made, story), service):
            accident = Accident(effect, nth, moment)
            request, run = _ask(made, story)
            ended = await made.live_through(request, run, accident)
            assert await _broken(made, ended, request) == [], accident
            if not accident.happened and nth == 1:
                missed.append(effect)
        assert missed == []
        assert await made.dead() == []
        await made.end()
        assert await made.around.swept_locks(made.bus) == []


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
    assert set(WORDS.values()) - NOT_IN_A_RUN.keys() == in_runs
