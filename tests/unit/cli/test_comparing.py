"""What differs between two versions is told without doing what its names say."""

import pytest

from appshield.cli.comparing import say_change
from appshield.doors.comparing import ShownChange


def test_hostile_names_and_fields_are_printable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither forges a line or steers the terminal."""
    change = ShownChange(path="data/a\n\x1b[31mred", change="changed", fields=("data.x: \x1b[2J",))

    say_change(change, "table")

    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert lines == [r"M data/a\n\x1b[31mred", r"    data.x: \x1b[2J"]
