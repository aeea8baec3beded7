"""Restoring onto what is there, after a kill, from damaged and from malicious trees."""

import errno
import os
import signal
from pathlib import Path

import pytest

from appshield.errors import DamagedError, RunFailedError
from appshield.repository.files import StoppedError
from appshield.repository.nodes import Node, NodeKind
from file_trees import bring_back, describe, make_hostile_tree, node, save
from repository_fakes import MemoryBlobs

CHUNK_BYTES = 1000


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs(chunk_bytes=CHUNK_BYTES)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    return source


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A directory outside that nothing may touch."""
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("untouched")
    (canary / "file").chmod(0o600)  # as private as our own temporary files
    return canary


def file_node(
    blobs: MemoryBlobs, name: bytes, content: bytes, *, size_bytes: int | None = None
) -> Node:
    ids = tuple(
        blobs.add_data(content[start : start + CHUNK_BYTES])
        for start in range(0, len(content), CHUNK_BYTES)
    )
    return node(name, content=ids, size_bytes=len(content) if size_bytes is None else size_bytes)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"../x", b"/etc/x", b"nul\0"])
@pytest.mark.parametrize("kind", ["file", "dir", "symlink"])
def test_a_name_that_is_no_name_is_refused(
    target: Path, blobs: MemoryBlobs, name: bytes, kind: NodeKind
) -> None:
    """A tree is data from elsewhere; it cannot say a path."""
    before = describe(target.parent)
    bad = node(name, kind, content=(), linktarget=b"x", subtree=blobs.add_tree(()))
    tree_id = blobs.add_tree([bad])

    with pytest.raises(DamagedError, match="name"):
        bring_back(target, tree_id, blobs)
    kept = bring_back(target, tree_id, blobs, keep_going=True)

    assert [problem.kind for problem in kept.problems] == ["damaged"]
    assert describe(target.parent) == before


def test_a_link_and_a_directory_of_one_name_are_refused(
    target: Path, blobs: MemoryBlobs, canary: Path
) -> None:
    """The oldest trick: make a link, then write through it as if it were a directory."""
    below = blobs.add_tree([file_node(blobs, b"file", b"evil")])
    link = node(b"a", "symlink", linktarget=os.fsencode(canary))
    tree_id = blobs.add_tree([link, node(b"a", "dir", subtree=below)])

    with pytest.raises(DamagedError, match="ascend"):
        bring_back(target, tree_id, blobs)

    assert (canary / "file").read_text() == "untouched"


def test_a_link_in_place_of_a_directory_is_replaced_not_followed(
    source: Path, target: Path, blobs: MemoryBlobs, canary: Path
) -> None:
    """What the link points to keeps its content and its metadata."""
    (source / "d").mkdir()
    (source / "d" / "file").write_text("new")
    stored = save(source, blobs)
    (target / "d").symlink_to(canary)
    before = describe(canary)

    bring_back(target, stored.tree_id, blobs, delete_extra=True)

    assert not (target / "d").is_symlink()
    assert (target / "d" / "file").read_text() == "new"
    assert describe(canary) == before


def test_a_link_in_place_of_a_file_is_replaced_not_followed(
    source: Path, target: Path, blobs: MemoryBlobs, canary: Path
) -> None:
    """The same for files, the temporary name and hard links."""
    (source / "file").write_text("new")
    os.link(source / "file", source / "second")
    os.mkfifo(source / "pipe")
    stored = save(source, blobs)
    for name in ("file", "second", "pipe", ".appshield-restoring", ".appshield-restoring-0"):
        (target / name).symlink_to(canary / "file")
    before = describe(canary)

    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)

    assert describe(target) == describe(source)
    assert describe(canary) == before


def test_a_killed_restore_completes_when_it_is_called_again(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """Killed at any blob it leaves no half file under a name, and what it wrote is kept."""
    make_hostile_tree(source / "tree")
    (source / "tree" / "many chunks").write_bytes(os.urandom(20 * CHUNK_BYTES))
    stored = save(source / "tree", blobs)
    expected = describe(source / "tree")

    kills = 0
    while _is_killed(target, stored.tree_id, blobs, after_reads=2 + 11 * kills):
        kills += 1
        for path, entry in describe(target).items():
            if path in expected and entry.content:
                assert entry.content == expected[path].content
    assert kills > 5
    last = bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)

    assert describe(target) == expected
    assert last.bytes_unchanged > 0


def _is_killed(target: Path, tree_id: bytes, blobs: MemoryBlobs, *, after_reads: int) -> bool:
    """Restore in a process that kills itself after so many blobs; return whether it did."""
    child = os.fork()
    if not child:
        read_blob = blobs.read_blob

        def killing(blob_id: bytes) -> bytes:
            if blobs.reads >= after_reads:
                os.kill(os.getpid(), signal.SIGKILL)
            return read_blob(blob_id)

        blobs.reads = 0
        blobs.read_blob = killing  # type: ignore[method-assign]  # only in the child
        try:
            bring_back(target, tree_id, blobs)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_large_file_goes_on_where_it_was_stopped(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """Chunks of the unfinished file are verified and not fetched again."""
    (source / "file").write_bytes(os.urandom(100 * CHUNK_BYTES))
    stored = save(source, blobs)
    done = 0

    def progress(_: int, bytes_done: int) -> None:
        nonlocal done
        done = bytes_done

    with pytest.raises(StoppedError):
        bring_back(
            target,
            stored.tree_id,
            blobs,
            progress=progress,
            cancelled=lambda: done >= 60 * CHUNK_BYTES,
        )
    assert not (target / "file").exists()
    again = bring_back(target, stored.tree_id, blobs)

    assert again.bytes_unchanged == 60 * CHUNK_BYTES
    assert again.bytes_written == 40 * CHUNK_BYTES
    assert (target / "file").read_bytes() == (source / "file").read_bytes()
    assert [path.name for path in target.iterdir()] == ["file"]


def test_a_changed_file_fetches_only_the_chunks_that_differ(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """The others come from the file that is there."""
    content = os.urandom(50 * CHUNK_BYTES)
    (source / "file").write_bytes(content)
    stored = save(source, blobs)
    (target / "file").write_bytes(content[:20_500] + b"!" + content[20_501:])
    blobs.reads = 0

    bring_back(target, stored.tree_id, blobs)

    assert (target / "file").read_bytes() == content
    assert blobs.reads == 2  # the tree and one chunk


def test_a_file_of_another_user_under_the_temporary_name_is_not_used(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """Somebody who could still write to it must not own what we verified."""
    (source / "file").write_bytes(b"x" * 5000)
    stored = save(source, blobs)
    temporary = target / ".appshield-restoring"
    temporary.write_bytes(b"x" * 5000)
    temporary.chmod(0o600)
    os.chown(temporary, 4711, 4711)

    with temporary.open("r+b") as held_open:
        bring_back(target, stored.tree_id, blobs)
        held_open.write(b"evil")

    assert (target / "file").read_bytes() == b"x" * 5000


def test_the_temporary_name_is_never_one_of_the_tree(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """A backup of an unfinished restore can be restored."""
    for name in (".appshield-restoring", ".appshield-restoring-1", "z"):
        (source / name).write_text(name)
    stored = save(source, blobs)

    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)

    assert describe(target) == describe(source)


def test_a_damaged_file_is_named_and_what_was_there_stays(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """Nothing that does not verify gets a name."""
    (source / "d").mkdir()
    (source / "d" / "bad").write_bytes(os.urandom(5000))
    (source / "d" / "good").write_text("good")
    stored = save(source, blobs)
    (subtree,) = [node.subtree for node in blobs.read_tree(stored.tree_id)]
    assert subtree is not None
    blobs.damage((blobs.read_tree(subtree)[0].content or ())[3])
    (target / "d").mkdir()
    (target / "d" / "bad").write_text("older")

    with pytest.raises(DamagedError, match="d/bad cannot be restored"):
        bring_back(target, stored.tree_id, blobs)
    kept = bring_back(target, stored.tree_id, blobs, keep_going=True)

    assert [(problem.path, problem.kind) for problem in kept.problems] == [(b"d/bad", "damaged")]
    assert (target / "d" / "bad").read_text() == "older"
    assert (target / "d" / "good").read_text() == "good"
    assert sorted(path.name for path in (target / "d").iterdir()) == ["bad", "good"]


def test_a_damaged_directory_costs_only_what_is_below_it(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """With keep_going the rest is restored, and the directory is named."""
    (source / "d").mkdir()
    (source / "d" / "file").write_text("1")
    (source / "file").write_text("2")
    stored = save(source, blobs)
    (subtree,) = [node.subtree for node in blobs.read_tree(stored.tree_id) if node.subtree]
    blobs.damage(subtree)

    kept = bring_back(target, stored.tree_id, blobs, keep_going=True)

    assert [(problem.path, problem.kind) for problem in kept.problems] == [(b"d", "damaged")]
    assert (target / "file").read_text() == "2"


def test_a_size_that_does_not_fit_the_chunks_is_damage(target: Path, blobs: MemoryBlobs) -> None:
    """A file is never silently shorter or longer than its node says."""
    tree_id = blobs.add_tree([file_node(blobs, b"file", b"x" * 2500, size_bytes=2600)])

    with pytest.raises(DamagedError, match="2600"):
        bring_back(target, tree_id, blobs)

    assert not (target / "file").exists()


@pytest.mark.parametrize("linktarget", [b"", b"a\0b"])
def test_an_impossible_link_is_damage(target: Path, blobs: MemoryBlobs, linktarget: bytes) -> None:
    """It is named like any other damage."""
    tree_id = blobs.add_tree([node(b"link", "symlink", linktarget=linktarget)])

    with pytest.raises(DamagedError, match="link cannot be restored"):
        bring_back(target, tree_id, blobs)


def test_extra_entries_go_only_when_asked(
    source: Path, target: Path, blobs: MemoryBlobs, canary: Path
) -> None:
    """Links are removed, not followed; a file system's own lost+found stays."""
    (source / "file").write_text("new")
    stored = save(source, blobs)
    (target / "extra" / "deep").mkdir(parents=True)
    (target / "extra" / "deep" / "file").write_text("x")
    (target / "extra" / "out").symlink_to(canary)
    (target / "link").symlink_to(canary)
    (target / "lost+found").mkdir()

    bring_back(target, stored.tree_id, blobs)
    assert (target / "extra" / "deep" / "file").exists()
    bring_back(target, stored.tree_id, blobs, delete_extra=True)

    assert sorted(path.name for path in target.iterdir()) == ["file", "lost+found"]
    assert (canary / "file").read_text() == "untouched"


def test_a_full_directory_in_the_way_of_a_file_goes_only_when_asked(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """An empty one has nothing to lose."""
    (source / "empty").write_text("1")
    (source / "full").write_text("2")
    stored = save(source, blobs)
    (target / "empty").mkdir()
    (target / "full").mkdir()
    (target / "full" / "data").write_text("precious")

    with pytest.raises(RunFailedError, match="full cannot be restored"):
        bring_back(target, stored.tree_id, blobs)
    assert (target / "empty").read_text() == "1"
    assert (target / "full" / "data").read_text() == "precious"
    bring_back(target, stored.tree_id, blobs, delete_extra=True)

    assert (target / "full").read_text() == "2"


def test_files_that_are_wrongly_linked_are_separated(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """Equal content is not enough: two files of the version are not one file on disk."""
    for name in "abcd":
        (source / name).write_bytes(b"equal")
    (source / "d").unlink()
    os.link(source / "c", source / "d")
    stored = save(source, blobs)
    (target / "a").write_bytes(b"equal")
    for name in "bcd":
        os.link(target / "a", target / name)

    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)

    assert describe(target) == describe(source)


def test_attributes_that_do_not_belong_are_removed(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """An ACL that is not in the version would give somebody rights."""
    (source / "file").write_text("same")
    stored = save(source, blobs)
    (target / "file").write_text("same")
    os.setxattr(target / "file", "user.extra", b"1")
    os.setxattr(target, "user.extra", b"1")

    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)

    assert describe(target) == describe(source)


def test_without_the_owner_there_is_no_setuid(
    source: Path, target: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that cannot be given to its owner must not run as somebody else."""
    (source / "program").write_text("#!")
    os.chown(source / "program", 1001, 1001)
    (source / "program").chmod(0o6755)
    stored = save(source, blobs)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    restored = bring_back(target, stored.tree_id, blobs)

    assert (target / "program").stat().st_mode & 0o7777 == 0o755
    assert [(problem.path, problem.kind) for problem in restored.problems] == [
        (b"program", "attribute")
    ]


def test_attributes_that_the_file_system_refuses_are_reported(
    source: Path, target: Path, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content counts more: the restore goes on, of files and of directories."""
    (source / "d").mkdir()
    (source / "d" / "file").write_text("content")
    for name in ("d", "d/file"):
        os.setxattr(source / name, "user.a", b"1")
    stored = save(source, blobs)

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    restored = bring_back(target, stored.tree_id, blobs)

    assert (target / "d" / "file").read_text() == "content"
    assert {problem.path for problem in restored.problems} == {b"d", b"d/file"}
    assert "user.a" in str(restored.problems[0])


def test_a_full_volume_ends_the_run_with_advice(
    source: Path, small_volume: Path, blobs: MemoryBlobs
) -> None:
    """Going on is of no use then, whatever was asked."""
    (source / "file").write_bytes(os.urandom(2 << 20))
    stored = save(source, blobs)

    with pytest.raises(RunFailedError, match="more room"):
        bring_back(small_volume, stored.tree_id, blobs, keep_going=True)

    assert not (small_volume / "file").exists()


def test_a_mount_below_the_target_is_not_written_to(
    source: Path, small_volume: Path, blobs: MemoryBlobs
) -> None:
    """Another file system belongs to somebody else."""
    (source / "target").mkdir()
    (source / "target" / "file").write_text("content")
    stored = save(source, blobs)

    restored = bring_back(small_volume.parent, stored.tree_id, blobs, keep_going=True)

    assert [problem.kind for problem in restored.problems] == ["failed"]
    assert list(small_volume.iterdir()) == []


def test_without_a_root_node_the_root_keeps_its_metadata(
    source: Path, target: Path, blobs: MemoryBlobs
) -> None:
    """Only what was asked for is changed."""
    source.chmod(0o2770)
    target.chmod(0o711)
    stored = save(source, blobs)

    bring_back(target, stored.tree_id, blobs)

    assert target.stat().st_mode & 0o7777 == 0o711


def test_progress_counts_up_to_everything(source: Path, target: Path, blobs: MemoryBlobs) -> None:
    """Totals only grow, and end with all entries and bytes."""
    (source / "a").write_bytes(b"x" * 3000)
    os.link(source / "a", source / "b")
    (source / "link").symlink_to("a")
    stored = save(source, blobs)
    told: list[tuple[int, int]] = []

    def progress(files: int, bytes_done: int) -> None:
        told.append((files, bytes_done))

    for _ in range(2):
        told.clear()
        bring_back(target, stored.tree_id, blobs, progress=progress)
        assert told == sorted(told)
        assert told[-1] == (3, 6000)
