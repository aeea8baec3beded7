"""Versions in a real Vault with their records on a bus, made of trees that a test writes down."""

import dataclasses
from datetime import UTC, datetime
from typing import TypeAlias

from appshield.bus import Bus
from appshield.capture import CapturedApplication
from appshield.capture.layout import files_of
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.sources import StoredSource
from appshield.contracts.streams import APPLICATIONS, CATALOG
from appshield.kubernetes import Object
from appshield.repository import Node, Repository, RepositoryLock, Writer, seal_snapshot
from appshield.repository.nodes import BlobSink
from appshield.vault import ApplicationIdentity, VaultAccess, open_vault
from repository_content import SWIFT, directory_node, document, file_node, stream

Tree: TypeAlias = "dict[bytes, bytes | Tree]"


@dataclasses.dataclass(frozen=True, slots=True)
class KeptVersions:
    """One application in a Vault; `keep` makes its next version."""

    bus: Bus
    access: VaultAccess
    app: AppRef
    app_id: str

    @property
    def repository(self) -> Repository:
        """The repository, opened anew and for writing."""
        shelf = open_vault(self.access).application(self.app_id)
        return Repository.create(shelf.repository_store, shelf.repository_password())

    async def keep(self, number: int, tree: Tree, *objects: Object) -> VersionRecord:
        """Store a version of this number with these files and objects."""
        open_vault(self.access).application(self.app_id).write_identity(
            ApplicationIdentity(
                app_id=self.app_id,
                cluster=self.app.cluster,
                namespace=self.app.namespace,
                name=self.app.name,
                uid="u",
                minted_at=datetime.now(UTC),
            )
        )
        snapshot_id = _stored(self.repository, _with_objects(tree, self.app, objects))
        version = VersionRecord(
            facts=VersionFacts(
                app=self.app,
                app_id=self.app_id,
                uid="u",
                number=number,
                run=f"b-{number}",
                revision="r",
                consistency="crash-group",
                cut_at=datetime.now(UTC),
                trigger="manual",
                sources=(
                    StoredSource(
                        name="volumes/data", kind="volume", tree="", bytes_read=10, bytes_stored=5
                    ),
                ),
            ),
            snapshot_id=snapshot_id,
            vault=self.access.name,
            stored_at=datetime.now(UTC),
        )
        await self.bus.bucket(CATALOG, VersionRecord).put(f"{self.app_id}.{number}", version)
        record = ApplicationRecord(
            app_id=self.app_id,
            app=self.app,
            uid="u",
            vault=self.access.name,
            state="active",
            last_version=number,
        )
        await self.bus.bucket(APPLICATIONS, ApplicationRecord).put(self.app_id, record)
        return version


def _with_objects(tree: Tree, app: AppRef, objects: tuple[Object, ...]) -> Tree:
    captured = CapturedApplication(
        namespace=app.namespace, name=app.name, uid="u", revision="r", document={}, objects=objects
    )
    whole: Tree = dict(tree)
    for path, content in files_of(captured).items():
        at = whole
        *folders, name = path.encode().split(b"/")
        for folder in folders:
            below = at.setdefault(folder, {})
            assert isinstance(below, dict)
            at = below
        at[name] = content
    return whole


def _stored(repository: Repository, tree: Tree) -> str:
    with RepositoryLock.acquire(repository, owner="test", timing=SWIFT) as lock:
        with Writer(repository, lock) as writer:
            root = _add(writer, tree)
        sealed = seal_snapshot(repository, document(root))
        repository.publish_snapshot(sealed, lock=lock)
    return sealed.snapshot_id


def _add(sink: BlobSink, tree: Tree) -> bytes:
    return sink.add_tree([_node(sink, name, content) for name, content in tree.items()])


def _node(sink: BlobSink, name: bytes, content: "bytes | Tree") -> Node:
    if isinstance(content, dict):
        return directory_node(name, _add(sink, content))
    return file_node(name, *sink.add_file(stream(content)))


def named(kind: str, name: str, **fields: object) -> Object:
    """Write an object down."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}
