"""The restic repository format, version 2: reading and writing.

    repository = Repository.create(store, password)
    with RepositoryLock.acquire(repository, owner=run) as lock, Writer(repository, lock) as writer:
        tree = writer.add_tree(...)
    repository.publish_snapshot(seal_snapshot(repository, SnapshotDocument(tree=tree.hex(), ...)))

All calls block and may come from any thread. `files` walks and restores directories.
"""

from appshield.repository.checking import CheckReport, Finding, Sample, check
from appshield.repository.copying import CopyReport, copy_tree
from appshield.repository.forgetting import forget
from appshield.repository.healing import HealReport, heal
from appshield.repository.joining import join_trees
from appshield.repository.locks import (
    LockLostError,
    LockTiming,
    RepositoryLock,
    RepositoryLockedError,
    remove_lock,
)
from appshield.repository.naming import NamedPacks, adopt_unnamed_packs
from appshield.repository.nodes import BlobSink, BlobSource, Node, NodeKind
from appshield.repository.pruning import PruneReport, PruneSettings, prune
from appshield.repository.reader import Reader
from appshield.repository.repairing import RepairReport, repair_index
from appshield.repository.repository import Repository
from appshield.repository.settings import PackSettings
from appshield.repository.snapshots import (
    SealedSnapshot,
    SnapshotDocument,
    SnapshotListing,
    SnapshotSummary,
    UnreadableSnapshot,
    seal_snapshot,
)
from appshield.repository.walking import missing_blobs
from appshield.repository.writer import Writer

__all__ = [
    "BlobSink",
    "BlobSource",
    "CheckReport",
    "CopyReport",
    "Finding",
    "HealReport",
    "LockLostError",
    "LockTiming",
    "NamedPacks",
    "Node",
    "NodeKind",
    "PackSettings",
    "PruneReport",
    "PruneSettings",
    "Reader",
    "RepairReport",
    "Repository",
    "RepositoryLock",
    "RepositoryLockedError",
    "Sample",
    "SealedSnapshot",
    "SnapshotDocument",
    "SnapshotListing",
    "SnapshotSummary",
    "UnreadableSnapshot",
    "Writer",
    "adopt_unnamed_packs",
    "check",
    "copy_tree",
    "forget",
    "heal",
    "join_trees",
    "missing_blobs",
    "prune",
    "remove_lock",
    "repair_index",
    "seal_snapshot",
]
