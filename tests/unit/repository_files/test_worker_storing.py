"""Directories stored by worker processes: the same trees, and nothing left when they die."""

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.objectstore import FolderObjectStore
from appshield.repository import (
    Reader,
    Repository,
    RepositoryLock,
    Writer,
    check,
    missing_blobs,
    remove_lock,
)
from appshield.repository.chunking import WINDOW_BYTES
from appshield.repository.files import StoppedError, StoredDirectory, dispatching
from appshield.repository.files.reading import PART_BYTES
from appshield.repository.settings import PackSettings
from appshield.repository.workers.failures import WorkerDiedError
from failing_store import names_in
from file_trees import describe, make_hostile_tree, make_sparse, never, pool_processes, save
from repository_content import PASSWORD, SWIFT
from waiting import wait_for_now, wait_until


@pytest.fixture(autouse=True)
def always_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes do even the little that tests give them."""
    monkeypatch.setattr(dispatching, "HERE_FILES", 0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def store(tmp_path: Path) -> FolderObjectStore:
    return FolderObjectStore(tmp_path / "store")


def back_up(
    store: FolderObjectStore,
    source: Path,
    *,
    workers: int,
    parent: bytes | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = never,
) -> tuple[StoredDirectory, int]:
    """Store a directory as the uploader does; return with it the bytes of new packs."""
    repository = Repository.create(store, PASSWORD)
    with (
        RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock,
        Writer(repository, lock, workers=workers) as writer,
    ):
        earlier = (Reader(repository), parent) if parent else None
        stored = save(source, writer, parent=earlier, progress=progress, cancelled=cancelled)
    assert missing_blobs(repository, stored.tree_id) == []
    return stored, writer.bytes_stored


def two_alike(folder: Path) -> tuple[FolderObjectStore, FolderObjectStore]:
    """Make two repositories with one key: it decides where files are cut."""
    Repository.create(FolderObjectStore(folder / "one"), PASSWORD)
    shutil.copytree(folder / "one", folder / "other")
    return FolderObjectStore(folder / "one"), FolderObjectStore(folder / "other")


def make_all_kinds(source: Path) -> None:
    """Make everything that takes another way: hostile names, large and sparse files, many files."""
    make_hostile_tree(source)
    drawn = random.Random(1)
    (source / "many").mkdir()
    for number in range(1200):
        (source / "many" / f"{number:04}").write_bytes(drawn.randbytes(number % 700))
        if number % 100 == 7:
            (source / "many" / f"{number:04} below").mkdir()
            os.link(
                source / "many" / f"{number:04}", source / "many" / f"{number:04} below" / "linked"
            )
    (source / "medium").write_bytes(drawn.randbytes(3 << 20) * 3)
    (source / "large").write_bytes(drawn.randbytes(1 << 20) * (2 + PART_BYTES // (1 << 20)))
    make_sparse(
        source / "large and sparse",
        5 * PART_BYTES + 777,
        {0: b"start", 3 * PART_BYTES - 9: drawn.randbytes(2 << 20), 5 * PART_BYTES: b"end"},
    )


def test_trees_are_the_same_whoever_stores_them(source: Path, tmp_path: Path) -> None:
    """Byte for byte, with as many files, bytes and problems; and a repetition stores nothing."""
    make_all_kinds(source)
    other, store = two_alike(tmp_path)
    here, _ = back_up(other, source, workers=0)
    there, stored = back_up(store, source, workers=2)
    assert there == here
    assert stored > 0
    again, stored_again = back_up(store, source, workers=2, parent=there.tree_id)
    assert again.tree_id == there.tree_id
    # neither a link, FIFO or device is a file that could be unchanged
    assert again.files_unchanged == sum(
        stat.S_ISREG(entry.kind) for entry in describe(source).values()
    )
    assert (again.bytes_read, stored_again) == (0, 0)
    assert check(Repository.open(store, PASSWORD), read_data=True).is_sound


@given(
    names=st.lists(
        st.binary(min_size=1, max_size=12).filter(
            lambda name: not {0, 47} & set(name) and name not in {b".", b".."}
        ),
        max_size=30,
        unique=True,
    ),
    seed=st.integers(0, 1000),
)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_tree_is_the_same_whoever_stores_it(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes], seed: int
) -> None:
    """Files of any size, links and directories in directories."""
    folder = tmp_path_factory.mktemp("any")
    drawn = random.Random(seed)
    directories = [os.fsencode(folder / "source")]
    (folder / "source").mkdir()
    for name in names:
        path = Path(os.fsdecode(drawn.choice(directories) + b"/" + name))
        match drawn.randrange(4):
            case 0:
                path.mkdir()
                directories.append(os.fsencode(path))
            case 1:
                path.symlink_to("anywhere")
            case _:
                path.write_bytes(drawn.randbytes(drawn.choice([0, 1, 5000, 700_000])))
    alike = two_alike(folder)
    trees = {
        back_up(store, folder / "source", workers=workers)[0].tree_id
        for store, workers in zip(alike, (0, 2), strict=True)
    }
    assert len(trees) == 1


def test_a_hard_linked_file_is_read_once(source: Path, store: FolderObjectStore) -> None:
    """By whichever worker meets it, in whichever directory."""
    source.mkdir()
    for number in range(20):
        (source / f"{number}").mkdir()
        (source / f"{number}" / "own").write_bytes(b"%d" % number)
    for inode in range(8):
        (source / "0" / f"{inode}").write_bytes(bytes([inode]) * 1000)
        for number in range(1, 20):
            os.link(source / "0" / f"{inode}", source / f"{number}" / f"{inode}")

    stored, _ = back_up(store, source, workers=2)

    assert stored.files == 20 + 8 * 20
    own = sum(len(b"%d" % number) for number in range(20))
    assert (stored.bytes_read, stored.bytes_total) == (8 * 1000 + own, 8 * 20 * 1000 + own)


def test_few_files_start_no_process(
    source: Path, store: FolderObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take longer than the work."""
    monkeypatch.setattr(dispatching, "HERE_FILES", 256)
    source.mkdir()
    for number in range(200):
        (source / f"{number}").write_bytes(b"content %d" % number)
    seen: set[int] = set()
    stored, _ = back_up(
        store, source, workers=2, progress=lambda *_: seen.update(pool_processes(os.getpid()))
    )
    assert (stored.files, seen) == (200, set())


def make_much(source: Path) -> None:
    """Make what keeps workers busy for a moment."""
    source.mkdir()
    drawn = random.Random(2)
    for number in range(60):
        (source / f"{number:02}").write_bytes(drawn.randbytes(3 << 20))


def kill_a_worker() -> None:
    (parent,) = pool_processes(os.getpid())
    workers = pool_processes(parent)
    if workers:
        os.kill(workers[0], signal.SIGKILL)


def test_a_worker_that_is_killed_fails_the_backup_and_nothing_else(
    source: Path, store: FolderObjectStore
) -> None:
    """One clear error, a sound repository, no process left, and what was stored is found."""
    make_much(source)
    before = pool_processes(os.getpid())

    def progress(_: int, done: int) -> None:
        if done > 80 << 20:
            kill_a_worker()

    with pytest.raises(WorkerDiedError, match="killed by SIGKILL"):
        back_up(store, source, workers=2, progress=progress)

    assert pool_processes(os.getpid()) == before
    report = check(Repository.open(store, PASSWORD), read_data=True)
    assert report.errors == ()
    stored, added = back_up(store, source, workers=2)
    assert (stored.files, stored.problems) == (60, ())
    assert added < 180 << 20, "nothing of the first attempt was found"
    assert check(Repository.open(store, PASSWORD), read_data=True).errors == ()


def test_a_backup_that_is_stopped_leaves_no_process(source: Path, store: FolderObjectStore) -> None:
    """Nor an unsound repository, nor a lock."""
    make_much(source)
    before = pool_processes(os.getpid())
    done_bytes = 0

    def progress(_: int, done: int) -> None:
        nonlocal done_bytes
        done_bytes = done

    with pytest.raises(StoppedError):
        back_up(
            store, source, workers=2, progress=progress, cancelled=lambda: done_bytes > 40 << 20
        )

    assert pool_processes(os.getpid()) == before
    assert names_in(store, "locks") == []
    assert check(Repository.open(store, PASSWORD), read_data=True).errors == ()


KILLED = """
import sys
from pathlib import Path
from appshield.objectstore import FolderObjectStore
from appshield.repository import Repository, RepositoryLock, Writer
from appshield.repository.files import dispatching
from file_trees import save
from repository_content import PASSWORD, SWIFT
dispatching.HERE_FILES = 0
repository = Repository.create(FolderObjectStore(Path(sys.argv[1])), PASSWORD)
lock = RepositoryLock.acquire(repository, owner="killed", timing=SWIFT)
with Writer(repository, lock, workers=2, index_every_s=0.2) as writer:
    save(Path(sys.argv[2]), writer, progress=lambda _, done: print(done, flush=True))
"""


@pytest.fixture
def backup_at_work(store: FolderObjectStore, source: Path) -> Iterator[subprocess.Popen[bytes]]:
    make_much(source)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.folder), str(source)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        yield process
        process.kill()


async def test_a_backup_that_is_killed_leaves_no_process_and_is_continued(
    backup_at_work: subprocess.Popen[bytes], store: FolderObjectStore, source: Path
) -> None:
    """What an index names already is not stored again."""
    assert backup_at_work.stdout is not None
    while int(backup_at_work.stdout.readline()) < 60 << 20:
        continue
    await wait_until(lambda: names_in(store, "index"), deadline_s=30, what="an index")
    (parent,) = pool_processes(backup_at_work.pid)
    processes = [parent, *pool_processes(parent)]
    backup_at_work.kill()
    await wait_until(lambda: not any(map(is_alive, processes)), deadline_s=10, what="their end")
    for name in names_in(store, "locks"):
        remove_lock(store, name.removeprefix("locks/"))
    assert check(Repository.open(store, PASSWORD), read_data=True).errors == ()

    stored, added = back_up(store, source, workers=2)

    assert (stored.files, stored.problems) == (60, ())
    assert added < 180 << 20
    assert check(Repository.open(store, PASSWORD), read_data=True).errors == ()


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class UnsettledLock(RepositoryLock):
    """A lock of which the second look is taken when a test allows it."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.may_settle = threading.Event()

    def _settle(self) -> None:
        self.may_settle.wait()
        super()._settle()


def bytes_read_by(process: int) -> int:
    """Return how many bytes a process has read so far."""
    facts = Path(f"/proc/{process}/io").read_text()
    return int(facts.split("rchar: ", 1)[1].split()[0])


def test_workers_read_while_the_lock_settles_and_store_nothing_before(
    store: FolderObjectStore, source: Path
) -> None:
    """What they do meanwhile is a guess, of which nothing is in the bucket yet."""
    source.mkdir()
    size = 2 * WINDOW_BYTES
    (source / "file").write_bytes(random.Random(5).randbytes(size))
    repository = Repository.create(store, PASSWORD)
    packs: list[str] = []

    def have_read() -> bool:
        parents = pool_processes(os.getpid())
        workers = [one for parent in parents for one in pool_processes(parent)]
        return any(bytes_read_by(worker) >= size for worker in workers)

    def allow(lock: UnsettledLock) -> None:
        try:
            wait_for_now(have_read, deadline_s=30, what="a worker that has read the file")
            packs.extend(names_in(store, "data"))
        finally:
            lock.may_settle.set()

    with (
        ThreadPoolExecutor(1) as beside,
        UnsettledLock.acquire(repository, owner="test", timing=SWIFT, settle_later=True) as lock,
        Writer(repository, lock, workers=2, settings=PackSettings(pack_bytes=size // 4)) as writer,
    ):
        allowed = beside.submit(allow, lock)
        stored = save(source, writer)
        allowed.result()
    assert packs == []
    assert missing_blobs(repository, stored.tree_id) == []
