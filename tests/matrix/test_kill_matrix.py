"""Every effect of backups and of restores, killed before and after it, done twice, done late.

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
from matrix.effects import EFFECTS, LOOKS, MOMENTS, NOT_IN_A_RUN, WORDS, Effect
from matrix.stories import BEFORE, LIKE, STORIES, Story
from matrix.world import Accident, World, world

_PARTS = sorted({(story, line.split()[0]) for story in STORIES for line in STORIES[story]})
_numbers = itertools.count(1)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory: the bus syncs every message, and there are many."""
    with TemporaryDirectory(dir="/dev/shm", prefix="appshield-matrix-") as name:
        yield Path(name)


async def _ask(world: World, story: Story) -> tuple[Message, str]:
    """Let there be what a story begins with; return what is asked for, and the run that it is."""
    identity = f"{story.replace(' ', '-')}-{next(_numbers)}"
    if story in {"first backup", "backup"}:
        if story == "first backup":
            await world.begin_history()
        return RequestBackup(app=world.app, request_id=identity), run_id(
            "backup", f"request/{identity}"
        )
    onto_data = story == "restore onto data"
    target = "shop-stopped" if onto_data else f"{world.app.namespace}-{identity}"
    if onto_data:
        world.around.let_differ(target)
    request = RequestRestore(
        app=world.app,
        request_id=identity,
        version=1,
        target_namespace=target,
        existing=onto_data,
        delete_extra=onto_data,
    )
    return request, run_id("restore", f"request/{identity}")


async def _undisturbed(world: World, story: Story) -> dict[Effect, int]:
    """Return what happens in a run, and how often."""
    for each in BEFORE[story]:
        await _seen(world, each)
    return await _seen(world, story)


async def _seen(world: World, story: Story) -> dict[Effect, int]:
    request, run = await _ask(world, story)
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
        if not request.existing:
            around.forget(request.target_namespace)
    elif [made for _, made in versions].count(run.id) != 1 or run.version not in known:
        broken.append(f"it has made other versions than one: {versions}")
    else:
        broken += around.broken_version(run, known[run.version])
    return [text for text in broken if text]


def _cells(effects: dict[Effect, int], story: Story, service: ServiceName) -> Iterable[Accident]:
    for moment in MOMENTS:
        for effect, times in sorted(effects.items()):
            if effect.service == service and str(effect) in STORIES[story]:
                yield from (Accident(effect, nth, moment) for nth in range(1, times + 1))


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("story", "service"), _PARTS)
async def test_an_accident_at_any_effect_changes_nothing_in_the_end(
    story: Story, service: ServiceName, folder: Path
) -> None:
    """One cell after the other, each a run of its own, in one world: to make one takes long."""
    missed: list[Accident] = []
    async with world(folder) as made:
        for accident in _cells(await _undisturbed(made, story), story, service):
            request, run = await _ask(made, story)
            ended = await made.live_through(request, run, accident)
            assert await _broken(made, ended, request) == [], accident
            if not accident.happened and accident.nth == 1:
                missed.append(accident)
        assert missed == []
        assert await made.dead() == []
        await made.end()
        assert await made.around.swept_locks(made.bus) == []


@pytest.mark.parametrize("story", STORIES)
async def test_a_run_has_the_effects_that_are_written_down(story: Story, folder: Path) -> None:
    """A new one is seen here, and by whoever writes it down."""
    async with world(folder) as made:
        happened = set(map(str, await _undisturbed(made, story)))
        usual = set(STORIES[LIKE[story]]) if story in LIKE else set()
        assert sorted(happened - usual) == sorted(set(STORIES[story]) - usual)
        assert set(STORIES[story]) <= happened


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
