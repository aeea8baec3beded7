"""Saving directories: what is stored, what is left out, and what becomes of trouble."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from appshield.errors import RunFailedError, UnavailableError
from appshield.repository.files import StoppedError, problems
from appshield.repository.files.reading_ahead import BEGINNING_BYTES
from file_trees import describe, make_sparse, save
from repository_fakes import MemoryBlobs
from stored_directories import content, kinds, nodes_of, on_chunk


def test_small_files_are_stored_together(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node gets the content of its own file; what happens while one is read is reported."""
    blobs.whole_bytes = 2000
    (source / "d").mkdir()
    sizes = {"a": 1000, "b": 0, "c": 2001, "d/e": 2000, "d/f": 1}
    for name, size in sizes.items():
        (source / name).write_bytes(name[-1:].encode() * size)
    growing = (source / "d" / "e").stat().st_ino
    together: list[int] = []
    real_pread, real_add = os.pread, blobs.add_small

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        data = real_pread(descriptor, length, offset)
        if os.fstat(descriptor).st_ino == growing:
            with (source / "d" / "e").open("ab") as file:
                file.write(b"more")
        return data

    def add_small(chunks: Sequence[bytes]) -> list[bytes]:
        together.append(len(chunks))
        return real_add(chunks)

    monkeypatch.setattr(os, "pread", pread)
    monkeypatch.setattr(blobs, "add_small", add_small)
    stored = save(source, blobs)

    nodes = nodes_of(blobs, stored)
    nodes |= {b"d/" + node.name: node for node in blobs.read_tree(nodes[b"d"].subtree or b"")}
    for name, size in sizes.items():
        node = nodes[name.encode()]
        assert (node.size_bytes, content(blobs, node)) == (size, name[-1:].encode() * size)
    assert together == [3]
    assert kinds(stored) == {b"d/e": "grew"}
    assert (stored.files, stored.bytes_total, stored.bytes_read) == (5, 5002, 5002)


def test_small_files_that_are_not_in_memory_are_asked_for_before_one_is_read(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is in its place with what it holds when it is read, and what happens is reported."""
    blobs.whole_bytes = 2000
    (source / "d").mkdir()
    sizes = {"a": 1000, "b": 0, "c": 2001, "d/e": 2000, "d/f": 1, "gone": 1, "linked": 10}
    for name, size in sizes.items():
        (source / name).write_bytes(name[-1:].encode() * size)
    (source / "other").hardlink_to(source / "linked")
    asked: list[int] = []
    real_preadv = os.preadv

    def preadv(descriptor: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags & os.RWF_NOWAIT:
            raise BlockingIOError
        return real_preadv(descriptor, buffers, offset)

    def fadvise(descriptor: int, start: int, length: int, advice: int) -> None:
        assert (start, advice) == (0, os.POSIX_FADV_WILLNEED)
        if length != BEGINNING_BYTES:
            asked.append(length)
        if length == 2000:
            (source / "d" / "e").write_bytes(b"changed")
            (source / "gone").unlink()

    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    stored = save(source, blobs)

    nodes = nodes_of(blobs, stored)
    nodes |= {b"d/" + node.name: node for node in blobs.read_tree(nodes[b"d"].subtree or b"")}
    assert sorted(asked) == [1, 1, 1000, 2000]
    assert kinds(stored) == {b"gone": "vanished"}
    assert {name: content(blobs, node) for name, node in nodes.items() if node.kind == "file"} == {
        b"a": b"a" * 1000,
        b"b": b"",
        b"c": b"c" * 2001,
        b"d/e": b"changed",
        b"d/f": b"f",
        b"linked": b"d" * 10,
        b"other": b"d" * 10,
    }


def test_what_follows_a_larger_file_is_asked_for_before_that_is_read(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is at work meanwhile; only regular files are asked for, and each is stored whole."""
    for name in ("1", "2", "5"):
        (source / name).write_bytes(name.encode() * 5000)
    os.mkfifo(source / "3")
    (source / "4").symlink_to("1")
    steps: list[str] = []
    real_preadv = os.preadv

    def name_of(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name

    def preadv(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if not offset:
            steps.append(f"read {name_of(descriptor)}")
        return real_preadv(descriptor, buffers, offset)

    def fadvise(descriptor: int, *_: int) -> None:
        steps.append(f"ask for {name_of(descriptor)}")

    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(os, "posix_fadvise", fadvise)
    stored = save(source, blobs)

    assert steps == ["ask for 2", "read 1", "read 2", "read 5"]
    nodes = nodes_of(blobs, stored)
    assert [content(blobs, nodes[name]) for name in (b"1", b"2", b"5")] == [
        name * 5000 for name in (b"1", b"2", b"5")
    ]
    assert not stored.problems


def test_a_sink_that_fails_for_small_files_fails_the_backup(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for large ones: they are not left out one by one."""
    blobs.whole_bytes = 2000
    (source / "file").write_text("content")

    def full(chunks: Sequence[bytes]) -> list[bytes]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(blobs, "add_small", full)
    with pytest.raises(UnavailableError, match="No space left"):
        save(source, blobs)


def test_a_directory_that_cannot_be_listed_at_all_is_one_clear_error(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No system error reaches a caller as it is."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(RunFailedError, match="cannot be saved: Input/output error"):
        save(source, blobs)


def test_another_file_system_becomes_an_empty_directory(blobs: MemoryBlobs) -> None:
    """A mount point is kept for what will be mounted there; its content is not walked."""
    stored = save(Path("/"), blobs, exclude=lambda path: path != b"proc")

    node = nodes_of(blobs, stored)[b"proc"]
    assert node.kind == "dir"
    assert node.subtree is not None
    assert blobs.read_tree(node.subtree) == ()
    assert kinds(stored) == {b"proc": "mount"}


def test_excluded_entries_are_neither_stored_nor_reported(source: Path, blobs: MemoryBlobs) -> None:
    """The caller is asked with paths relative to the root, and below nothing that it excluded."""
    (source / "d" / "e").mkdir(parents=True)
    (source / "d" / "e" / "deep").write_text("1")
    (source / "d" / "keep").write_text("2")
    (source / "cache").mkdir()
    (source / "cache" / "file").write_text("3")
    asked: list[bytes] = []

    def exclude(path: bytes) -> bool:
        asked.append(path)
        return path in {b"cache", b"d/e"}

    stored = save(source, blobs, exclude=exclude)

    assert sorted(asked) == [b"cache", b"d", b"d/e", b"d/keep"]
    assert (stored.files, stored.directories, stored.problems) == (1, 2, ())


def test_an_unchanged_file_is_not_read_again(source: Path, blobs: MemoryBlobs) -> None:
    """Type, size, times and inode are as in the parent: content and attributes are taken over."""
    (source / "d").mkdir()
    for name in ("same", "d/same", "d/touched"):
        (source / name).write_bytes(b"x" * 3000)
    os.setxattr(source / "same", "user.a", b"1")
    first = save(source, blobs)
    (source / "d" / "touched").write_bytes(b"y" * 3000)

    second = save(source, blobs, parent=(blobs, first.tree_id))

    assert (second.files, second.files_unchanged, second.bytes_read) == (3, 2, 3000)
    assert second.bytes_total == 9000
    assert save(source, blobs).tree_id == second.tree_id


def test_a_file_with_an_old_date_but_new_content_is_read(source: Path, blobs: MemoryBlobs) -> None:
    """A modification time that was set back does not hide a change: the change time counts."""
    (source / "file").write_bytes(b"x" * 3000)
    first = save(source, blobs)
    times = (source / "file").stat()
    (source / "file").write_bytes(b"y" * 3000)
    os.utime(source / "file", ns=(times.st_atime_ns, times.st_mtime_ns))

    second = save(source, blobs, parent=(blobs, first.tree_id))

    assert content(blobs, nodes_of(blobs, second)[b"file"]) == b"y" * 3000


def test_a_lost_blob_of_an_unchanged_file_is_stored_again(source: Path, blobs: MemoryBlobs) -> None:
    """Damage in the earlier version is mended, not inherited."""
    (source / "file").write_bytes(b"x" * 3000)
    first = save(source, blobs)
    lost = (nodes_of(blobs, first)[b"file"].content or ())[0]
    del blobs.blobs[lost]

    second = save(source, blobs, parent=(blobs, first.tree_id))

    assert second.files_unchanged == 0
    assert lost in blobs.blobs


def test_an_unreadable_earlier_tree_is_reported_and_costs_only_time(
    source: Path, blobs: MemoryBlobs
) -> None:
    """Everything below it is read again."""
    (source / "d").mkdir()
    (source / "d" / "file").write_text("1")
    (source / "file").write_text("2")
    first = save(source, blobs)
    subtree = nodes_of(blobs, first)[b"d"].subtree
    assert subtree is not None
    blobs.damage(subtree)

    second = save(source, blobs, parent=(blobs, first.tree_id))

    assert kinds(second) == {b"d": "parent"}
    assert (second.files, second.files_unchanged) == (2, 1)
    assert second.tree_id == first.tree_id


def test_a_hard_linked_file_is_read_once(source: Path, blobs: MemoryBlobs) -> None:
    """Its other names take the content over."""
    (source / "d").mkdir()
    (source / "first").write_bytes(b"x" * 3000)
    os.link(source / "first", source / "second")
    os.link(source / "first", source / "d" / "third")

    stored = save(source, blobs)

    assert (stored.files, stored.bytes_read, stored.bytes_total) == (3, 3000, 9000)


def test_reading_leaves_no_trace(source: Path, blobs: MemoryBlobs) -> None:
    """Neither access times nor anything else of the source changes."""
    (source / "d").mkdir()
    (source / "d" / "file").write_text("content")
    os.utime(source / "d" / "file", ns=(0, 0))
    before = (source / "d" / "file").stat(), (source / "d").stat().st_atime_ns

    save(source, blobs)

    assert ((source / "d" / "file").stat(), (source / "d").stat().st_atime_ns) == before


def test_a_caller_can_stop_in_the_middle_of_a_file(source: Path, blobs: MemoryBlobs) -> None:
    """At the latest after the next chunk."""
    (source / "file").write_bytes(b"x" * 100_000)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True

    on_chunk(blobs, 3, stop)
    with pytest.raises(StoppedError, match="Call again"):
        save(source, blobs, cancelled=lambda: stopped)
    assert len(blobs.blobs) <= 3


def test_progress_counts_up_to_everything(source: Path, blobs: MemoryBlobs) -> None:
    """Totals only grow, and end with all entries and bytes, holes and hard links included."""
    (source / "file").write_bytes(b"x" * 3000)
    os.link(source / "file", source / "other")
    make_sparse(source / "sparse", 10 << 20, {})
    (source / "link").symlink_to("file")
    told: list[tuple[int, int]] = []

    stored = save(source, blobs, progress=lambda files, done: told.append((files, done)))

    assert told == sorted(told)
    assert told[-1] == (4, 6000 + (10 << 20)) == (stored.files, stored.bytes_total)


def test_problems_are_bounded(
    source: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume in motion cannot fill the memory; what is not listed is counted."""
    monkeypatch.setattr(problems, "LISTED_PROBLEMS", 3)
    names = [f"{number:02}" for number in range(10)]
    for name in names:
        (source / name).write_text(name)

    def delete_the_others() -> None:
        for name in names[1:]:
            (source / name).unlink()

    on_chunk(blobs, 1, delete_the_others)

    stored = save(source, blobs)

    assert len(stored.problems) == 4
    assert stored.problems[-1].kind == "more"
    assert "6 further" in stored.problems[-1].detail


def test_an_undecodable_path_is_shown_on_one_printable_line() -> None:
    """Names cannot forge lines or terminal codes in messages."""
    problem = problems.FileProblem(b"a\n\x1b[31m\xff\xc3\xa4", "vanished", "gone")

    assert str(problem) == "a\\n\\x1b[31m\\xffä: gone"


def test_the_root_keeps_its_own_metadata(source: Path, blobs: MemoryBlobs) -> None:
    """A volume's root carries the group and mode that fsGroup needs."""
    os.chown(source, 5, 2000)
    source.chmod(0o2775)

    root = save(source, blobs).root_node

    assert (root.name, root.kind, root.uid, root.gid, root.mode) == (b"", "dir", 5, 2000, 0o2775)
    assert describe(source)[b""].mtime_ns == root.mtime_ns
