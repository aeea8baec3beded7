"""Results are readable by people and by programs."""

from datetime import UTC, datetime, timedelta

import pytest

from appshield.cli.output import (
    duration_text,
    say_fields,
    say_json,
    say_json_line,
    say_table,
    size_text,
)
from appshield.contracts.identities import AppRef


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (5 * 10**12, "5.0 TB"),
        (10**19, "10000.0 PB"),
    ],
)
def test_sizes_are_in_powers_of_ten(size_bytes: int, text: str) -> None:
    """As disks and networks are sold."""
    assert size_text(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.2 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    """Short ones to a tenth of a second."""
    begun = datetime(2026, 11, 24, tzinfo=UTC)
    assert duration_text(begun, begun + timedelta(seconds=seconds)) == text


def test_what_has_not_begun_took_nothing() -> None:
    """An empty cell, not a zero."""
    assert duration_text(None, None) == ""


def test_a_table_in_a_pipe_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """However long a value is, it is not cut."""
    say_table(("NAME", "X"), [("short", "1"), ("l" * 200, "")], empty="none")
    assert capsys.readouterr().out.splitlines() == [
        f"NAME{' ' * 198}X",
        f"short{' ' * 197}1",
        "l" * 200,
    ]


def test_an_empty_table_is_said_to_the_person_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A script sees no line that is no row."""
    say_table(("NAME",), [], empty="there is none")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "there is none\n")


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are aligned."""
    say_fields((("a", "1"), ("longer", "2"), ("gone", "")))
    assert capsys.readouterr().out == "a       1\nlonger  2\n"


def test_json_is_the_contracts_own(capsys: pytest.CaptureFixture[str]) -> None:
    """One document, or one line."""
    app = AppRef(cluster="c", namespace="n", name="a")
    say_json([app])
    assert capsys.readouterr().out.startswith('[\n  {\n    "cluster": "c",')
    say_json_line(app)
    assert capsys.readouterr().out == '{"cluster":"c","namespace":"n","name":"a"}\n'
