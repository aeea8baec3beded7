"""Keeping what a version needs for as long as the version is kept (object lock).

Objects are kept from the moment they are written. A new version that refers to older ones makes
them stay for its own time, before it exists: config, keys, every index and every pack that holds a
blob of it. Locks are never kept, and must stay deletable.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from appshield.objectstore import retaining
from appshield.repository.blobs import BlobKind
from appshield.repository.index import Index
from appshield.repository.layout import CONFIG, file_name, list_files
from appshield.repository.references import TreeReader
from appshield.repository.repository import Repository

KEPT_NAMES: Final = (CONFIG, "keys/*", "data/*/*", "index/*", "snapshots/*")
"""How the names of a repository end that a retention covers."""

EXTENDING_THREADS: Final = 8
AT_ONCE: Final = 256


def retain_version(
    repository: Repository, tree_id: bytes, *, seen: Callable[[], None] = lambda: None
) -> int:
    """Keep all that the version of this root tree needs; return how many objects that is.

    To be called before its snapshot is published, under a lock. Does nothing where the store keeps
    nothing. `seen` is called for every object and directory.

    Raises:
        ObjectMissingError: one of them is not there.
        DamagedError: a directory cannot be read.
    """
    store = retaining(repository.store)
    if store is None:
        return 0
    index = repository.read_index()
    names = iter([*_always(repository), *_packs(repository, index, tree_id, seen)])
    count = 0
    with ThreadPoolExecutor(EXTENDING_THREADS, thread_name_prefix="retain") as threads:
        while some := list(islice(names, AT_ONCE)):
            for _ in threads.map(store.retain, some):
                seen()
            count += len(some)
    return count


def retain_published(
    repository: Repository,
    snapshot_id: str,
    tree_id: bytes,
    *,
    seen: Callable[[], None] = lambda: None,
) -> None:
    """Keep a version that exists already for as long from now on as a new one."""
    store = retaining(repository.store)
    if store is not None:
        retain_version(repository, tree_id, seen=seen)
        store.retain(file_name("snapshots", snapshot_id))


def _always(repository: Repository) -> Iterator[str]:
    yield CONFIG
    for identity, _ in list_files(repository.store, "keys"):
        yield file_name("keys", identity)
    for identity, _ in list_files(repository.store, "index"):
        yield file_name("index", identity)


def _packs(
    repository: Repository, index: Index, root: bytes, seen: Callable[[], None]
) -> Iterable[str]:
    """Name every pack that holds a blob of these trees; of a blob stored twice, both."""
    reader = TreeReader(repository, index)
    packs: set[str] = set()
    known, way = {root}, [root]

    def take(kind: BlobKind, identity: bytes) -> None:
        packs.update(place.pack_id for place in index.places(kind, identity))

    while way:
        tree_id = way.pop()
        take("tree", tree_id)
        for entry in reader.references(tree_id):
            for blob in entry.blob_ids():
                take("data", blob)
            if entry.type == "dir" and entry.tree_id not in known:
                known.add(entry.tree_id)
                way.append(entry.tree_id)
        seen()
    return sorted(file_name("data", pack_id) for pack_id in packs)
