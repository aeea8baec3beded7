"""Maintenance on one repository by two programs: the real restic works on after ours, and back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appshield.objectstore import FolderObjectStore, MemoryObjectStore
from appshield.repository import (
    PruneReport,
    PruneSettings,
    Reader,
    Repository,
    RepositoryLock,
    adopt_unnamed_packs,
    check,
    copy_tree,
    forget,
    heal,
    prune,
    repair_index,
)
from appshield.repository.blobs import BlobKind
from appshield.repository.layout import file_name
from appshield.repository.recovering import Recovery, mend
from failing_store import names_in
from repository_content import PASSWORD, SWIFT, back_up, noise
from restic_binary import BUILD_TIMEOUT_S, Restic

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)

KEPT = {b"text": b"some text\n" * 10_000, b"noise": noise(3_000_000, 1), b"one": noise(9_000, 2)}
GONE = {b"noise": noise(3_000_000, 1), b"other": noise(2_000_000, 3), b"two": noise(9_000, 4)}
THOROUGH = PruneSettings(most_unused=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def ours(folder: Path) -> FolderObjectStore:
    """Two versions, of which the one called gone is forgotten."""
    store = FolderObjectStore(folder)
    back_up(store, GONE, "gone")
    back_up(store, KEPT, "kept")
    repository = Repository.open(store, PASSWORD)
    with alone(repository) as lock:
        forget(repository, lock, [found for found, _ in repository.snapshots_with_tag("gone")])
    return store


@contextmanager
def alone(repository: Repository) -> Iterator[RepositoryLock]:
    with RepositoryLock.acquire(repository, exclusive=True, owner="prune", timing=SWIFT) as lock:
        yield lock


def pruned(store: FolderObjectStore, *, grace_s: float = 0.0) -> PruneReport:
    repository = Repository.open(store, PASSWORD)
    with alone(repository) as lock:
        return prune(repository, lock, grace_s=grace_s, settings=THOROUGH)


def repaired(store: FolderObjectStore) -> tuple[str, ...]:
    repository = Repository.open(store, PASSWORD)
    with alone(repository) as lock:
        return repair_index(repository, lock).named


def assert_sound(any_restic: Restic, store: FolderObjectStore, folder: Path) -> None:
    """Both programs find nothing wrong, and both read every byte of what is kept."""
    any_restic.check(folder, PASSWORD)
    repository = Repository.open(store, PASSWORD)
    assert check(repository, read_data=True).errors == ()
    reader = Reader(repository)
    for _, document in repository.snapshots_with_tag("kept"):
        for name, data in KEPT.items():
            assert b"".join(reader.iter_file(reader.find(document.tree_id, name))) == data
    for name, data in KEPT.items():
        path = "/" + name.decode()
        assert any_restic.run(folder, PASSWORD, "dump", "--tag", "kept", "latest", path) == data


@pytest.mark.parametrize("grace_s", [0.0, 86_400.0])
def test_restic_finds_a_pruned_repository_sound_and_prunes_it_again(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, grace_s: float
) -> None:
    """Packs that wait are orphans for it: it tells so, or removes them, and we do not mind."""
    report = pruned(ours, grace_s=grace_s)
    assert (report.packs_deleted > 0) == (grace_s == 0)
    assert_sound(any_restic, ours, folder)
    any_restic.run(folder, PASSWORD, "prune", "--max-unused", "0")
    assert_sound(any_restic, ours, folder)
    pruned(ours)
    assert_sound(any_restic, ours, folder)
    assert pruned(ours).packs_waiting == 0


def test_we_prune_after_restic_and_what_it_leaves(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Its own versions, forgotten by us."""
    source = tmp_path / "source"
    source.mkdir()
    for turn in range(3):
        (source / f"file-{turn}").write_bytes(noise(2_000_000, 10 + turn))
        any_restic.run(folder, PASSWORD, "backup", "--tag", f"turn-{turn}", ".", cwd=source)
    (source / "file-0").unlink()
    any_restic.run(folder, PASSWORD, "backup", "--tag", "last", ".", cwd=source)
    repository = Repository.open(ours, PASSWORD)
    with alone(repository) as lock:
        for tag in ("turn-0", "turn-1", "turn-2"):
            forget(repository, lock, [found for found, _ in repository.snapshots_with_tag(tag)])
    before = sum(found.size_bytes for found in ours.list("data"))
    report = pruned(ours)
    assert report.bytes_freed > 2_000_000
    assert sum(found.size_bytes for found in ours.list("data")) < before - 2_000_000
    assert_sound(any_restic, ours, folder)
    restored = tmp_path / "restored"
    any_restic.run(folder, PASSWORD, "restore", "--tag", "last", "latest", "--target", restored)
    assert {path.name: path.read_bytes() for path in restored.rglob("file-*")} == {
        path.name: path.read_bytes() for path in source.iterdir()
    }


def test_restic_copies_adds_a_key_and_dumps_after_our_prune(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    """Packs that we have put together hold what they should."""
    pruned(ours)
    copy, secret, new = tmp_path / "copy", tmp_path / "secret", tmp_path / "new"
    secret.write_text(PASSWORD)
    new.write_text("a second password")
    any_restic.run(copy, PASSWORD, "init", "--repository-version", "2")
    any_restic.run(copy, PASSWORD, "copy", "--from-repo", folder, "--from-password-file", secret)
    assert_sound(any_restic, FolderObjectStore(copy), copy)
    pruned(FolderObjectStore(copy))
    assert_sound(any_restic, FolderObjectStore(copy), copy)
    any_restic.run(folder, PASSWORD, "key", "add", "--new-password-file", new)
    pruned(ours)
    assert_sound(any_restic, ours, folder)
    assert check(Repository.open(ours, "a second password"), read_data=True).is_sound


def test_we_prune_after_restic_has_rewritten(
    restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """The snapshot it makes refers to parts of our trees."""
    restic.run(folder, PASSWORD, "rewrite", "--exclude", "noise", "--forget", "latest")
    pruned(ours)
    restic.check(folder, PASSWORD)
    repository = Repository.open(ours, PASSWORD)
    assert check(repository, read_data=True).is_sound
    ((_, found),) = repository.snapshots()
    reader = Reader(repository)
    assert {node.name for node in reader.read_tree(found.tree_id)} == {b"one", b"sub", b"text"}
    assert b"".join(reader.iter_file(reader.find(found.tree_id, "sub/one"))) == KEPT[b"one"]
    assert sum(found.size_bytes for found in ours.list("data")) < 1_000_000


def test_restic_repairs_the_index_after_our_prune_and_we_after_it(
    any_restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """It names retired packs again; they are retired anew, and in the end they go."""
    waiting = pruned(ours, grace_s=86_400).packs_waiting
    old = b"0.14" in any_restic.run(folder, PASSWORD, "version")
    repair = ["rebuild-index"] if old else ["repair", "index"]
    any_restic.run(folder, PASSWORD, *repair)
    assert check(Repository.open(ours, PASSWORD)).warnings == ()
    assert pruned(ours, grace_s=86_400).packs_waiting == waiting
    assert_sound(any_restic, ours, folder)
    for name in names_in(ours, "index"):
        ours.delete(name)
    assert repaired(ours)
    assert_sound(any_restic, ours, folder)
    pruned(ours)
    assert_sound(any_restic, ours, folder)
    any_restic.run(folder, PASSWORD, *repair)
    assert repaired(ours) == ()
    assert_sound(any_restic, ours, folder)


def test_restic_uses_packs_that_we_have_adopted(
    any_restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """After a backup of its own was killed: here, one whose index is lost."""
    any_restic.run(folder, PASSWORD, "backup", "--tag", "kept", "/etc/hostname")
    for name in names_in(ours, "index"):
        ours.delete(name)
    repository = Repository.open(ours, PASSWORD)
    with RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as lock:
        adopted = adopt_unnamed_packs(repository, lock)
    assert len(adopted.packs) == len(names_in(ours, "data"))
    any_restic.check(folder, PASSWORD)
    assert check(repository, read_data=True).warnings == ()


def test_restic_sees_what_was_forgotten(
    any_restic: Restic, ours: FolderObjectStore, folder: Path
) -> None:
    """One version is left."""
    (left,) = json.loads(any_restic.run(folder, PASSWORD, "snapshots", "--json"))
    assert left["tags"] == ["kept"]


@pytest.mark.parametrize("damage", ["flipped", "cut off", "missing", "trees missing"])
def test_restic_finds_a_healed_repository_sound(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, damage: str
) -> None:
    """What comes back from the copy is read and restored by it, byte for byte."""
    source = Repository.open(ours, PASSWORD)
    [(_, kept)] = source.snapshots_with_tag("kept")
    second = Repository.create(MemoryObjectStore(), "another password", like=source)
    with RepositoryLock.acquire(second, owner="copy", timing=SWIFT) as lock:
        copy_tree(source, second, lock, kept.tree_id)
    kind: BlobKind = "tree" if damage == "trees missing" else "data"
    for name in _packs_with(source, kind):
        stored = bytearray(ours.get(name))
        ours.delete(name)
        if damage == "flipped":
            stored[len(stored) // 2] ^= 1
            ours.put(name, bytes(stored))
        elif damage == "cut off":
            ours.put(name, bytes(stored[: len(stored) // 2]))
    repaired(ours)
    repository = Repository.open(ours, PASSWORD)
    with alone(repository) as lock:
        assert heal(repository, lock, [second]).lost == ()
    assert_sound(any_restic, ours, folder)


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_restic_opens_a_repository_whose_config_and_key_were_lost(
    any_restic: Restic, ours: FolderObjectStore, folder: Path, damage: str
) -> None:
    """What is written anew from what was kept is what it expects; it reads every byte."""
    recovery = Recovery.of(Repository.open(ours, PASSWORD))
    for name in ["config", *names_in(ours, "keys")]:
        stored = bytearray(ours.get(name))
        ours.delete(name)
        if damage == "flipped":
            stored[len(stored) // 2] ^= 1
            ours.put(name, bytes(stored))
    mend(recovery.open(ours), PASSWORD)
    any_restic.run(folder, PASSWORD, "key", "list")
    assert_sound(any_restic, ours, folder)


def _packs_with(repository: Repository, kind: BlobKind) -> set[str]:
    table, packs = repository.index.table(kind), repository.index.tables.packs
    return {file_name("data", packs.identity(row).hex()) for row in table.packs}
