"""Waiting for a run: its end, its being folded, and nobody who plans."""

import asyncio

import pytest
from msgspec.structs import replace

from appshield.cli.outcomes import lines_of, say_outcome
from appshield.cli.progress import Silent
from appshield.cli.waiting import admitted, ended
from appshield.contracts import streams
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import (
    Healed,
    NamedVersion,
    RepairProgress,
    RepositoryRepaired,
    VersionDamage,
)
from appshield.contracts.runs import Failure, Progress, Run, Trigger
from appshield.contracts.subjects import live
from appshield.errors import RunFailedError, UnavailableError
from memory_bus import MemoryBus
from planner_world import CUT_AT
from waiting import wait_until

APP = AppRef(cluster="c", namespace="shop", name="web")
RUN = Run(
    id="b-1",
    kind="backup",
    app=APP,
    app_id="a-1",
    vault="primary",
    trigger=Trigger(kind="manual", identity="request/1"),
    state="pending",
    epoch=1,
    requested_at=CUT_AT,
)


class Recorder(Silent):
    """Remembers what it is shown."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.bytes: list[int] = []

    def run_changed(self, run: Run) -> None:
        self.states.append(f"{run.id} {run.state}")

    def progressed(self, progress: Progress) -> None:
        self.bytes.append(progress.bytes_done)


async def keep(bus: MemoryBus, run: Run) -> None:
    await bus.bucket(streams.RUNS, Run).put(run.id, run)


async def test_a_run_is_followed_to_where_it_was_folded() -> None:
    """The end that counts is that of the run which makes the version."""
    bus, shown = MemoryBus(), Recorder()
    await keep(bus, replace(RUN, state="folded", folded_into="b-2"))
    await keep(bus, replace(RUN, id="b-2", state="succeeded", version=4))
    assert (await ended(bus, "b-1", shown)).version == 4
    assert shown.states == ["b-1 folded", "b-2 succeeded"]


async def test_progress_of_this_run_alone_is_shown() -> None:
    """Others of the same application are none of our business."""
    bus, shown = MemoryBus(), Recorder()
    await keep(bus, replace(RUN, state="running"))
    waiting = asyncio.create_task(ended(bus, "b-1", shown))
    await wait_until(lambda: shown.states, deadline_s=10, what="the run shown")
    for run, done in (("b-1", 5), ("b-9", 7)):
        told = Progress(app=APP, run=run, step="s", worker="w", bytes_done=done)
        await bus.tell(live("progress", APP), told)
    await keep(bus, replace(RUN, state="succeeded"))
    await waiting
    assert shown.bytes == [5]


async def test_a_run_that_nobody_admits_is_an_error_that_says_it_is_stored() -> None:
    """It names how to follow it later."""
    with pytest.raises(UnavailableError, match="the request is stored") as caught:
        await ended(MemoryBus(), "b-1", Silent(), admitted_within_s=0.01)
    assert "`appshield run b-1 --wait`" in caught.value.next_step
    assert await admitted(MemoryBus(), "b-1", Silent(), within_s=0.01) is None


async def test_who_stops_waiting_is_told_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The run is not touched."""
    bus, shown = MemoryBus(), Recorder()
    await keep(bus, replace(RUN, state="running"))
    waiting = asyncio.create_task(ended(bus, "b-1", shown))
    await wait_until(lambda: shown.states, deadline_s=10, what="the run shown")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "the run goes on. `appshield run b-1 --wait` follows it" in capsys.readouterr().err
    assert not bus.stored(streams.REQUESTS)


def test_a_failure_says_what_why_and_the_next_step() -> None:
    """Of the run's failure, with where to look when it names no step itself."""
    failure = Failure(what="the hook failed", why="exit code 3")
    with pytest.raises(RunFailedError) as caught:
        say_outcome(replace(RUN, state="failed", failure=failure), output="text")
    assert str(caught.value) == (
        "backup b-1 failed: the hook failed: exit code 3. "
        "`appshield run b-1` shows its steps, `appshield logs b-1` its log."
    )


def test_a_version_that_exists_is_said_even_where_the_run_failed_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Removing what the backup needed may fail; the version is complete all the same."""
    run = replace(RUN, state="failed", version=2, snapshot_id="abc")
    with pytest.raises(RunFailedError):
        say_outcome(run, output="text")
    assert "version 2 of shop/web exists and is complete" in capsys.readouterr().err


def test_json_of_a_failed_run_is_written_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets the record and the exit code."""
    with pytest.raises(RunFailedError):
        say_outcome(replace(RUN, state="cancelled"), output="json")
    assert '"state": "cancelled"' in capsys.readouterr().out


def test_a_catalog_run_names_its_vault() -> None:
    """It has no application of its own."""
    run = replace(RUN, kind="catalog", state="succeeded", finished_at=CUT_AT)
    assert lines_of(run) == ["Vault primary was read in 0.0 s"]


def test_a_repair_tells_what_came_from_where_and_what_stays_damaged() -> None:
    """That there is no damage is said only when all was read and none stayed."""
    damage = VersionDamage(number=2, snapshot_id="s", paths=("volumes/data/a",), paths_total=3)
    told = {
        "healed": Healed(
            sources=("offsite",),
            unused=("third: it does not answer",),
            brought=4,
            replaced=1,
            documents=(NamedVersion(number=1, snapshot_id="s"),),
        ),
        "lost": Healed(sources=("offsite",), damage=(damage,)),
        "whole": Healed(sources=("offsite",)),
    }
    lines = {name: "\n".join(lines_of(_repaired(healed))) for name, healed in told.items()}
    assert lines["healed"].splitlines() == [
        "the index of shop/web was whole",
        "not asked: Vault third: it does not answer",
        "healed from offsite: 4 blobs written anew, 1 damaged packs replaced",
        "version 1 has its document again",
    ]
    assert lines["lost"].splitlines()[1:] == [
        "what no other Vault has stays damaged:",
        "damaged: version 2: volumes/data/a",
        "damaged: version 2: and 2 more",
    ]
    assert lines["whole"].splitlines()[1:] == ["all data was read: no damage"]


def _repaired(healed: Healed) -> Run:
    done = RepositoryRepaired(
        app=APP,
        run="r-1",
        step="repair",
        attempt=1,
        app_id="a-1",
        vault="primary",
        repaired_at=CUT_AT,
        healed=healed,
    )
    progress = RepairProgress(done=done)
    return replace(RUN, kind="repair", state="succeeded", finished_at=CUT_AT, repair=progress)
