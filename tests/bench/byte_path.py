"""The byte path of AppShield as one command, as the uploader and the restorer drive it.

    python byte_path.py init    REPOSITORY
    python byte_path.py backup  REPOSITORY FOLDER
    python byte_path.py restore REPOSITORY FOLDER
    python byte_path.py check   REPOSITORY [--read-data]
    python byte_path.py prune   REPOSITORY [--forget-last]
    python byte_path.py copy    REPOSITORY FOLDER
    python byte_path.py heal    REPOSITORY FOLDER

`copy` brings the last version into a second repository in FOLDER; `heal` brings from there what is
damaged in the first.

REPOSITORY is a folder, or `s3:http://host:port/bucket/prefix` with the key in the variables
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the password is in REPOSITORY_PASSWORD. Only the public
interfaces of `appshield.repository` and `appshield.objectstore` are used. `--workers` is how many
processes do the work, by default one for each processor; with 0 it is all done in this one.
"""

import argparse
import datetime as dt
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from appshield.allocator import give_memory_back
from appshield.objectstore import (
    FolderObjectStore,
    ObjectStore,
    S3Credentials,
    S3Location,
    S3ObjectStore,
)
from appshield.repository import (
    Reader,
    Repository,
    RepositoryLock,
    SnapshotDocument,
    Writer,
    check,
    copy_tree,
    forget,
    heal,
    prune,
    repair_index,
    seal_snapshot,
)
from appshield.repository.files import FileProblem, restore_directory, store_directory, told
from appshield.repository.restore_workers import restore_pool
from appshield.repository.settling import SettlingIndex
from appshield.repository.workers.peers import WorkerProcesses

COMMANDS = ("init", "backup", "restore", "check", "prune", "copy", "heal")

SOURCE = b"source"
"""The entry of a version that holds the folder."""


def store_at(location: str) -> ObjectStore:
    """Open the store that the command line names."""
    if not location.startswith("s3:"):
        return FolderObjectStore(Path(location))
    url = urlsplit(location.removeprefix("s3:"))
    bucket, _, prefix = url.path.strip("/").partition("/")
    return S3ObjectStore(
        S3Location(f"{url.scheme}://{url.netloc}", bucket, prefix),
        S3Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]),
    )


def backup(repository: Repository, folder: Path, workers: int) -> None:
    """Make a version of a folder, on top of the last one."""
    with RepositoryLock.acquire(repository, owner="bench", settle_later=True) as lock:
        snapshots = repository.snapshots()
        with opened(folder) as root, Writer(repository, lock, workers=workers) as writer:
            reader = Reader(repository)
            earlier = reader.find(snapshots[-1][1].tree_id, SOURCE).subtree if snapshots else None
            stored = store_directory(
                root,
                writer,
                parent=(reader, earlier) if earlier else None,
                cancelled=lambda: False,
            )
            tree = writer.add_tree([msgspec.structs.replace(stored.root_node, name=SOURCE)])
        document = SnapshotDocument(
            time=dt.datetime.now(dt.UTC), tree=tree.hex(), paths=("/source",), hostname="bench"
        )
        repository.publish_snapshot(seal_snapshot(repository, document), lock=lock)
    refuse_problems(stored.problems)


def restore(
    repository: Repository, folder: Path, workers: int, processes: WorkerProcesses | None
) -> None:
    """Bring the last version into a folder."""
    with RepositoryLock.acquire(repository, owner="bench", settle_later=True) as lock:
        settling = SettlingIndex(repository, lock)
        reader = Reader(repository)
        node = reader.find(repository.snapshots()[-1][1].tree_id, SOURCE)
        assert node.subtree is not None
        with (
            opened(folder) as root,
            restore_pool(
                repository,
                workers=workers,
                cancelled=lambda: False,
                processes=processes,
                ensure_right=settling.ensure_right,
            ) as pool,
        ):
            done = restore_directory(
                root, node.subtree, reader, root_node=node, cancelled=lambda: False, pool=pool
            )
    refuse_problems(done.problems)


def remove_unneeded(repository: Repository, *, forget_last: bool) -> None:
    """Prune, at once and not after a grace; the last version may go before."""
    with RepositoryLock.acquire(repository, owner="bench", exclusive=True) as lock:
        if forget_last:
            forget(repository, lock, [repository.snapshots()[-1][0]])
        prune(repository, lock, grace_s=0)


def copy(repository: Repository, folder: Path) -> None:
    """Bring the last version into a repository in a folder, made now if it is not there."""
    password = os.environ["REPOSITORY_PASSWORD"]
    target = Repository.create(FolderObjectStore(folder), password, like=repository)
    _, document = repository.snapshots()[-1]
    with (
        RepositoryLock.acquire(repository, owner="bench"),
        RepositoryLock.acquire(target, owner="bench") as lock,
    ):
        copy_tree(repository, target, lock, document.tree_id)
        copied = msgspec.structs.replace(document, parent=None)
        target.publish_snapshot(seal_snapshot(target, copied), lock=lock)


def heal_from(repository: Repository, folder: Path) -> None:
    """Repair the index, and bring what cannot be read from the repository in a folder."""
    other = Repository.open(FolderObjectStore(folder), os.environ["REPOSITORY_PASSWORD"])
    with (
        RepositoryLock.acquire(other, owner="bench"),
        RepositoryLock.acquire(repository, owner="bench", exclusive=True) as lock,
    ):
        repair_index(repository, lock)
        report = heal(repository, lock, [other])
    sys.exit(str(report.lost[0]) if report.lost else None)


def refuse_problems(problems: tuple[FileProblem, ...]) -> None:
    """Fail when anything was not whole: a benchmark of less work is none."""
    if problems:
        sys.exit("; ".join(told(problems, most=5)))


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Hold a directory open."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def main() -> None:
    """Run one command, with memory treated as a service does it."""
    give_memory_back()
    gc.freeze()  # what is imported stays, as in a service
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("repository")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--read-data", action="store_true")
    parser.add_argument("--forget-last", action="store_true")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    store, password = store_at(asked.repository), os.environ["REPOSITORY_PASSWORD"]
    if asked.command == "init":
        Repository.create(store, password)
        return
    with ExitStack() as started:
        processes = None
        if asked.command == "restore" and asked.workers:
            # a restore always needs them: they start while the repository is opened
            processes = started.enter_context(WorkerProcesses(asked.workers))
        run(asked, Repository.open(store, password), processes)


def run(
    asked: argparse.Namespace, repository: Repository, processes: WorkerProcesses | None
) -> None:
    """Run one command on a repository that is there."""
    match asked.command:
        case "backup":
            backup(repository, asked.folder, asked.workers)
        case "restore":
            restore(repository, asked.folder, asked.workers, processes)
        case "prune":
            remove_unneeded(repository, forget_last=asked.forget_last)
        case "copy":
            copy(repository, asked.folder)
        case "heal":
            heal_from(repository, asked.folder)
        case "check":
            report = check(repository, read_data=asked.read_data)
            sys.exit(None if report.is_sound else str(report.errors[0]))


if __name__ == "__main__":
    main()
