"""Orders about a restore of version 1 of the application `shop`, and that version in memory."""

from typing import Any, TypeVar

from appshield.contracts.identities import AppRef
from appshield.contracts.restores import RestoreCommand
from appshield.repository import Repository, RepositoryLock, seal_snapshot
from repository_content import document

C = TypeVar("C", bound=RestoreCommand)


def order(kind: type[C], step: str, snapshot_id: str, **fields: Any) -> C:
    """Give the order of a step, with the fields that only it has."""
    return kind(
        app=AppRef(cluster="c", namespace="shop", name="shop"),
        run="r",
        step=step,
        attempt=1,
        epoch=1,
        app_id="a",
        vault="v",
        version=1,
        snapshot_id=snapshot_id,
        target_namespace="shop",
        **fields,
    )


def published(repository: Repository, tree: bytes, lock: RepositoryLock) -> str:
    """Make a version of a tree; return the id of its snapshot."""
    sealed = seal_snapshot(repository, document(tree))
    repository.publish_snapshot(sealed, lock=lock)
    return sealed.snapshot_id
