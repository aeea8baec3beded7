"""One format, two programs: the real restic works on our repositories, and we on its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appshield.objectstore import FolderObjectStore
from appshield.repository import (
    Reader,
    Repository,
    RepositoryLock,
    RepositoryLockedError,
    check,
    missing_blobs,
    remove_lock,
    seal_snapshot,
)
from appshield.repository.trees import decode_tree, encode_tree
from failing_store import names_in
from repository_content import PASSWORD, SWIFT, back_up, document, noise, writing
from restic_binary import BUILD_TIMEOUT_S, Restic
from waiting import wait_until

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)

FILES = {
    b"empty": b"",
    b"text": b"some text\n" * 10_000,
    b"noise": noise(5_000_000),
    "n\u00e4me \U0001f600".encode(): b"1",
    b"raw \xff\xfe": b"2",
    b'quote " back \\ line\n': b"3",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def ours(folder: Path) -> FolderObjectStore:
    """A repository of ours with one version of `FILES`."""
    store = FolderObjectStore(folder)
    back_up(store, FILES, "appshield:run=1")
    return store


def files_below(folder: Path) -> dict[bytes, bytes]:
    """Return the content of every file below a directory, by relative path."""
    return {
        os.fsencode(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


BOTH = FILES | {b"sub/" + name: data for name, data in FILES.items()}
"""What `store_files` makes of `FILES`."""


def make_source(folder: Path) -> Path:
    """Write `BOTH` into a directory."""
    (folder / "sub").mkdir(parents=True)
    for name, data in BOTH.items():
        (folder / os.fsdecode(name)).write_bytes(data)
    return folder


def test_restic_finds_our_repository_sound_and_restores_it(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Every byte is checked, and every file comes back."""
    any_restic.check(folder, PASSWORD)
    any_restic.run(folder, PASSWORD, "restore", "latest", "--target", tmp_path / "restored")
    assert files_below(tmp_path / "restored") == BOTH


def test_restic_reads_parts_of_our_repository(
    any_restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """List, find and dump, and our tags in its list of snapshots."""
    listed = any_restic.run(folder, PASSWORD, "ls", "latest").splitlines()
    assert b"/sub/raw \xff\xfe" in listed
    assert any_restic.run(folder, PASSWORD, "dump", "latest", "/sub/text") == FILES[b"text"]
    assert b"/noise" in any_restic.run(folder, PASSWORD, "find", "noise")
    (snapshot,) = json.loads(any_restic.run(folder, PASSWORD, "snapshots", "--json"))
    assert snapshot["tags"] == ["appshield:run=1"]
    assert snapshot["id"] == Repository.open(ours, PASSWORD).snapshots()[0][0]


def test_restic_backs_up_into_our_repository_and_we_read_it(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Its chunker accepts our polynomial, and both versions stay whole for both programs."""
    source = make_source(tmp_path / "source")
    any_restic.run(folder, PASSWORD, "backup", ".", cwd=source)
    any_restic.check(folder, PASSWORD)
    repository = Repository.open(ours, PASSWORD)
    assert check(repository, read_data=True).is_sound
    snapshots = repository.snapshots()
    assert len(snapshots) == 2
    assert_holds_files(repository, snapshots[-1][1].tree_id)


def test_we_read_a_repository_of_restic_and_write_into_it(
    any_restic: Restic, folder: Path, tmp_path: Path
) -> None:
    """Frames without a size, its key, its trees; then it reads what we have added."""
    source = make_source(tmp_path / "source")
    any_restic.run(folder, PASSWORD, "init", "--repository-version", "2")
    any_restic.run(folder, PASSWORD, "backup", ".", cwd=source)
    store = FolderObjectStore(folder)
    repository = Repository.open(store, PASSWORD)
    ((_, found),) = repository.snapshots()
    assert check(repository, read_data=True).is_sound
    assert_holds_files(repository, found.tree_id)
    back_up(store, FILES | {b"more": b"new data"}, "ours")
    any_restic.check(folder, PASSWORD)
    restored = tmp_path / "restored"
    any_restic.run(folder, PASSWORD, "restore", "latest", "--tag", "ours", "--target", restored)
    assert files_below(restored)[b"sub/more"] == b"new data"


def assert_holds_files(repository: Repository, tree: bytes) -> None:
    reader = Reader(repository)
    for name, data in BOTH.items():
        assert b"".join(reader.iter_file(reader.find(tree, name))) == data


def test_each_keeps_working_after_the_other_has_pruned(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Packs are repacked, indexes rewritten, and a backup of ours follows."""
    back_up(ours, {b"text": FILES[b"text"], b"other": noise(3_000_000, 5)}, "second")
    ((first, _),) = Repository.open(ours, PASSWORD).snapshots_with_tag("appshield:run=1")
    any_restic.run(folder, PASSWORD, "forget", first, "--prune", "--max-unused", "0")
    repository = Repository.open(ours, PASSWORD)
    ((_, kept),) = repository.snapshots_with_tag("second")
    assert check(repository, read_data=True).is_sound
    assert missing_blobs(repository, kept.tree_id) == []
    back_up(ours, FILES, "third")
    any_restic.check(folder, PASSWORD)
    any_restic.run(folder, PASSWORD, "restore", "latest", "--target", tmp_path / "restored")
    assert files_below(tmp_path / "restored") == BOTH


def test_restic_rewrites_our_trees(restic: Restic, ours: FolderObjectStore, folder: Path) -> None:
    """It refuses to, unless it would write each directory with the same bytes."""
    restic.run(folder, PASSWORD, "rewrite", "--exclude", "noise", "latest")
    restic.check(folder, PASSWORD)
    repository = Repository.open(ours, PASSWORD)
    ((_, rewritten),) = [found for found in repository.snapshots() if found[1].original]
    names = {node.name for node in Reader(repository).read_tree(rewritten.tree_id)}
    assert names == {*FILES, b"sub"} - {b"noise"}


def test_restic_copies_and_repairs_our_repository(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """A second copy, an index made again from our packs' headers, a second password."""
    copy = tmp_path / "copy"
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    any_restic.run(copy, PASSWORD, "init", "--repository-version", "2")
    any_restic.run(copy, PASSWORD, "copy", "--from-repo", folder, "--from-password-file", secret)
    any_restic.check(copy, PASSWORD)
    repair = ["rebuild-index"] if b"0.14" in any_restic.run(folder, PASSWORD, "version") else [
        "repair", "index",
    ]  # fmt: skip
    any_restic.run(folder, PASSWORD, *repair, "--read-all-packs")
    any_restic.check(folder, PASSWORD)
    new = tmp_path / "new"
    new.write_text("a second password")
    any_restic.run(folder, PASSWORD, "key", "add", "--new-password-file", new)
    for password in (PASSWORD, "a second password"):
        assert check(Repository.open(ours, password), read_data=True).is_sound


def test_restic_gives_our_trees_the_names_that_we_give_them(
    restic: Restic, folder: Path, tmp_path: Path
) -> None:
    """Each directory that restic writes is read and written again to the byte."""
    make_source(tmp_path / "source")
    restic.run(folder, PASSWORD, "init")
    restic.run(folder, PASSWORD, "backup", tmp_path / "source")
    repository = Repository.open(FolderObjectStore(folder), PASSWORD)
    reader = Reader(repository)
    pending = [document.tree_id for _, document in repository.snapshots()]
    seen = 0
    while pending:
        tree = pending.pop()
        stored = restic.run(folder, PASSWORD, "cat", "blob", tree.hex())
        assert encode_tree(decode_tree(stored)) == stored
        pending += [node.subtree for node in reader.read_tree(tree) if node.subtree]
        seen += 1
    assert seen >= 3


def test_restic_respects_our_locks(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Under our shared lock it backs up and does not prune; under an exclusive one neither."""
    repository = Repository.open(ours, PASSWORD)
    (tmp_path / "file").write_bytes(b"data")
    with RepositoryLock.acquire(repository, owner="run-7", timing=SWIFT):
        any_restic.run(folder, PASSWORD, "backup", tmp_path / "file")
        refused = any_restic.try_run(folder, PASSWORD, "prune")
        assert refused.returncode != 0
        assert b"appshield-run-7" in refused.stderr
    with RepositoryLock.acquire(repository, exclusive=True, owner="run-8", timing=SWIFT):
        refused = any_restic.try_run(folder, PASSWORD, "backup", tmp_path / "file")
        assert refused.returncode != 0
        assert b"exclusively by PID" in refused.stderr
        assert b"appshield-run-8" in refused.stderr
    any_restic.check(folder, PASSWORD)


@contextmanager
def restic_at_work(any_restic: Restic, folder: Path) -> Iterator[None]:
    """Run a backup of standard input, which goes on until that is closed.

    It has taken in more than its packs hold, so the first of them is stored or about to be.
    """
    process = subprocess.Popen(
        [any_restic.program, "--repo", folder, "--no-cache", "backup", "--stdin"],
        env={**os.environ, "RESTIC_PASSWORD": PASSWORD},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(noise(50_000_000, 3))
        yield
    finally:
        output, _ = process.communicate(b"the end", timeout=60)
        assert process.returncode == 0, output


async def test_we_respect_the_locks_of_restic(
    any_restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """While it backs up, we may back up and not have the repository for us alone."""
    repository = Repository.open(ours, PASSWORD)
    packs = len(names_in(ours, "data"))
    with restic_at_work(any_restic, folder):
        # a pack shows that it has its lock for good: one just written would be given up for ours
        await wait_until(
            lambda: len(names_in(ours, "data")) > packs, deadline_s=60, what="a pack of restic"
        )
        with pytest.raises(RepositoryLockedError, match="restic unlock"):
            RepositoryLock.acquire(repository, exclusive=True, owner="me", timing=SWIFT)
        back_up(ours, FILES | {b"meanwhile": b"yes"}, "meanwhile")
    assert names_in(ours, "locks") == []
    any_restic.check(folder, PASSWORD)
    assert check(repository, read_data=True).is_sound


KILLED = """
import pathlib, sys
sys.path += {path!r}
from appshield.objectstore import FolderObjectStore
from appshield.repository import PackSettings, Repository, RepositoryLock, Writer
from repository_content import PASSWORD, noise
repository = Repository.open(FolderObjectStore(pathlib.Path(sys.argv[1])), PASSWORD)
lock = RepositoryLock.acquire(
    repository, owner="killed", record=lambda lock_id: print(lock_id, flush=True)
)
settings = PackSettings(pack_bytes=1_000_000)
writer = Writer(repository, lock, settings=settings, index_every_s=0.2)
number = 0
while True:
    writer.add_data(noise(100_000, number))
    number += 1
"""


@pytest.fixture
def backup_at_work(
    ours: FolderObjectStore, folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a backup of ours that never ends; with the id of its lock."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED.format(path=sys.path), folder], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().decode().strip()
        process.kill()


async def test_after_the_kill_of_a_backup_its_successor_leaves_a_sound_repository(
    restic: Restic,
    ours: FolderObjectStore,
    folder: Path,
    backup_at_work: tuple[subprocess.Popen[bytes], str],
) -> None:
    """The lock is removed by its recorded id, and what was stored is stored once."""
    process, lock_id = backup_at_work
    await wait_until(lambda: len(names_in(ours, "index")) > 1, deadline_s=60, what="an index")
    process.kill()
    process.wait()
    assert names_in(ours, "locks") == [f"locks/{lock_id}"]
    remove_lock(ours, lock_id)
    restic.check(folder, PASSWORD)
    repository = Repository.open(ours, PASSWORD)
    before = sum(found.size_bytes for found in ours.list("data"))
    with writing(repository) as writer:
        first = writer.add_data(noise(100_000, 0))
        tree = writer.add_tree([])
    assert sum(found.size_bytes for found in ours.list("data")) < before + 50_000
    assert Reader(repository).read_blob(first) == noise(100_000, 0)
    repository.publish_snapshot(seal_snapshot(repository, document(tree)))
    restic.check(folder, PASSWORD)


def test_restic_finds_the_damage_that_we_find(
    any_restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """A flipped bit is seen by both, in the same pack."""
    name = max(ours.list("data"), key=lambda found: found.size_bytes).name
    stored = bytearray(ours.get(name))
    stored[1000] ^= 1
    ours.put(name, bytes(stored))
    report = check(Repository.open(ours, PASSWORD), read_data=True)
    assert {finding.file for finding in report.errors if not finding.snapshot_id} == {name}
    output = any_restic.try_run(folder, PASSWORD, "check", "--read-data")
    assert output.returncode != 0
    assert name.rpartition("/")[2].encode()[:8] in output.stdout + output.stderr
