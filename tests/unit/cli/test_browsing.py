"""What a version holds is listed without doing what its names say, and written where asked."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appshield.cli.browsing import output_into, say_entries
from appshield.errors import InvalidInputError
from appshield.repository.browsing import Entry
from appshield.repository.nodes import Node

PATH = b"data/a\n\x1b[31mred\xff"


def test_hostile_names_are_one_printable_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a path nor the target of a link forges a line or steers the terminal."""
    node = Node(
        name=PATH,
        kind="symlink",
        mode=0o777,
        mtime_ns=0,
        atime_ns=0,
        ctime_ns=0,
        uid=0,
        gid=0,
        linktarget=b"\x1b]0;title\x07/\xe2\x80\xaegpj.exe",
    )

    say_entries([Entry(PATH, node)], 1, "table")

    line = capsys.readouterr().out.removesuffix("\n")
    assert line.isprintable()
    assert line.endswith(r"data/a\n\x1b[31mred\xff -> \x1b]0;title\x07/\u202egpj.exe")


def test_a_file_is_there_once_it_is_whole(tmp_path: Path) -> None:
    """What fails half way leaves neither a part of it nor what it was called meanwhile."""
    wanted = tmp_path / "settings.json"
    with pytest.raises(UnicodeEncodeError), output_into(wanted) as opened:
        opened.write(b"{" + "\udc00".encode())
    assert list(tmp_path.iterdir()) == []

    with output_into(wanted) as opened:
        opened.write(b"{}")
        assert not wanted.exists()
    assert wanted.read_bytes() == b"{}"


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    """So does a device, such as /dev/null: it is never replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(pipe.read_bytes)
        with output_into(pipe) as opened:
            opened.write(b"content")
        assert reading.result(timeout=30) == b"content"
    assert pipe.is_fifo()


def test_a_link_stays_and_what_it_names_is_written(tmp_path: Path) -> None:
    """As with redirected output."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "named")
    with output_into(link) as opened:
        opened.write(b"content")
    assert link.is_symlink()
    assert (tmp_path / "named").read_bytes() == b"content"


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    """A folder, or a folder that is not there."""
    for place, why in ((tmp_path, "Is a directory"), (tmp_path / "no/file", "No such file")):
        told = pytest.raises(InvalidInputError, match=f"{place} cannot be written: {why}")
        with told, output_into(place):
            pass
