"""Why a run does not begin yet is said where people look."""

from datetime import UTC, datetime, timedelta

from appshield.cli.output import time_text, wait_text
from appshield.contracts.runs import Wait

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def test_a_wait_says_its_reason_and_when_it_is_over() -> None:
    """In the words of the rule that holds the run back."""
    until = NOW + timedelta(hours=1)
    wait = Wait(reason="blackout", why="no backup starts from 0 12 * * *", since=NOW, until=until)
    assert wait_text(wait) == (
        f"blackout: no backup starts from 0 12 * * *, until {time_text(until)}"
    )


def test_a_wait_for_others_has_no_end_of_its_own() -> None:
    """Nobody knows how long the runs take that are under way."""
    assert wait_text(Wait(reason="limit", why="64 runs", since=NOW)) == "limit: 64 runs"
