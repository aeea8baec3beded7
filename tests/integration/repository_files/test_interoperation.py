"""Directories that nobody wants to meet, between us and the real restic, in both directions."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from appshield.objectstore import FolderObjectStore
from appshield.repository import Reader, Repository, seal_snapshot
from appshield.repository.files import StoppedError, StoredDirectory
from file_trees import Entry, bring_back, describe, make_hostile_tree, save
from repository_content import PASSWORD, document, writing
from restic_binary import BUILD_TIMEOUT_S, Restic

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def repository(folder: Path) -> Repository:
    return Repository.create(FolderObjectStore(folder), PASSWORD)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    make_hostile_tree(source)
    (source / "several chunks").write_bytes(os.urandom(9 << 20))
    return source


def back_up(repository: Repository, source: Path) -> StoredDirectory:
    """Save a directory as the entry `source` of a snapshot, its own metadata included."""
    with writing(repository) as writer:
        stored = save(source, writer)
        entry = msgspec.structs.replace(stored.root_node, name=b"source")
        tree = writer.add_tree([entry])
    repository.publish_snapshot(seal_snapshot(repository, document(tree)))
    return stored


def as_restic_keeps(tree: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """All but sockets, which no restic saves or restores."""
    return {path: entry for path, entry in tree.items() if not stat.S_ISSOCK(entry.kind)}


def as_restic_restores(tree: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """Only files are hard links again, and which zeros become holes is restic's own choice."""
    return {
        path: entry._replace(
            allocated=False, same_as=entry.same_as if stat.S_ISREG(entry.kind) else b""
        )
        for path, entry in as_restic_keeps(tree).items()
    }


def make_debian_keep(source: Path) -> None:
    """Remove what restic 0.14 loses: bytes in a link that are no UTF-8, attributes of links."""
    times = source.stat()
    (source / "link to nowhere").unlink()
    os.removexattr(source / "link", "trusted.on-link", follow_symlinks=False)
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_restic_restores_our_backup_of_a_hostile_tree(
    restic: Restic, repository: Repository, folder: Path, source: Path, tmp_path: Path
) -> None:
    """Names, owners, modes, times, attributes, ACLs, devices and hard links are equal."""
    stored = back_up(repository, source)

    restic.check(folder, PASSWORD)
    restic.run(folder, PASSWORD, "restore", "latest", "--sparse", "--target", tmp_path / "out")

    assert stored.problems == ()
    restored = describe(tmp_path / "out" / "source")
    assert as_restic_restores(restored) == as_restic_restores(describe(source))


def test_our_own_restore_loses_nothing(
    repository: Repository, source: Path, tmp_path: Path
) -> None:
    """Through the real format everything comes back, from a hole to a hard-linked link."""
    stored = back_up(repository, source)
    reader = Reader(Repository.open(repository.store, PASSWORD))
    root = reader.find(_root(repository), "source")

    restored = bring_back(tmp_path / "target", stored.tree_id, reader, root_node=root)

    assert restored.problems == ()
    assert describe(tmp_path / "target") == describe(source)


def _root(repository: Repository) -> bytes:
    ((_, snapshot),) = repository.list_snapshots().readable
    return bytes.fromhex(snapshot.tree)


def test_the_restic_of_debian_reads_our_backup_of_a_hostile_tree(
    debian_restic: Restic, repository: Repository, folder: Path, source: Path, tmp_path: Path
) -> None:
    """All that this version can keep is equal."""
    make_debian_keep(source)
    back_up(repository, source)

    debian_restic.check(folder, PASSWORD)
    debian_restic.run(folder, PASSWORD, "restore", "latest", "--target", tmp_path / "out")

    restored = describe(tmp_path / "out" / "source")
    assert as_restic_restores(restored) == as_restic_restores(describe(source))


def test_we_restore_what_restic_backed_up(
    any_restic: Restic, folder: Path, source: Path, tmp_path: Path
) -> None:
    """Nothing that it saved is lost, and holes are holes again."""
    if any_restic.program.name == "restic":
        make_debian_keep(source)
    any_restic.run(folder, PASSWORD, "init", "--repository-version", "2")
    any_restic.run(folder, PASSWORD, "backup", "source", cwd=source.parent)
    repository = Repository.open(FolderObjectStore(folder), PASSWORD)
    reader = Reader(repository)
    root = reader.find(_root(repository), "source")
    assert root.subtree is not None

    restored = bring_back(tmp_path / "target", root.subtree, reader, root_node=root)

    assert restored.problems == ()
    assert describe(tmp_path / "target") == as_restic_keeps(describe(source))


def test_a_version_of_restic_serves_as_our_parent(
    restic: Restic, folder: Path, source: Path
) -> None:
    """Files that restic saved and nobody changed are not read again."""
    restic.run(folder, PASSWORD, "init", "--repository-version", "2")
    restic.run(folder, PASSWORD, "backup", "source", cwd=source.parent)
    repository = Repository.open(FolderObjectStore(folder), PASSWORD)
    reader = Reader(repository)
    earlier = reader.find(_root(repository), "source").subtree
    assert earlier is not None
    (source / "plain.txt").write_bytes(b"changed")  # and with it its two other names

    with writing(repository) as writer:
        stored = save(source, writer, parent=(reader, earlier))

    regular = [entry for entry in describe(source).values() if stat.S_ISREG(entry.kind)]
    assert stored.files_unchanged == len(regular) - 3
    assert stored.bytes_read == len(b"changed")


def test_restic_diffs_two_of_our_versions(
    restic: Restic, repository: Repository, folder: Path, source: Path
) -> None:
    """Only what changed differs, down to the bytes of the trees."""
    back_up(repository, source)
    (source / "new").write_bytes(b"new")
    back_up(repository, source)
    snapshots = [identity for identity, _ in repository.list_snapshots().readable]

    differences = restic.run(folder, PASSWORD, "diff", *snapshots).decode()

    assert "+    /source/new" in differences
    assert "Files:           1 new,     0 removed,     0 changed" in differences


def test_a_stopped_save_goes_on_from_what_is_stored(
    repository: Repository, source: Path, restic: Restic, folder: Path
) -> None:
    """Stopping passes through the real chunker, and leaves a valid repository."""
    seen = 0

    def progress(_: int, bytes_done: int) -> None:
        nonlocal seen
        seen = bytes_done

    with pytest.raises(StoppedError), writing(repository) as writer:
        save(source, writer, progress=progress, cancelled=lambda: seen > 55 << 20)
    assert seen > 55 << 20
    back_up(repository, source)

    restic.check(folder, PASSWORD)
