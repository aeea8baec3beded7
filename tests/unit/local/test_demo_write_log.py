"""The log of the writer: what is read back, and how gaps are measured."""

from pathlib import Path

import pytest

from appshield.errors import DamagedError, RefusedError
from appshield.local.demo.write_log import (
    Acknowledged,
    Begun,
    Write,
    WriteLog,
    longest_gap_s,
    read_log,
    writes_of,
)


def begun(n: int, at_s: float) -> Begun:
    return Begun(stream="rows", n=n, sha256="d", at_s=at_s)


def acknowledged(n: int, at_s: float) -> Acknowledged:
    return Acknowledged(stream="rows", n=n, sha256="d", at_s=1000 + at_s, monotonic_s=at_s)


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Each entry is one line, there as soon as it is appended."""
    path = tmp_path / "folder" / "log"
    with WriteLog(path) as log:
        log.append(begun(1, 5.0))
        assert read_log(path) == (begun(1, 5.0),)
        log.append(acknowledged(1, 6.0))
    assert read_log(path) == (begun(1, 5.0), acknowledged(1, 6.0))


def test_a_log_is_never_continued(tmp_path: Path) -> None:
    """Two loads in one file would have each number twice."""
    path = tmp_path / "log"
    path.touch()
    with pytest.raises(RefusedError, match=str(path)):
        WriteLog(path)


def test_a_torn_line_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    """Half an entry is not silently left out."""
    path = tmp_path / "log"
    path.write_bytes(b'{"type":"begin","stream":')
    with pytest.raises(DamagedError, match=str(path)):
        read_log(path)


def test_a_write_has_both_moments_once_it_is_acknowledged() -> None:
    """The last write may have begun and never been answered."""
    entries = (begun(1, 5.0), acknowledged(1, 6.0), begun(2, 7.0))
    assert writes_of(entries, "rows") == (
        Write(n=1, sha256="d", begun_s=5.0, acknowledged_s=1006.0),
        Write(n=2, sha256="d", begun_s=7.0),
    )
    assert writes_of(entries, "files") == ()


@pytest.mark.parametrize(
    ("moments", "longest_s"),
    [
        ([1.0, 2.0, 2.5, 4.0, 9.0], 1.5),
        ([1.0, 2.9, 3.1, 4.0], 1.9),
        ([1.0, 9.0], 8.0),
        ([2.1, 2.2], 1.8),
        ([], 2.0),
    ],
)
def test_a_gap_counts_whole_even_if_the_window_cuts_it(
    moments: list[float], longest_s: float
) -> None:
    """A wait that began before the window or ends after it is not made shorter by it."""
    entries = [acknowledged(n, moment) for n, moment in enumerate(moments, start=1)]
    assert longest_gap_s(entries, "rows", since_s=2.0, to_s=4.0) == pytest.approx(longest_s)
