"""A run that is waited for is told in order, in a pipe and on a terminal."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from appshield.cli.progress import Lines, headline
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Failure, Progress, Run, Step, Trigger

APP = AppRef(cluster="c", namespace="shop", name="web")
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
RUN = Run(
    id="b-1",
    kind="backup",
    app=APP,
    app_id="a-1",
    vault="primary",
    trigger=Trigger(kind="manual", identity="request/1"),
    state="pending",
    epoch=1,
    requested_at=AT,
)
TAKE = Step(name="take", state="running", attempt=1, epoch=1, started_at=AT, deadline_at=AT)
DONE = replace(TAKE, state="done", finished_at=AT + timedelta(seconds=2))


def test_each_change_is_one_line_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """First the run, then its steps; at the end the other way round."""
    with Lines() as shown:
        shown.run_changed(RUN)
        running = replace(RUN, state="running", steps=(TAKE,))
        shown.run_changed(running)
        shown.run_changed(running)
        shown.run_changed(replace(RUN, state="succeeded", steps=(DONE,), version=3))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "b-1: backup of shop/web pending",
        "b-1: backup of shop/web running",
        "  take: running",
        "  take: done after 2.0 s",
        "b-1: backup of shop/web succeeded, version 3",
    ]


def test_a_step_that_failed_says_why_and_its_next_attempt_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing of a struggle is hidden."""
    failure = Failure(what="the store is away", why="refused", next_step="Wait.")
    shown = Lines()
    failed = replace(DONE, state="failed", failure=failure)
    shown.run_changed(replace(RUN, state="running", steps=(failed,)))
    again = replace(TAKE, attempt=2, node="n1")
    shown.run_changed(replace(RUN, state="running", steps=(again,)))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  take: failed after 2.0 s: the store is away: refused. Wait.",
        "  take: running on n1 (attempt 2)",
    ]


def test_a_version_that_exists_is_told_before_the_run_has_ended() -> None:
    """What is left to do is only removing what the backup needed."""
    ending = replace(RUN, state="ending", version=3, snapshot_id="abc")
    assert headline(ending) == "b-1: version 3 exists; removing what the backup needed"


def test_progress_in_a_pipe_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one for every message."""
    now = iter((0.0, 1.0, 6.0, 7.0, 12.0))
    monkeypatch.setattr("appshield.cli.progress.time.monotonic", lambda: next(now))
    shown = Lines()
    for done in range(5):
        shown.progressed(_progress(done * 1_000_000))
    assert capsys.readouterr().err.splitlines() == [
        "  take: 2.0 MB of 4.0 MB",
        "  take: 4.0 MB of 4.0 MB",
    ]


def _progress(done: int) -> Progress:
    return Progress(
        app=APP, run="b-1", step="take", worker="w", bytes_done=done, bytes_total=4_000_000
    )
