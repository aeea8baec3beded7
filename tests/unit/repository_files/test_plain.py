"""Small new files, written in C and in Python: the same files either way."""

import os
from pathlib import Path

import pytest

from appshield.repository.files.sparse import write_sparsely
from appshield.repository.native import SWITCH
from file_trees import bring_back, describe, save
from repository_fakes import MemoryBlobs

BLOCK = 4096
CONTENTS = {
    "text": b"text",
    "a block": b"x" * BLOCK,
    "a hole": bytes(BLOCK) + b"data behind a hole",
    "ends with a hole": b"x" * BLOCK + bytes(BLOCK),
    "zeros within": b"x" + bytes(BLOCK) + b"x",
    "empty": b"",
}


@pytest.mark.usefixtures("native_library")
@pytest.mark.parametrize("native", ["1", "0"], ids=["C", "Python"])
def test_plain_files_come_back_whole(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, native: str
) -> None:
    """With mode, times before and after 1970, odd names, and the holes that they had."""
    monkeypatch.setenv(SWITCH, native)
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    for number, (name, content) in enumerate(CONTENTS.items()):
        path = source / "below" / os.fsdecode(name.encode() + b"\xff\n")
        with path.open("wb", buffering=0) as file:
            write_sparsely(file.fileno(), content, 0)
            file.truncate(len(content))
        path.chmod((0o644, 0o400, 0o777)[number % 3])
        at = (-1) ** number * 1_700_000_000_123_456_789
        os.utime(path, ns=(at, at))
    blobs = MemoryBlobs()
    stored = save(source, blobs)
    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)
    assert describe(target) == describe(source)
