"""What a restore would change is told before it changes anything, and is what it then changes."""

import os
from pathlib import Path

import pytest

from appshield.errors import RunFailedError
from appshield.repository.files import Selection, changes_of_restore
from file_trees import bring_back, describe, opened, save
from repository_fakes import MemoryBlobs

Changes = dict[bytes, str]


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs(chunk_bytes=1000)


@pytest.fixture
def stored(tmp_path: Path, blobs: MemoryBlobs) -> bytes:
    """A tree with entries of several kinds, two directories deep."""
    source = tmp_path / "source"
    (source / "etc" / "deep").mkdir(parents=True)
    (source / "file").write_bytes(b"x" * 2500)
    (source / "empty").touch()
    (source / "etc" / "a.conf").write_text("a")
    (source / "etc" / "deep" / "b.conf").write_text("b")
    (source / "link").symlink_to("file")
    os.mkfifo(source / "pipe")
    return save(source, blobs).tree_id


def changes(
    target: Path,
    stored: bytes,
    blobs: MemoryBlobs,
    *,
    include: Selection | None = None,
    delete_extra: bool = False,
) -> Changes:
    with opened(target) as root:
        found = changes_of_restore(
            root,
            stored,
            blobs,
            include=include,
            delete_extra=delete_extra,
            advance=lambda _: None,
        )
        return {change.path: change.kind for change in found}


def test_into_nothing_everything_is_created(
    target: Path, stored: bytes, blobs: MemoryBlobs
) -> None:
    """Each entry by its path."""
    assert changes(target, stored, blobs) == dict.fromkeys(
        (
            b"empty",
            b"etc",
            b"etc/a.conf",
            b"etc/deep",
            b"etc/deep/b.conf",
            b"file",
            b"link",
            b"pipe",
        ),
        "created",
    )


def test_what_is_equal_is_no_change(target: Path, stored: bytes, blobs: MemoryBlobs) -> None:
    """Also with other times: content counts."""
    bring_back(target, stored, blobs)
    os.utime(target / "file", ns=(1, 1))
    assert changes(target, stored, blobs, delete_extra=True) == {}


def spoil(target: Path) -> None:
    """Change one thing of each kind; the file keeps its size and its times."""
    file = target / "file"
    before = file.stat()
    with file.open("r+b") as opened_file:
        opened_file.seek(2400)
        opened_file.write(b"y")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    (target / "link").unlink()
    (target / "link").symlink_to("elsewhere")
    (target / "pipe").unlink()
    (target / "pipe").write_text("a file now")
    (target / "etc" / "a.conf").unlink()
    (target / "etc" / "new").mkdir()
    (target / "etc" / "new" / "x").write_text("x")
    (target / "zero").touch()
    (target / "lost+found").mkdir()


def test_what_differs_is_told_and_nothing_is_touched(
    target: Path, stored: bytes, blobs: MemoryBlobs
) -> None:
    """Extra entries only when they would go; what the file system has of its own never does."""
    bring_back(target, stored, blobs)
    spoil(target)
    before = describe(target)
    differing = {
        b"etc/a.conf": "created",
        b"file": "overwritten",
        b"link": "overwritten",
        b"pipe": "overwritten",
    }
    extra = {b"etc/new": "deleted", b"zero": "deleted"}
    assert changes(target, stored, blobs) == differing
    assert changes(target, stored, blobs, delete_extra=True) == {**differing, **extra}
    assert describe(target) == before


def test_after_the_restore_there_is_nothing_left_to_tell(
    target: Path, stored: bytes, blobs: MemoryBlobs
) -> None:
    """The same choice, the same extra files: what was told is what is done."""
    bring_back(target, stored, blobs)
    spoil(target)
    part = Selection(("etc",))
    told = changes(target, stored, blobs, include=part, delete_extra=True)
    assert told == {b"etc/a.conf": "created", b"etc/new": "deleted"}
    bring_back(target, stored, blobs, include=part, delete_extra=True)
    assert changes(target, stored, blobs, include=part, delete_extra=True) == {}
    assert (target / "zero").exists()
    bring_back(target, stored, blobs, delete_extra=True)
    assert changes(target, stored, blobs, delete_extra=True) == {}


def test_a_directory_in_the_way_of_a_file_and_the_other_way_round(
    target: Path, stored: bytes, blobs: MemoryBlobs
) -> None:
    """What is below the one that goes is not told again, what comes is."""
    (target / "file" / "below").mkdir(parents=True)
    (target / "etc").write_text("a file")
    found = changes(target, stored, blobs)
    assert found[b"file"] == "overwritten"
    assert found[b"etc"] == "overwritten"
    assert found[b"etc/deep/b.conf"] == "created"
    assert b"file/below" not in found


def test_a_link_is_not_followed(target: Path, stored: bytes, blobs: MemoryBlobs) -> None:
    """Whoever writes to the volume cannot have anything else read."""
    elsewhere = target.parent / "elsewhere"
    elsewhere.mkdir()
    (target / "etc").symlink_to(elsewhere)
    assert changes(target, stored, blobs)[b"etc"] == "overwritten"
    assert changes(target, stored, blobs)[b"etc/a.conf"] == "created"


def test_what_cannot_be_read_is_an_error(target: Path, stored: bytes, blobs: MemoryBlobs) -> None:
    """Not silently no change."""
    bring_back(target, stored, blobs)

    def vanish(_: int) -> None:
        (target / "file").unlink(missing_ok=True)
        (target / "file").mkdir(exist_ok=True)
        raise OSError(5, "Input/output error")

    with opened(target) as root, pytest.raises(RunFailedError, match="cannot be compared"):
        list(changes_of_restore(root, stored, blobs, advance=vanish))
