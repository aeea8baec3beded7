"""What a folder store does when the disk or a writer lets it down."""

import errno
import os
from pathlib import Path

import pytest

from appshield.errors import DeniedError, InvalidInputError, UnavailableError
from appshield.objectstore import FolderObjectStore, StoreFullError
from appshield.objectstore.folder import ABANDONED_AFTER_S, INCOMING


def fail_with(number: int) -> object:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StoreFullError),
        (errno.EDQUOT, StoreFullError),
        (errno.EROFS, DeniedError),
        (errno.EACCES, DeniedError),
        (errno.EIO, UnavailableError),
    ],
)
def test_a_put_that_cannot_be_made_durable_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    """The error says why, the folder is named, and neither an object nor a rest is there."""
    store = FolderObjectStore(tmp_path)
    monkeypatch.setattr(os, "fsync", fail_with(number))
    with pytest.raises(expected, match=str(tmp_path)):
        store.put("folder/object", b"content")
    assert store.size("folder/object") is None
    assert list(store.list("")) == []
    assert list((tmp_path / INCOMING).iterdir()) == []


def test_what_a_killed_writer_left_is_no_object_and_goes_away_in_time(tmp_path: Path) -> None:
    """A rest of today may still be written to; one of the day before yesterday is removed."""
    store = FolderObjectStore(tmp_path)
    fresh, old = tmp_path / INCOMING / "fresh", tmp_path / INCOMING / "old"
    for rest in (fresh, old):
        rest.write_bytes(b"half")
    long_ago = fresh.stat().st_mtime - ABANDONED_AFTER_S - 60
    os.utime(old, (long_ago, long_ago))
    assert list(store.list("")) == []
    assert list(store.folders("")) == []
    FolderObjectStore(tmp_path)
    assert fresh.exists()
    assert not old.exists()


def test_objects_survive_the_store_that_wrote_them(tmp_path: Path) -> None:
    """Another store on the same folder reads them."""
    FolderObjectStore(tmp_path / "deep" / "er").put("a/b", b"content")
    assert FolderObjectStore(tmp_path / "deep" / "er").get("a/b") == b"content"


def test_an_object_is_not_a_folder(tmp_path: Path) -> None:
    """What the port forbids is refused in words."""
    store = FolderObjectStore(tmp_path)
    store.put("a/b", b"")
    with pytest.raises(InvalidInputError, match="a/b/c"):
        store.put("a/b/c", b"")
    with pytest.raises(InvalidInputError, match="a cannot be stored"):
        store.put("a", b"")


def test_a_link_that_leads_out_of_the_folder_is_not_followed_by_a_listing(tmp_path: Path) -> None:
    """A foreign folder behind a link is not walked."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"x")
    store = FolderObjectStore(tmp_path / "store")
    (tmp_path / "store" / "link").symlink_to(outside)
    assert "link/secret" not in {found.name for found in store.list("")}
    assert list(store.folders("")) == []
