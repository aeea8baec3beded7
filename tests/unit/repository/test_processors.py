"""Workers are as many as there are processors for us."""

import os
from pathlib import Path

import pytest

from appshield.repository.workers.processors import usable_processors

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", ALL), ("100000 100000", 1), ("50000 100000", 1), ("9999999 1", ALL)],
)
def test_the_limit_of_a_container_counts(tmp_path: Path, limit: str, expected: int) -> None:
    """A part of a processor is one, and a limit above the machine is none."""
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert usable_processors(tmp_path / "cpu.max") == expected


@pytest.mark.parametrize("content", ["", "x y", "1 0"])
def test_what_cannot_be_read_limits_nothing(tmp_path: Path, content: str) -> None:
    """Neither a strange file nor a missing one."""
    (tmp_path / "cpu.max").write_text(content)
    assert usable_processors(tmp_path / "cpu.max") == ALL
    assert usable_processors(tmp_path / "missing") == ALL
