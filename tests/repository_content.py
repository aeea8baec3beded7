"""Small things to store in a repository, and repositories that cost little to open."""

import datetime as dt
import io
import random
from collections.abc import Iterator
from contextlib import contextmanager

from appshield.objectstore import ObjectStore
from appshield.repository import (
    LockTiming,
    Node,
    Repository,
    RepositoryLock,
    SnapshotDocument,
    Writer,
    seal_snapshot,
)
from appshield.repository.nodes import BlobSink, ReadInto
from appshield.repository.packs import PACK_BYTES
from appshield.repository.settings import PackSettings

PASSWORD = "a password"

SWIFT = LockTiming(settle_s=0.001, reread_s=(0.001, 0.002, 0.004))
"""The lock protocol without its waits."""


def file_node(name: bytes, content: tuple[bytes, ...], size_bytes: int) -> Node:
    """Return a plain file."""
    return Node(
        name=name, kind="file", mode=0o640, mtime_ns=1_700_000_000_123_456_789, atime_ns=0,
        ctime_ns=0, uid=0, gid=0, size_bytes=size_bytes, content=content,
    )  # fmt: skip


def directory_node(name: bytes, subtree: bytes) -> Node:
    """Return a plain directory."""
    return Node(
        name=name, kind="dir", mode=0o755, mtime_ns=0, atime_ns=0, ctime_ns=0, uid=0, gid=0,
        subtree=subtree,
    )  # fmt: skip


def stream(data: bytes) -> ReadInto:
    """Return what reads `data` like a file."""
    return io.BytesIO(data).readinto


def noise(size_bytes: int, seed: int = 0) -> bytes:
    """Return incompressible bytes, the same ones each time."""
    return random.Random(seed).randbytes(size_bytes)


def store_files(sink: BlobSink, files: dict[bytes, bytes]) -> bytes:
    """Store a directory of files, and in it `sub` with the same files; return its tree."""
    nodes = [file_node(name, *sink.add_file(stream(data))) for name, data in files.items()]
    subtree = sink.add_tree(nodes)
    return sink.add_tree([*nodes, directory_node(b"sub", subtree)])


def document(tree: bytes, *tags: str) -> SnapshotDocument:
    """Return a snapshot of a tree."""
    return SnapshotDocument(
        time=dt.datetime.now(dt.UTC), tree=tree.hex(), paths=("/data",), hostname="h", tags=tags
    )


@contextmanager
def writing(repository: Repository, *, pack_bytes: int = PACK_BYTES) -> Iterator[Writer]:
    """Open a writer under a lock of its own."""
    with (
        RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock,
        Writer(repository, lock, settings=PackSettings(pack_bytes=pack_bytes)) as writer,
    ):
        yield writer


def back_up(
    store: ObjectStore, files: dict[bytes, bytes], *tags: str, pack_bytes: int = PACK_BYTES
) -> bytes:
    """Do a whole backup as a worker does it, and return its tree."""
    repository = Repository.create(store, PASSWORD)
    with RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock:
        with Writer(repository, lock, settings=PackSettings(pack_bytes=pack_bytes)) as writer:
            tree = store_files(writer, files)
        repository.publish_snapshot(seal_snapshot(repository, document(tree, *tags)), lock=lock)
    return tree
