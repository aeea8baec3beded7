"""Which files are as in the parent version: C and Python say the same."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.repository.files.earlier import unchanged_nodes
from appshield.repository.files.metadata import encode_entry
from appshield.repository.native import NativeCode
from native_library import built_native
from repository_fakes import MemoryBlobs

IDS: Final = tuple(bytes([number]) * 32 for number in range(4))
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
TIMES_NS = st.integers(-(2**33) * 10**9, 2**33 * 10**9)


class KnowsAll(MemoryBlobs):
    """Blobs that are all there."""

    def unknown_data(self, blob_ids: bytes) -> set[bytes]:
        """See BlobSink.unknown_data."""
        return set()


@contextmanager
def listed(folder: Path) -> Iterator[tuple[int, int]]:
    """Hold a folder open; give its descriptor and device."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor, os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def make(folder: Path, name: bytes, *, size: int = 3, mode: int = 0o644, time_ns: int = 5) -> bytes:
    """Write a file; return its name."""
    path = os.fsencode(folder) + b"/" + name
    with open(path, "wb") as file:  # noqa: PTH123 - a name of any bytes
        file.write(b"x" * size)
    os.chmod(path, mode)  # noqa: PTH101 - a name of any bytes
    os.utime(path, ns=(1, time_ns))
    return name


def entry_of(directory: int, name: bytes, content: tuple[bytes, ...] = IDS) -> bytes:
    """Return the entry that a version made now would have."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    return encode_entry(name, status, size_bytes=status.st_size, content=content)


@pytest.mark.parametrize("mode", [0o644, 0, 0o7777])
@pytest.mark.parametrize("size", [0, 1, 1 << 20])
def test_c_knows_a_plain_file_with_all_its_blobs(
    native_library: NativeCode, tmp_path: Path, mode: int, size: int
) -> None:
    """Whatever its mode, size, links and number of blobs."""
    name = make(tmp_path, b"a file.txt", size=size, mode=mode)
    (tmp_path / "again").hardlink_to(tmp_path / "a file.txt")
    with listed(tmp_path) as (directory, device):
        for content in ((), IDS[:1], IDS):
            entry = entry_of(directory, name, content)
            sizes, ids = native_library.unchanged(directory, device, [name], [entry])
            assert (list(sizes), ids) == ([size], b"".join(content))


@given(name=NAMES, time_ns=TIMES_NS)
def test_c_and_python_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, name: str, time_ns: int
) -> None:
    """Of any name and any time; what C leaves, Python finds."""
    native, raw = built_native(), name.encode()[:200]
    folder = tmp_path_factory.mktemp("any")
    if raw in (b".", b".."):
        return
    make(folder, raw, time_ns=time_ns)
    with listed(folder) as (directory, device):
        entry = entry_of(directory, raw)
        sizes, ids = native.unchanged(directory, device, [raw], [entry])
        assert list(sizes) in ([3], [-1])
        assert ids == (b"".join(IDS) if sizes[0] >= 0 else b"")
        found = unchanged_nodes([(7, raw, entry)], directory, device, KnowsAll())
        assert found == ([(7, entry)], 3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.replace(b'"size":3', b'"size":4'),
        lambda entry: entry.replace(b'"type":"file"', b'"type":"dir"'),
        lambda entry: entry.replace(b'"content":[', b'"contents":['),
        lambda entry: entry.replace(b'"]}', b'",]}'),
        lambda entry: entry.replace(b"0303", b"03zz"),
        lambda entry: entry.replace(b"0303", b"03"),
        lambda entry: entry.replace(b'","', b'" "'),
        lambda entry: entry[:-1],
        lambda entry: entry[:40],
        lambda _: b"]}",
        lambda _: b"",
    ],
)  # fmt: skip
def test_c_takes_no_entry_that_is_not_plainly_of_this_file(
    native_library: NativeCode, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """It is left to Python, and the entries before and after it are found all the same."""
    names = [make(tmp_path, name) for name in (b"a", b"b", b"c")]
    with listed(tmp_path) as (directory, device):
        entries = [entry_of(directory, name) for name in names]
        changed = [entries[0], damage(entries[1]), entries[2]]
        sizes, ids = native_library.unchanged(directory, device, names, changed)
    assert (list(sizes), ids) == ([3, -1, 3], b"".join(IDS * 2))


def test_what_changed_on_the_disk_is_not_unchanged(
    native_library: NativeCode, tmp_path: Path
) -> None:
    """Content, mode, a link, another kind, another device, or gone."""
    names = [make(tmp_path, name) for name in (b"content", b"mode", b"kind", b"linked", b"gone")]
    with listed(tmp_path) as (directory, device):
        entries = [entry_of(directory, name) for name in names]
        make(tmp_path, b"content", size=4)
        (tmp_path / "mode").chmod(0o600)
        (tmp_path / "kind").unlink()
        (tmp_path / "kind").symlink_to("mode")
        (tmp_path / "more").hardlink_to(tmp_path / "linked")
        (tmp_path / "gone").unlink()
        assert list(native_library.unchanged(directory, device, names, entries)[0]) == [-1] * 5
        entries = [entry_of(directory, names[1])]
        assert list(native_library.unchanged(directory, device, names[1:2], entries)[0]) == [3]
        assert list(native_library.unchanged(directory, device + 1, names[1:2], entries)[0]) == [-1]
