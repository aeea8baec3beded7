"""Depth and width: bounded descriptors and memory, no recursion."""

import gc
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from appshield.repository.files.descriptors import OPEN_DIRECTORIES
from appshield.repository.files.removing import remove_tree
from appshield.repository.files.unfinished import MOST_HELD
from appshield.repository.nodes import TreeSink
from file_trees import bring_back, open_descriptors, opened, save
from repository_fakes import MemoryBlobs

DEPTH = 3_000
WIDTH = 30_000
"""Enough to see what an entry costs; ten times as many must fit into 64 MiB."""


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder without a disk: many thousand entries at once."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def deep(ram: Path) -> Iterator[Path]:
    """A directory with 3,000 directories in one another: longer than any path may be."""
    root = ram / "deep"
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("level", dir_fd=descriptor)
        below = os.open("level", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=descriptor))
    os.close(descriptor)
    yield root
    with opened(root) as descriptor:
        remove_tree(b"level", descriptor)
    assert list(root.iterdir()) == []


def test_a_tree_of_any_depth_comes_back(deep: Path, ram: Path) -> None:
    """3,000 levels with few open descriptors, saved, restored and saved again to the same tree."""
    blobs = MemoryBlobs()
    most_open = 0

    def count_open(_: int, __: int) -> None:
        nonlocal most_open
        most_open = max(most_open, open_descriptors(collect=False))

    before = open_descriptors()
    stored = save(deep, blobs, progress=count_open)
    target = ram / "target"
    restored = bring_back(target, stored.tree_id, blobs, progress=count_open)
    with opened(target) as descriptor:
        again = save(target, blobs)
        remove_tree(b"level", descriptor)

    assert (stored.files, stored.directories) == (DEPTH, DEPTH + 1)
    assert (restored.files, restored.directories) == (DEPTH, DEPTH + 1)
    assert (again.files, again.directories, again.problems) == (DEPTH, DEPTH + 1, ())
    assert most_open <= before + OPEN_DIRECTORIES + MOST_HELD + 10
    assert open_descriptors() == before


def test_a_directory_that_is_moved_away_above_the_walk_stays_what_was_listed(deep: Path) -> None:
    """The walk never comes up in another directory than the one it went down from."""
    blobs = MemoryBlobs()
    for depth in (DEPTH // 2 - 1, DEPTH // 2):  # above what is moved, and in it
        descriptor = _directory_at(deep, depth)
        os.mkdir("next", dir_fd=descriptor)
        os.close(descriptor)
    moved = False

    def move(path: bytes) -> bool:
        nonlocal moved
        if not moved and path.count(b"/") == DEPTH - 1:
            moved = True
            _replace_at_depth(deep, DEPTH // 2)
        return False

    stored = save(deep, blobs, exclude=move)

    assert moved
    assert (stored.files, stored.directories, stored.problems) == (DEPTH, DEPTH + 3, ())
    assert not blobs.contains(b"impostor")
    _put_back_at_depth(deep, DEPTH // 2)


def _directory_at(root: Path, depth: int) -> int:
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        below = os.open("level", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    return descriptor


def _replace_at_depth(root: Path, depth: int) -> None:
    above = _directory_at(root, depth - 1)
    os.rename("level", root / "elsewhere", src_dir_fd=above)
    os.mkdir("level", dir_fd=above)
    os.symlink("impostor", "level/file", dir_fd=above)
    os.close(above)


def _put_back_at_depth(root: Path, depth: int) -> None:
    above = _directory_at(root, depth - 1)
    remove_tree(b"level", above)
    os.rename(root / "elsewhere", "level", dst_dir_fd=above)
    os.close(above)


class CountingSink(MemoryBlobs):
    """Takes the nodes of a directory one by one and forgets them."""

    count = 0

    def open_tree(self) -> TreeSink:
        return CountingTree(self)


class CountingTree(NamedTuple):
    sink: CountingSink

    def add(self, encoded: bytes) -> None:
        self.sink.count += encoded.count(b'"type":')

    def finish(self) -> bytes:
        return bytes(32)


def test_a_wide_directory_is_streamed(ram: Path) -> None:
    """Names are held, nodes are not."""
    source = ram / "source"
    source.mkdir()
    with opened(source) as descriptor:
        for number in range(WIDTH):
            os.symlink("x", f"entry-{number:06}", dir_fd=descriptor)
    sink = CountingSink()
    gc.collect()

    tracemalloc.start()
    try:
        stored = save(source, sink)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (stored.files, sink.count) == (WIDTH, WIDTH)
    assert peak / WIDTH < (64 << 20) / 300_000
