"""An adversary in the volume swaps things for links to the outside, all the time."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from file_trees import Entry, bring_back, describe, save
from repository_fakes import MemoryBlobs

ROUNDS = 150
SECRET = b"a secret of the host"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Stands for /etc: a directory with a secret, which nobody may read or write."""
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_bytes(SECRET)
    os.mkfifo(canary / "fifo")
    return canary


def make_volume(volume: Path) -> None:
    volume.mkdir()
    (volume / "d").mkdir()
    (volume / "d" / "file").write_bytes(b"mine" * 1000)
    (volume / "d" / "e").mkdir()
    (volume / "d" / "e" / "file").write_bytes(b"deep")
    (volume / "file").write_bytes(b"mine" * 1000)
    os.link(volume / "file", volume / "linked")
    os.mkfifo(volume / "fifo")
    (volume / "link").symlink_to("file")


@contextmanager
def swapped_all_the_time(volume: Path, outside: Path) -> Iterator[None]:
    """Put links to the outside in place of directories and files, and take them away again."""
    done = threading.Event()

    def swap(path: Path, link_to: Path) -> None:
        aside = path.with_name(f"{path.name} aside")
        with suppress(OSError):
            path.rename(aside)
        with suppress(OSError):
            path.symlink_to(link_to)
        with suppress(OSError):
            path.unlink()
        with suppress(OSError):
            aside.rename(path)

    def work() -> None:
        while not done.is_set():
            swap(volume / "d", outside)
            swap(volume / "d" / "e", outside)
            swap(volume / "file", outside / "file")
            swap(volume / "fifo", outside / "fifo")
            swap(volume / ".appshield-restoring", outside / "file")

    adversary = threading.Thread(target=work)
    adversary.start()
    try:
        yield
    finally:
        done.set()
        adversary.join()


def changed_times(canary: Path) -> dict[bytes, tuple[Entry, int]]:
    return {
        path: (entry, (canary / os.fsdecode(path)).lstat().st_ctime_ns)
        for path, entry in describe(canary).items()
    }


@pytest.mark.parametrize("etc", [False, True], ids=["canary", "etc"])
def test_nothing_outside_is_read_while_links_come_and_go(
    tmp_path: Path, canary: Path, etc: bool
) -> None:
    """Every save ends, and none holds a byte from outside."""
    volume = tmp_path / "volume"
    make_volume(volume)
    outside = Path("/etc") if etc else canary
    blobs = MemoryBlobs()
    troubled = 0

    with swapped_all_the_time(volume, outside):
        for _ in range(ROUNDS):
            troubled += bool(save(volume, blobs).problems)

    assert troubled, "the adversary was never in the way: the test proved nothing"
    assert not blobs.contains(SECRET)
    assert not blobs.contains(Path("/etc/passwd").read_bytes())
    assert not blobs.contains(b"passwd")


@pytest.mark.parametrize("etc", [False, True], ids=["canary", "etc"])
def test_nothing_outside_is_written_while_links_come_and_go(
    tmp_path: Path, canary: Path, etc: bool
) -> None:
    """Every restore ends, and none changes a byte, owner, mode or time outside."""
    source, volume = tmp_path / "source", tmp_path / "volume"
    make_volume(source)
    make_volume(volume)
    outside = Path("/etc") if etc else canary
    blobs = MemoryBlobs()
    stored = save(source, blobs)
    before = changed_times(outside)

    with swapped_all_the_time(volume, outside):
        for number in range(ROUNDS):
            for path in (source / "file", source / "d" / "file", source / "d" / "e" / "file"):
                path.write_bytes(b"version %d" % number)
            stored = save(source, blobs)
            bring_back(
                volume,
                stored.tree_id,
                blobs,
                root_node=stored.root_node,
                keep_going=True,
                delete_extra=number % 3 == 0,
            )

    assert changed_times(outside) == before
    bring_back(volume, stored.tree_id, blobs, root_node=stored.root_node, delete_extra=True)
    assert describe(volume) == describe(source)
