"""Forgetting versions: their snapshot files go. What only they used stays until it is pruned."""

from collections.abc import Iterable

from appshield.errors import RefusedError
from appshield.repository.layout import file_name
from appshield.repository.locks import RepositoryLock
from appshield.repository.repository import Repository


def forget(repository: Repository, lock: RepositoryLock, snapshot_ids: Iterable[str]) -> None:
    """Delete snapshots; those that are gone already are forgotten, too.

    Raises:
        RefusedError: the lock is not exclusive.
        LockLostError: it is not held any more; the snapshots from there on are still there.
        ObjectRetainedError: the store keeps a snapshot until its time.
    """
    ensure_exclusive(lock)
    lock.ensure_held()
    for snapshot_id in snapshot_ids:
        lock.ensure_fresh()
        repository.store.delete(file_name("snapshots", snapshot_id))


def ensure_exclusive(lock: RepositoryLock) -> None:
    """Raise RefusedError unless nobody else works on the repository while the lock is held."""
    if not lock.exclusive:
        raise RefusedError(
            "the repository is not held exclusively",
            why="others may read and write what would be deleted",
            next_step="Acquire an exclusive lock first",
        )
