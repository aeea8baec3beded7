"""Restoring from a real repository, in this process and with worker processes."""

import os
import random
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appshield.errors import DamagedError, RunFailedError, UnavailableError
from appshield.objectstore import FolderObjectStore
from appshield.repository import Reader, Repository
from appshield.repository.files import RestoredDirectory, Selection, StoppedError, large
from appshield.repository.layout import file_name
from appshield.repository.restore_workers import restore_pool
from appshield.repository.workers.failures import WorkerDiedError
from appshield.repository.workers.pool import WorkerPool
from file_trees import (
    bring_back,
    describe,
    make_hostile_tree,
    make_sparse,
    never,
    pool_processes,
    save,
)
from random_trees import Drawn, drawn_trees, make_tree, without_allocation
from repository_content import PASSWORD, writing

WORKERS = [0, 2]
NOISE = random.Random(1).randbytes(8 << 20)


@pytest.fixture(autouse=True)
def smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some MiB are large here."""
    monkeypatch.setattr(large, "SEGMENT_CHUNKS", 6)


class Saved:
    """A version of a directory in a repository in a folder."""

    def __init__(self, folder: Path, source: Path, *, beside: "Saved | None" = None) -> None:
        store = FolderObjectStore(folder)
        self.repository: Repository = (
            beside.repository if beside else Repository.create(store, PASSWORD)
        )
        with writing(self.repository) as writer:
            stored = save(source, writer)
        assert not stored.problems
        self.tree_id, self.root_node = stored.tree_id, stored.root_node
        self.repository.load_index()
        self.folder = folder

    @contextmanager
    def pool(self, workers: int) -> Iterator[WorkerPool | None]:
        with restore_pool(self.repository, workers=workers, cancelled=never) as pool:
            yield pool

    def bring_back(
        self,
        target: Path,
        workers: int,
        *,
        keep_going: bool = False,
        delete_extra: bool = False,
        include: Selection | None = None,
    ) -> RestoredDirectory:
        with self.pool(workers) as pool:
            return bring_back(
                target,
                self.tree_id,
                Reader(self.repository),
                root_node=self.root_node,
                keep_going=keep_going,
                delete_extra=delete_extra,
                include=include,
                pool=pool,
            )

    def damage(self, path: str) -> str:
        """Flip a bit of the first blob of a file; return which pack holds it."""
        reader = Reader(self.repository)
        (blob_id, *_) = reader.find(self.tree_id, path).content or ()
        place = self.repository.index.lookup("data", blob_id)
        assert place is not None
        stored = self.folder / file_name("data", place.pack_id)
        content = bytearray(stored.read_bytes())
        content[place.entry.offset + 20] ^= 1
        stored.chmod(0o600)
        stored.write_bytes(content)
        return place.pack_id


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    make_hostile_tree(source)
    return source


def make_many(folder: Path, count: int) -> None:
    for number in range(count):
        below = folder / f"many-{number % 40}"
        below.mkdir(exist_ok=True)
        (below / f"file-{number}").write_bytes(b"%d" % number * (number % 300))


def make_large(path: Path) -> None:
    """A file of several parts, with a hole in it."""
    make_sparse(path, 24 << 20, {0: NOISE, 16 << 20: NOISE[: 5 << 20]})


@pytest.mark.parametrize("workers", WORKERS)
def test_everything_comes_back(source: Path, tmp_path: Path, workers: int) -> None:
    """Every kind of entry, many of them, and a file of several parts, onto nothing and again."""
    make_many(source, 2500)
    make_large(source / "large in parts")
    saved = Saved(tmp_path / "repository", source)
    expected = describe(source)

    first = saved.bring_back(tmp_path / "target", workers)
    again = saved.bring_back(tmp_path / "target", workers)

    assert describe(tmp_path / "target") == expected
    assert first.problems == again.problems == ()
    assert (again.files, again.directories) == (first.files, first.directories)
    assert first.files + first.directories == len(expected)
    assert again.bytes_written == 0
    assert again.bytes_unchanged == first.bytes_written


@pytest.mark.parametrize("workers", WORKERS)
def test_only_what_differs_is_written(source: Path, tmp_path: Path, workers: int) -> None:
    """Of a large file with one changed byte one chunk; what does not belong goes."""
    make_many(source, 300)
    make_large(source / "large in parts")
    saved = Saved(tmp_path / "repository", source)
    target = tmp_path / "target"
    saved.bring_back(target, workers)
    with (target / "large in parts").open("r+b") as file:
        file.seek(3 << 20)
        file.write(b"changed")
    (target / "many-0" / "file-0").write_bytes(b"changed, too")
    (target / "many-1" / "file-1").unlink()
    (target / "extra").mkdir()
    (target / "extra" / "file").write_bytes(b"x")

    saved.bring_back(target, workers, delete_extra=True)

    assert without_allocation(describe(target)) == without_allocation(describe(source))


@pytest.mark.parametrize("workers", WORKERS)
def test_a_selection_comes_back_alone(source: Path, tmp_path: Path, workers: int) -> None:
    """With its attributes, and with the directories on the way to it."""
    make_many(source, 400)
    saved = Saved(tmp_path / "repository", source)
    target = tmp_path / "target"

    restored = saved.bring_back(
        target, workers, include=Selection(["many-3", "*/file-1[12]", "plain.txt"])
    )

    found, expected = describe(target), describe(source)
    files = {f"many-3/file-{number}".encode() for number in range(3, 400, 40)}
    files |= {b"many-11/file-11", b"many-12/file-12", b"plain.txt"}
    assert {path for path, entry in found.items() if entry.content} == files
    assert restored.files == len(files)
    assert all(
        found[path]._replace(same_as=b"") == expected[path]._replace(same_as=b"") for path in files
    )
    assert found[b"many-3"] == expected[b"many-3"]


def test_nothing_beside_a_selection_is_touched(source: Path, tmp_path: Path) -> None:
    """What is there and not chosen stays, also with `delete_extra`."""
    make_many(source, 80)
    saved = Saved(tmp_path / "repository", source)
    target = tmp_path / "target"
    (target / "many-3").mkdir(parents=True)
    (target / "many-4").mkdir()
    (target / "many-3" / "extra").write_text("goes")
    (target / "many-4" / "extra").write_text("stays")
    (target / "extra").write_text("stays")

    saved.bring_back(target, 0, delete_extra=True, include=Selection(["many-3", "many-4/file-4"]))

    assert sorted(path.name for path in target.iterdir()) == ["extra", "many-3", "many-4"]
    assert sorted(path.name for path in (target / "many-4").iterdir()) == ["extra", "file-4"]
    assert sorted(path.name for path in (target / "many-3").iterdir()) == ["file-3", "file-43"]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_damaged_blob_costs_its_file_alone(source: Path, tmp_path: Path, workers: int) -> None:
    """It is named with path, blob and pack; without `keep_going` it ends the run."""
    make_many(source, 1000)
    saved = Saved(tmp_path / "repository", source)
    pack_id = saved.damage("many-5/file-45")

    with pytest.raises(DamagedError, match="many-5/file-45 cannot be restored") as refused:
        saved.bring_back(tmp_path / "first", workers)
    restored = saved.bring_back(tmp_path / "second", workers, keep_going=True)

    assert pack_id in str(refused.value)
    assert not (tmp_path / "first" / "many-5" / "file-45").exists()
    (problem,) = restored.problems
    assert (problem.path, problem.kind) == (b"many-5/file-45", "damaged")
    assert pack_id in problem.detail
    expected = describe(source)
    del expected[b"many-5/file-45"]
    assert describe(tmp_path / "second") == expected


@pytest.mark.parametrize("workers", WORKERS)
def test_a_damaged_part_costs_a_large_file(tmp_path: Path, workers: int) -> None:
    """Nothing of it gets a name, and nothing of it stays."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    make_large(source / "large")
    (source / "small").write_bytes(b"small")
    saved = Saved(tmp_path / "repository", source)
    saved.damage("large")

    restored = saved.bring_back(target, workers, keep_going=True)

    assert [(problem.path, problem.kind) for problem in restored.problems] == [
        (b"large", "damaged")
    ]
    assert [path.name for path in target.iterdir()] == ["small"]


def test_a_killed_worker_is_one_clear_error(source: Path, tmp_path: Path) -> None:
    """The next run takes over what is there and completes it."""
    make_many(source, 5000)
    make_large(source / "large in parts")
    saved = Saved(tmp_path / "repository", source)
    target = tmp_path / "target"
    killed = 0

    def kill_one(files: int, _: int) -> None:
        nonlocal killed
        if files and not killed:
            killed = _descendants(os.getpid())[-1]
            os.kill(killed, signal.SIGKILL)

    with pytest.raises(WorkerDiedError, match="SIGKILL"), saved.pool(2) as pool:
        bring_back(
            target,
            saved.tree_id,
            Reader(saved.repository),
            root_node=saved.root_node,
            progress=kill_one,
            pool=pool,
        )
    expected = describe(source)
    for path, entry in describe(target).items():
        if path in expected and entry.content:
            assert entry.content == expected[path].content
    last = saved.bring_back(target, 2)

    assert killed
    assert not _descendants(os.getpid())
    assert describe(target) == expected
    assert last.bytes_unchanged > 0


def test_no_process_is_left_when_a_restore_is_stopped(source: Path, tmp_path: Path) -> None:
    """It stops soon, and goes on when it is called again."""
    make_many(source, 5000)
    saved = Saved(tmp_path / "repository", source)
    target = tmp_path / "target"
    done = 0

    def progress(files: int, _: int) -> None:
        nonlocal done
        done = files

    def cancelled() -> bool:
        return done > 0

    with (
        pytest.raises(StoppedError),
        restore_pool(saved.repository, workers=2, cancelled=cancelled) as pool,
    ):
        bring_back(
            target,
            saved.tree_id,
            Reader(saved.repository),
            progress=progress,
            cancelled=cancelled,
            pool=pool,
        )
    assert 0 < done < 5000
    assert not _descendants(os.getpid())
    saved.bring_back(target, 2)

    assert describe(target) == describe(source)


def test_hard_links_and_other_entries_of_a_directory_do_not_meet(tmp_path: Path) -> None:
    """The walk makes links while workers make what else there is beside them."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"content")
    for number in range(12_000):
        if number % 3:
            os.link(source / "a", source / f"b{number:05}")
        else:
            (source / f"b{number:05}").symlink_to(f"{number}")
    saved = Saved(tmp_path / "repository", source)

    restored = saved.bring_back(tmp_path / "target", 2)

    assert restored.problems == ()
    assert describe(tmp_path / "target") == describe(source)


def test_a_full_volume_ends_the_run_of_all_workers(small_volume: Path, tmp_path: Path) -> None:
    """Going on is of no use then, whatever was asked."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(40):
        (source / f"file-{number}").write_bytes(os.urandom(100_000))
    saved = Saved(tmp_path / "repository", source)

    with pytest.raises(RunFailedError, match="more room"):
        saved.bring_back(small_volume, 2, keep_going=True)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for child in pool_processes(pid):
        found += (child, *_descendants(child))
    return found


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=drawn_trees, other=drawn_trees, workers=st.sampled_from(WORKERS))
def test_any_tree_comes_back_from_a_repository(
    tree: dict[bytes, Drawn], other: dict[bytes, Drawn], workers: int
) -> None:
    """Random trees are restored as they were, onto nothing and onto one another."""
    with tempfile.TemporaryDirectory() as folder:
        source, second, target = (Path(folder, name) for name in ("source", "second", "target"))
        for path, drawn in ((source, tree), (second, other)):
            path.mkdir()
            make_tree(path, drawn)
        first = Saved(Path(folder, "repository"), source)
        other_version = Saved(Path(folder, "repository"), second, beside=first)
        for path, saved in ((source, first), (second, other_version), (source, first)):
            saved.bring_back(target, workers, delete_extra=True)

            assert without_allocation(describe(target)) == without_allocation(describe(path))


def test_an_index_that_was_wrong_is_told_before_any_answer_is_believed(tmp_path: Path) -> None:
    """Workers begin while the lock settles: that packs are gone by then is no damage."""
    source = tmp_path / "source"
    source.mkdir()
    make_many(source, 100)
    saved = Saved(tmp_path / "repository", source)

    def ensure_right() -> None:
        raise UnavailableError("the index was rewritten")

    reader = Reader(saved.repository)
    restoring = restore_pool(
        saved.repository, workers=2, cancelled=never, ensure_right=ensure_right
    )
    with pytest.raises(UnavailableError, match="rewritten"), restoring as pool:
        bring_back(tmp_path / "target", saved.tree_id, reader, pool=pool)
    assert not _descendants(os.getpid())
