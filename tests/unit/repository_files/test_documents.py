"""Trees from memory and from streams."""

import os
from io import BytesIO
from pathlib import Path

import pytest

from appshield.errors import InvalidInputError
from appshield.repository.files import store_documents, store_stream
from file_trees import bring_back
from repository_fakes import MemoryBlobs

MTIME_NS = 1_700_000_000_123_456_789


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


def test_documents_become_files_in_directories(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """They are private, and have the one time that was given."""
    documents = {
        "application.json": b"{}",
        "objects/apps/deployment-web.json": b"x" * 200_000,
        "objects/core/empty.json": b"",
    }

    tree_id = store_documents(documents, blobs, mtime_ns=MTIME_NS)
    bring_back(tmp_path / "target", tree_id, blobs)

    files = {path for path in (tmp_path / "target").rglob("*") if path.is_file()}
    assert {str(p.relative_to(tmp_path / "target")): p.read_bytes() for p in files} == documents
    assert {path.stat().st_mtime_ns for path in files} == {MTIME_NS}
    assert {path.stat().st_mode & 0o7777 for path in files} == {0o600}


def test_equal_documents_give_an_equal_tree(blobs: MemoryBlobs) -> None:
    """Whatever the order in which they were collected."""
    documents = {"b/c": b"1", "a": b"2", "b/a": b"3"}

    first = store_documents(documents, blobs, mtime_ns=MTIME_NS)
    second = store_documents(dict(reversed(documents.items())), blobs, mtime_ns=MTIME_NS)

    assert first == second


def test_no_documents_are_an_empty_tree(blobs: MemoryBlobs) -> None:
    """An application may have nothing of a kind."""
    assert blobs.read_tree(store_documents({}, blobs, mtime_ns=0)) == ()


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/./b", "a\0b"])
def test_a_path_that_is_none_is_refused(blobs: MemoryBlobs, path: str) -> None:
    """Names of objects come from a cluster and must not become paths."""
    with pytest.raises(InvalidInputError):
        store_documents({path: b""}, blobs, mtime_ns=0)


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("x/a", "x/a/b/c")])
def test_a_document_cannot_be_a_directory_too(blobs: MemoryBlobs, paths: tuple[str, ...]) -> None:
    """Neither silently replaces the other."""
    with pytest.raises(InvalidInputError, match="both"):
        store_documents(dict.fromkeys(paths, b""), blobs, mtime_ns=0)


def test_a_stream_becomes_one_file(tmp_path: Path, blobs: MemoryBlobs) -> None:
    """Its length is known at the end only."""
    content = os.urandom(300_000)

    tree_id, size = store_stream(BytesIO(content).read, blobs, name="dump.sql", mtime_ns=MTIME_NS)
    bring_back(tmp_path / "target", tree_id, blobs)

    assert size == len(content)
    assert (tmp_path / "target" / "dump.sql").read_bytes() == content


def test_a_stream_that_breaks_becomes_nothing(blobs: MemoryBlobs) -> None:
    """Half a dump is worse than none: no tree names it."""
    parts = iter([b"x" * 1000, b"y" * 1000])

    def read(_: int) -> bytes:
        try:
            return next(parts)
        except StopIteration:
            raise BrokenPipeError("the command failed") from None

    with pytest.raises(BrokenPipeError):
        store_stream(read, blobs, name="dump", mtime_ns=0)
    assert not blobs.contains(b"dump")


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_stream_needs_a_plain_name(blobs: MemoryBlobs, name: str) -> None:
    """It is refused before anything is read."""
    with pytest.raises(InvalidInputError):
        store_stream(lambda _: b"", blobs, name=name, mtime_ns=0)
