"""An adversary in the volume swaps things for links to the outside, all the time."""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from appshield.objectstore import FolderObjectStore
from appshield.repository import Reader, Repository
from appshield.repository.files import RestoredDirectory, StoredDirectory
from appshield.repository.restore_workers import restore_pool
from file_trees import Entry, bring_back, describe, never, save
from repository_content import PASSWORD, writing
from repository_fakes import MemoryBlobs

ROUNDS = 150
_renameat2 = ctypes.CDLL(None).renameat2
_HERE = -100  # AT_FDCWD: paths are looked up as everywhere
_RENAME_EXCHANGE = 2
SECRET = b"a secret of the host"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """Stands for /etc: a directory with a secret, which nobody may read or write."""
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_bytes(SECRET)
    (canary / "file").chmod(0o600)  # as private as our own temporary files
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
    """Exchange directories and files for links to the outside, from another process.

    An exchange is one step: at any time there is a name, and half of the time it is a link.
    """
    prey = {
        volume / "d": outside,
        volume / "file": outside / "file",
        volume / "linked": outside / "file",
        volume / "fifo": outside / "fifo",
        volume / ".appshield-restoring": outside / "file",
        volume / ".appshield-restoring-0": outside / "file",
    }
    adversary = os.fork()
    if not adversary:
        try:
            while True:
                for path, link_to in prey.items():
                    _exchange(path, link_to)
        finally:
            os._exit(1)
    try:
        yield
    finally:
        os.kill(adversary, signal.SIGKILL)
        os.waitpid(adversary, 0)


def _exchange(path: Path, link_to: Path) -> None:
    """Swap an entry with a link beside it, and back the next time."""
    link = path.with_name(f"{path.name}~")
    with suppress(OSError):
        if _renameat2(_HERE, os.fsencode(path), _HERE, os.fsencode(link), _RENAME_EXCHANGE):
            link.symlink_to(link_to)


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


def test_nothing_outside_is_written_while_links_come_and_go(tmp_path: Path, canary: Path) -> None:
    """Every restore ends, and none changes a byte, owner, mode or time outside.

    Only ever with a canary: on the day this fails, the real `/etc` would be overwritten.
    """
    source, volume = tmp_path / "source", tmp_path / "volume"
    make_volume(source)
    make_volume(volume)
    blobs = MemoryBlobs()
    before = changed_times(canary)
    troubled = 0

    with swapped_all_the_time(volume, canary):
        for number in range(ROUNDS):
            for path in (source / "file", source / "d" / "file", source / "d" / "e" / "file"):
                path.write_bytes(b"version %d" % number)
            stored = save(source, blobs)
            restored = bring_back(
                volume,
                stored.tree_id,
                blobs,
                root_node=stored.root_node,
                keep_going=True,
                delete_extra=number % 3 == 0,
            )
            troubled += bool(restored.problems)

    assert troubled, "the adversary was never in the way: the test proved nothing"
    assert changed_times(canary) == before
    bring_back(volume, stored.tree_id, blobs, root_node=stored.root_node, delete_extra=True)
    assert describe(volume) == describe(source)


def test_nothing_outside_is_written_by_workers(tmp_path: Path, canary: Path) -> None:
    """The same with worker processes, which know directories by their descriptors alone."""
    source, volume = tmp_path / "source", tmp_path / "volume"
    make_volume(source)
    make_volume(volume)
    repository = Repository.create(FolderObjectStore(tmp_path / "repository"), PASSWORD)
    versions: list[StoredDirectory] = []
    with writing(repository) as writer:
        for number in range(2):
            for path in (source / "file", source / "d" / "file", source / "d" / "e" / "file"):
                path.write_bytes(b"version %d" % number)
            versions.append(save(source, writer))
    repository.load_index()
    before = changed_times(canary)
    troubled = 0

    with restore_pool(repository, workers=2, cancelled=never) as pool:

        def restore(number: int, *, keep_going: bool) -> RestoredDirectory:
            return bring_back(
                volume,
                versions[number % 2].tree_id,
                Reader(repository),
                root_node=versions[number % 2].root_node,
                keep_going=keep_going,
                delete_extra=number % 3 == 0,
                pool=pool,
            )

        with swapped_all_the_time(volume, canary):
            for number in range(ROUNDS):
                troubled += bool(restore(number, keep_going=True).problems)
        assert troubled, "the adversary was never in the way: the test proved nothing"
        assert changed_times(canary) == before
        restore(3, keep_going=False)

    assert describe(volume) == describe(source)
