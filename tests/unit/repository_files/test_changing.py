"""Saving directories that change while they are read: nothing is silently short or wrong."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from appshield.errors import UnavailableError
from appshield.repository.files import store_directory
from appshield.repository.nodes import ReadInto
from file_trees import make_sparse, never, opened, save
from repository_fakes import MemoryBlobs
from stored_directories import CHUNK_BYTES, content, kinds, nodes_of, on_chunk


def test_a_file_that_shrinks_is_stored_as_read_and_reported(
    source: Path, blobs: MemoryBlobs
) -> None:
    """The node has the size of what was read, never the one that was promised."""
    (source / "file").write_bytes(b"x" * 5000)
    on_chunk(blobs, 3, lambda: os.truncate(source / "file", 2500))

    stored = save(source, blobs)

    node = nodes_of(blobs, stored)[b"file"]
    assert (node.size_bytes, content(blobs, node)) == (2500, b"x" * 2500)
    assert kinds(stored) == {b"file": "shrank"}
    assert "from 5000 to 2500" in str(stored.problems[0])


def test_a_sparse_file_that_shrinks_is_stored_as_read(source: Path, blobs: MemoryBlobs) -> None:
    """Holes behind the new end are not claimed to have been there."""
    make_sparse(source / "file", 20 << 20, {0: b"x" * 5000, 19 << 20: b"end"})
    on_chunk(blobs, 2, lambda: os.truncate(source / "file", 1000))

    stored = save(source, blobs)

    node = nodes_of(blobs, stored)[b"file"]
    assert node.size_bytes == 1000 == len(content(blobs, node))
    assert kinds(stored) == {b"file": "shrank"}


def test_a_file_that_grows_is_stored_up_to_its_first_size(source: Path, blobs: MemoryBlobs) -> None:
    """A log that is written faster than it is read does not hold a backup up."""
    (source / "log").write_bytes(b"a" * 3000)

    def append() -> None:
        with (source / "log").open("ab") as file:
            file.write(b"b" * CHUNK_BYTES)

    blobs.on_chunk = append
    stored = save(source, blobs)

    node = nodes_of(blobs, stored)[b"log"]
    assert (node.size_bytes, content(blobs, node)) == (3000, b"a" * 3000)
    assert kinds(stored) == {b"log": "grew"}


def test_a_file_that_is_overwritten_while_it_is_read_is_reported(
    source: Path, blobs: MemoryBlobs
) -> None:
    """Its content may be of two moments, and the next backup reads it again."""
    (source / "file").write_bytes(b"a" * 3000)
    on_chunk(blobs, 2, lambda: (source / "file").write_bytes(b"b" * 3000))

    stored = save(source, blobs)
    again = save(source, blobs, parent=(blobs, stored.tree_id))

    assert kinds(stored) == {b"file": "changed"}
    assert (again.files_unchanged, again.problems) == (0, ())
    assert content(blobs, nodes_of(blobs, again)[b"file"]) == b"b" * 3000


def test_a_file_that_is_deleted_while_it_is_read_is_stored_whole(
    source: Path, blobs: MemoryBlobs
) -> None:
    """What is open can be read to its end."""
    (source / "file").write_bytes(b"a" * 3000)
    on_chunk(blobs, 2, (source / "file").unlink)

    stored = save(source, blobs)

    assert content(blobs, nodes_of(blobs, stored)[b"file"]) == b"a" * 3000
    assert kinds(stored) == {b"file": "changed"}


def test_a_file_that_vanishes_before_its_turn_is_reported(source: Path, blobs: MemoryBlobs) -> None:
    """The others are stored."""
    for name in "abc":
        (source / name).write_text(name)
    on_chunk(blobs, 1, (source / "b").unlink)

    stored = save(source, blobs)

    assert list(nodes_of(blobs, stored)) == [b"a", b"c"]
    assert kinds(stored) == {b"b": "vanished"}


USURPERS: dict[str, Callable[[Path, Path], None]] = {
    "link": lambda path, secret: path.symlink_to(secret),
    "fifo": lambda path, _: os.mkfifo(path),
    "directory": lambda path, _: path.mkdir(),
}


@pytest.mark.parametrize("usurper", USURPERS)
def test_a_file_that_becomes_something_else_just_before_it_is_opened_is_left_out(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch, usurper: str
) -> None:
    """The open refuses a link, waits for no FIFO, and what it opened is looked at again."""
    (source / "file").write_text("mine")
    secret = source.parent / "secret"
    secret.write_text("canary")
    real_open = os.open

    def replace_then_open(name: bytes, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if name == b"file":
            monkeypatch.undo()
            (source / "file").unlink()
            USURPERS[usurper](source / "file", secret)
        return real_open(name, flags, *rest, dir_fd=dir_fd)

    with opened(source) as root:
        monkeypatch.setattr(os, "open", replace_then_open)
        stored = store_directory(root, blobs, cancelled=never)

    assert nodes_of(blobs, stored) == {}
    assert kinds(stored) == {b"file": "replaced"}
    assert not blobs.contains(b"canary")


def test_a_directory_that_becomes_a_link_before_it_is_entered_is_left_out(
    source: Path, blobs: MemoryBlobs
) -> None:
    """Its listed kind is not believed when it is opened."""
    outside = source.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("canary")
    (source / "d").mkdir()
    (source / "z").write_text("kept")

    def swap(_: bytes) -> bool:
        if (source / "d").is_symlink():
            return False
        (source / "d").rename(source.parent / "away")
        (source / "d").symlink_to(outside)
        return False

    stored = save(source, blobs, exclude=swap)

    assert not blobs.contains(b"canary")
    node = nodes_of(blobs, stored).get(b"d")
    assert node is None or node.kind == "symlink"
    assert b"z" in nodes_of(blobs, stored)


def test_a_directory_that_is_swapped_after_it_was_listed_stays_what_it_was(
    source: Path, blobs: MemoryBlobs
) -> None:
    """Content of one directory never gets the owner and mode of another."""
    (source / "d").mkdir(mode=0o711)
    (source / "d" / "file").write_text("content")
    inode = (source / "d").stat().st_ino

    def swap() -> None:
        (source / "d").rename(source.parent / "away")
        (source / "d").mkdir(mode=0o777)

    on_chunk(blobs, 1, swap)
    stored = save(source, blobs)

    node = nodes_of(blobs, stored)[b"d"]
    assert (node.mode, node.inode, stored.problems) == (0o711, inode, ())
    assert [below.name for below in blobs.read_tree(node.subtree or b"")] == [b"file"]


def test_an_unreadable_file_is_reported_and_left_out(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails in one file does not cost the others."""
    (source / "bad").write_bytes(b"b" * 3000)
    (source / "good").write_bytes(b"g" * 3000)
    bad = (source / "bad").stat().st_ino
    real_preadv = os.preadv

    def preadv(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if os.fstat(descriptor).st_ino == bad and offset:
            raise OSError(errno.EIO, "Input/output error")
        return real_preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", preadv)
    stored = save(source, blobs)

    assert list(nodes_of(blobs, stored)) == [b"good"]
    assert [str(problem) for problem in stored.problems] == ["bad: Input/output error"]


def test_a_failing_sink_is_not_taken_for_an_unreadable_file(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup without room in its store fails; it does not leave out all files."""
    (source / "file").write_text("content")

    def full(read_into: ReadInto) -> tuple[tuple[bytes, ...], int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(blobs, "add_file", full)
    with pytest.raises(UnavailableError, match="No space left"):
        save(source, blobs)
