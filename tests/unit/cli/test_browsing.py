"""What a version holds is listed without doing what its names say."""

import pytest

from appshield.cli.browsing import say_entries
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
