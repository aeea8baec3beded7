"""What is in a version is listed, found and taken out without a restore."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from appshield.errors import InvalidInputError, NotFoundError
from appshield.objectstore import MemoryObjectStore
from appshield.repository import Node, Reader, Repository, Writer
from appshield.repository.browsing import (
    Entry,
    dump,
    find_entries,
    list_entries,
    mode_text,
    walk,
)
from appshield.repository.files import store_directory
from repository_content import PASSWORD, directory_node, file_node, noise, stream, writing

BIG = noise(3 << 20)


def stored(source: Path) -> tuple[Reader, bytes]:
    """Store a directory and return its root."""
    repository = Repository.create(MemoryObjectStore(), PASSWORD)
    descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with writing(repository) as writer:
            tree = store_directory(descriptor, writer, cancelled=lambda: False).root_node.subtree
    finally:
        os.close(descriptor)
    assert tree is not None
    return Reader(repository, index=repository.load_index()), tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "etc/deep").mkdir(parents=True)
    (folder / "etc/web.conf").write_bytes(b"listen 80\n")
    (folder / "etc/deep/big").write_bytes(BIG)
    (folder / "etc/link").symlink_to("web.conf")
    os.link(folder / "etc/web.conf", folder / "same.conf")
    (folder / "empty").touch()
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"n\xf6n")).write_bytes(b"not UTF-8")
    return folder


def paths(entries: object) -> list[bytes]:
    return [entry.path for entry in entries if isinstance(entry, Entry)]  # type: ignore[attr-defined] # any iterable


def test_a_folder_is_listed_by_name_and_a_file_is_itself(source: Path) -> None:
    """With or without slashes around the path."""
    reader, root = stored(source)
    names = [b"empty", b"etc", b"n\xf6n", b"pipe", b"same.conf"]
    assert paths(list_entries(reader, root)) == names
    assert paths(list_entries(reader, root, b"/etc/")) == [
        b"etc/deep",
        b"etc/link",
        b"etc/web.conf",
    ]
    assert paths(list_entries(reader, root, b"etc/web.conf")) == [b"etc/web.conf"]
    assert b"etc/deep/big" in paths(list_entries(reader, root, recursive=True))
    with pytest.raises(NotFoundError):
        list(list_entries(reader, root, b"etc/none"))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.conf", [b"etc/web.conf", b"same.conf"]),
        ("etc/*.conf", [b"etc/web.conf"]),
        ("BIG", []),
        ("deep", [b"etc/deep"]),
        (os.fsdecode(b"n\xf6n"), [b"n\xf6n"]),
    ],
)
def test_a_pattern_fits_names_or_whole_paths(
    source: Path, pattern: str, found: list[bytes]
) -> None:
    """A slash makes the difference, and letters are not confused with their capitals."""
    reader, root = stored(source)
    assert paths(find_entries(reader, root, pattern)) == found


def test_a_file_comes_out_as_it_went_in(source: Path) -> None:
    """Of any size, an empty one included."""
    reader, root = stored(source)
    for path, content in ((b"etc/deep/big", BIG), (b"empty", b""), (b"n\xf6n", b"not UTF-8")):
        taken = io.BytesIO()
        dump(reader, reader.find(root, path), taken)
        assert taken.getvalue() == content


def test_a_folder_comes_out_as_an_archive_that_tar_unpacks(source: Path, tmp_path: Path) -> None:
    """Content, modes, times, links, names and what is no file."""
    reader, root = stored(source)
    archive = io.BytesIO()
    dump(reader, directory_node(b"all", root), archive)
    archive.seek(0)
    target = tmp_path / "target"
    with tarfile.open(fileobj=archive, errors="surrogateescape") as opened:
        opened.extractall(target, filter="tar")
    assert (target / "etc/deep/big").read_bytes() == BIG
    assert (target / "etc/link").readlink() == Path("web.conf")
    assert (target / "etc/web.conf").samefile(target / "same.conf")
    assert (target / "pipe").is_fifo()
    assert (target / os.fsdecode(b"n\xf6n")).read_bytes() == b"not UTF-8"
    before, after = (source / "etc/web.conf").stat(), (target / "etc/web.conf").stat()
    assert before.st_mode == after.st_mode
    assert after.st_mtime == pytest.approx(before.st_mtime)


def test_what_has_no_content_is_refused(source: Path) -> None:
    """A pipe holds nothing that could be written out."""
    reader, root = stored(source)
    with pytest.raises(InvalidInputError, match="pipe has no content"):
        dump(reader, reader.find(root, b"pipe"), io.BytesIO())


def test_folders_may_be_nested_deeper_than_calls_can_be() -> None:
    """Walking does not call itself."""
    repository = Repository.create(MemoryObjectStore(), PASSWORD)
    with writing(repository) as writer:
        tree = _nested(writer, 2000)
    reader = Reader(repository, index=repository.load_index())
    deepest = max(walk(reader, tree), key=lambda entry: entry.path.count(b"/"))
    assert deepest.path.count(b"/") == 2000


def _nested(writer: Writer, depth: int) -> bytes:
    leaf: Node = file_node(b"leaf", *writer.add_file(stream(b"leaf")))
    tree = writer.add_tree([leaf])
    for _ in range(depth):
        tree = writer.add_tree([directory_node(b"d", tree)])
    return tree


def test_modes_read_as_ls_writes_them(source: Path) -> None:
    """Kind and permissions."""
    reader, root = stored(source)
    assert mode_text(reader.find(root, b"etc")).startswith("drwx")
    assert mode_text(reader.find(root, b"etc/link")).startswith("l")
    assert mode_text(reader.find(root, b"pipe")).startswith("p")
