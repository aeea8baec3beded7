"""A time as a person writes it."""

from datetime import UTC, datetime, timedelta

import pytest

from appshield.doors.times import moment
from appshield.errors import InvalidInputError

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("1d12h", NOW - timedelta(hours=36)),
        ("2026-11-28T10:00Z", datetime(2026, 11, 28, 10, tzinfo=UTC)),
        ("2026-11-28T10:00:00+01:00", datetime(2026, 11, 28, 9, tzinfo=UTC)),
    ],
)
def test_a_duration_is_before_now_and_a_time_is_itself(text: str, at: datetime) -> None:
    """Both are understood."""
    assert moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "soon", "2026-11-28T10:00", "2026-11-28", "-5m"])
def test_what_names_no_time_is_refused_with_an_example(text: str) -> None:
    """Never understood as something else."""
    with pytest.raises(InvalidInputError, match="names no time"):
        moment(text, NOW)
