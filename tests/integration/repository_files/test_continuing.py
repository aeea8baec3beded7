"""One repository, two programs in turn: each goes on from the versions of the other one.

The directories are extreme, not only hostile: names of every byte, long names, deep folders, many
names of one file, times far away, large attributes.
"""

import json
import os
import stat
from pathlib import Path

import msgspec
import pytest

from appshield.objectstore import FolderObjectStore
from appshield.repository import Reader, Repository, check, seal_snapshot
from appshield.repository.files import StoredDirectory
from file_trees import DEFAULT_ACL, NAMED_USER_ACL, Entry, bring_back, describe, make_sparse, save
from repository_content import PASSWORD, document, writing
from restic_binary import BUILD_TIMEOUT_S, Restic

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT_S)

DEPTH = 60
LONGEST_NAME_BYTES = 255
LONGEST_LINK_BYTES = 4095
FIRST_SECOND_NS = -62_135_596_800 * 10**9  # the year 1, or as far back as the file system goes
YEAR_2200_NS = 7_258_118_400_123_456_789


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory of extremes that every restic keeps."""
    root = tmp_path / "source"
    root.mkdir()
    make_names(root)
    make_links(root)
    make_metadata(root)
    make_sparse(root / "sparse", 12 << 20, {1 << 20: os.urandom(3000), 9 << 20: b"end"})
    (root / "large").write_bytes(os.urandom(5 << 20) + bytes(3 << 20))
    os.mkfifo(root / "fifo", 0o622)
    os.mknod(root / "zero", stat.S_IFCHR | 0o640, os.makedev(1, 5))
    return root


def make_names(root: Path) -> None:
    """Names of every byte, the longest name, the deepest folder, folders without anything."""
    names = root / "names"
    names.mkdir()
    for byte in {*range(1, 256)} - set(b"/"):
        name = b"%02x-" % byte + bytes([byte, byte]) + b"-end"
        Path(os.fsdecode(os.fsencode(names) + b"/" + name)).write_bytes(name)
    (names / ("n" * LONGEST_NAME_BYTES)).write_bytes(b"long")
    deep = root
    for level in range(DEPTH):
        deep /= f"level {level}"
        deep.mkdir()
    (deep / "at the end").write_bytes(b"deep")
    (root / "nothing in it").mkdir(mode=0o1777)
    (root / "nothing in it").chmod(0o1777)


def make_links(root: Path) -> None:
    """One file with many names in many folders, and links as long as they can be."""
    (root / "one").write_bytes(os.urandom(70_000))
    for number in range(20):
        below = root / f"link {number % 3}"
        below.mkdir(exist_ok=True)
        os.link(root / "one", below / f"name {number}")
    (root / "far").symlink_to("t" * LONGEST_LINK_BYTES)
    (root / "up").symlink_to("../../..")


def make_metadata(root: Path) -> None:
    """Owners, modes, times and attributes that are at an edge."""
    for number, mode in enumerate((0o4711, 0o2755, 0o6755, 0o0000, 0o7777)):
        path = root / f"mode {mode:o}"
        path.write_bytes(b"x")
        os.chown(path, 2**31 + number, 65_534)
        path.chmod(mode)
    for name, time_ns in (("begin", FIRST_SECOND_NS), ("later", YEAR_2200_NS), ("before", -1)):
        (root / name).write_bytes(b"t")
        os.utime(root / name, ns=(time_ns, time_ns))
    (root / "attributes").write_bytes(b"a")
    os.setxattr(root / "attributes", "user.empty", b"")
    os.setxattr(root / "attributes", "user.large", bytes(range(256)) * 8)
    os.setxattr(root / "attributes", "system.posix_acl_access", NAMED_USER_ACL)
    os.setxattr(root / "nothing in it", "system.posix_acl_default", DEFAULT_ACL)


def back_up(
    repository: Repository, source: Path, parent: tuple[Reader, bytes] | None = None
) -> StoredDirectory:
    """Make a version of ours with the directory as its entry `source`."""
    with writing(repository) as writer:
        stored = save(source, writer, parent=parent)
        tree = writer.add_tree([msgspec.structs.replace(stored.root_node, name=b"source")])
    repository.publish_snapshot(seal_snapshot(repository, document(tree)))
    assert stored.problems == ()
    return stored


def restic_back_up(restic: Restic, folder: Path, source: Path, *arguments: str) -> dict[str, int]:
    """Make a version with restic and return its summary."""
    told = restic.run(
        folder, PASSWORD, "backup", "--json", *arguments, source.name, cwd=source.parent
    )
    summary: dict[str, int] = json.loads(told.splitlines()[-1])
    return summary


def restored_by_us(folder: Path, snapshot: str, target: Path) -> dict[bytes, Entry]:
    repository = Repository.open(FolderObjectStore(folder), PASSWORD)
    reader = Reader(repository)
    tree = dict(repository.snapshots())[snapshot].tree_id
    root = reader.find(tree, "source")
    assert root.subtree is not None
    assert bring_back(target, root.subtree, reader, root_node=root).problems == ()
    return describe(target)


def restored_by(restic: Restic, folder: Path, snapshot: str, target: Path) -> dict[bytes, Entry]:
    restic.run(folder, PASSWORD, "restore", snapshot, "--target", target)
    return describe(target / "source")


def but_for_holes(tree: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """Which zeros become holes is restic's own choice."""
    return {path: entry._replace(allocated=False) for path, entry in tree.items()}


def latest(folder: Path) -> str:
    """Return the id of the last version."""
    return Repository.open(FolderObjectStore(folder), PASSWORD).snapshots()[-1][0]


def regular_files(source: Path) -> int:
    return sum(stat.S_ISREG(entry.kind) for entry in describe(source).values())


def change(source: Path) -> None:
    """Change content, mode, time, and what there is."""
    with (source / "large").open("r+b") as file:
        file.seek(2 << 20)
        file.write(b"changed")
    (source / "mode 4711").chmod(0o600)
    (source / "names" / "new").write_bytes(b"new")
    (source / "far").unlink()


def test_extremes_come_back_from_ours_and_from_restics(
    any_restic: Restic, folder: Path, source: Path, tmp_path: Path
) -> None:
    """Each program restores the version of each: nothing differs in any of the four."""
    repository = Repository.create(FolderObjectStore(folder), PASSWORD)
    back_up(repository, source)
    ours = latest(folder)
    restic_back_up(any_restic, folder, source)
    theirs = latest(folder)

    any_restic.check(folder, PASSWORD)
    expected = describe(source)
    assert restored_by_us(folder, ours, tmp_path / "a") == expected
    assert restored_by_us(folder, theirs, tmp_path / "b") == expected
    for number, version in enumerate((ours, theirs)):
        restored = restored_by(any_restic, folder, version, tmp_path / f"restic-{number}")
        assert but_for_holes(restored) == but_for_holes(expected)


def test_restic_goes_on_from_our_version(
    any_restic: Restic, folder: Path, source: Path, tmp_path: Path
) -> None:
    """It reads nothing again that is unchanged, and what both have made stays whole."""
    repository = Repository.create(FolderObjectStore(folder), PASSWORD)
    back_up(repository, source)
    ours, original = latest(folder), describe(source)

    same = restic_back_up(any_restic, folder, source, "--parent", ours)
    assert (same["files_new"], same["files_changed"]) == (0, 0)
    assert same["data_blobs"] == 0

    change(source)
    after = restic_back_up(any_restic, folder, source, "--parent", ours)
    assert after["files_new"] == 1
    assert after["files_changed"] == 2
    assert after["data_added"] < 10 << 20

    any_restic.check(folder, PASSWORD)
    assert restored_by_us(folder, latest(folder), tmp_path / "new") == describe(source)
    assert restored_by_us(folder, ours, tmp_path / "old") == original


def test_we_go_on_from_the_version_that_restic_put_on_top_of_ours(
    any_restic: Restic, folder: Path, source: Path, tmp_path: Path
) -> None:
    """Ours, restic's, ours: the third reads nothing, adds no data, and is restored by restic."""
    repository = Repository.create(FolderObjectStore(folder), PASSWORD)
    back_up(repository, source)
    change(source)
    restic_back_up(any_restic, folder, source)
    theirs = latest(folder)
    repository = Repository.open(repository.store, PASSWORD)
    reader = Reader(repository)
    earlier = reader.find(dict(repository.snapshots())[theirs].tree_id, "source").subtree
    assert earlier is not None

    third = back_up(repository, source, (reader, earlier))
    assert third.files_unchanged == regular_files(source)
    assert third.bytes_read == 0
    ours = latest(folder)
    assert ours != theirs

    any_restic.check(folder, PASSWORD)
    assert check(Repository.open(repository.store, PASSWORD), read_data=True).is_sound
    differences = any_restic.run(folder, PASSWORD, "diff", theirs, ours).decode()
    assert "0 new,     0 removed,     0 changed" in differences
    restored = restored_by(any_restic, folder, ours, tmp_path / "out")
    assert but_for_holes(restored) == but_for_holes(describe(source))


def test_a_repository_of_restic_takes_versions_of_both(
    any_restic: Restic, folder: Path, source: Path, tmp_path: Path
) -> None:
    """Restic's, ours on top of it, and restic's on top of ours."""
    any_restic.run(folder, PASSWORD, "init", "--repository-version", "2")
    restic_back_up(any_restic, folder, source)
    repository = Repository.open(FolderObjectStore(folder), PASSWORD)
    reader = Reader(repository)
    earlier = reader.find(repository.snapshots()[-1][1].tree_id, "source").subtree
    assert earlier is not None
    original = describe(source)
    change(source)
    ours = back_up(repository, source, (reader, earlier))
    assert ours.files_unchanged == regular_files(source) - 3
    last = restic_back_up(any_restic, folder, source, "--parent", latest(folder))
    assert (last["files_new"], last["files_changed"], last["data_blobs"]) == (0, 0, 0)

    any_restic.check(folder, PASSWORD)
    versions = [identity for identity, _ in repository.snapshots()]
    for number, (version, expected) in enumerate(
        zip(versions, (original, describe(source), describe(source)), strict=True)
    ):
        restored = restored_by(any_restic, folder, version, tmp_path / f"out-{number}")
        assert but_for_holes(restored) == but_for_holes(expected)
        assert restored_by_us(folder, version, tmp_path / f"ours-{number}") == expected
