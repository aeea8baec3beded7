"""What the demo says at its end, where something does not hold."""

from pathlib import Path

from appshield.cli.demonstration import failure_of
from appshield.local.demo.checker import Violation

LOGS = Path("/home/ann/logs")
WAITED = Violation(rule="writes waited", about="rows", detail="900 ms during the backup, 20 before")
LOST = Violation(rule="lost write", about="files", detail="4 acknowledged, not restored")


def test_writers_that_waited_are_not_told_as_data_that_is_lost() -> None:
    """On a busy machine everything comes back and the gap is too long: the error says just that."""
    told = str(failure_of([WAITED], LOGS))
    assert "everything came back" in told
    assert "writers waited" in told
    assert "when nothing else runs here" in told


def test_what_is_lost_is_told_first() -> None:
    """With anything missing the demo says so, how much, and where to read on."""
    told = str(failure_of([WAITED, LOST], LOGS))
    assert "not everything came back" in told
    assert "2 of its checks" in told
    assert str(LOGS) in told
