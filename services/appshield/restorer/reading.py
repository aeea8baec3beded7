"""Read what a version holds besides data: the captured application and its objects, relocated."""

from functools import partial

import msgspec

from appshield.capture import CapturedApplication
from appshield.capture.layout import APPLICATION_FILE, MANIFESTS
from appshield.contracts.restores import RestoreCommand
from appshield.custody import HeldRepository
from appshield.errors import DamagedError, NotFoundError
from appshield.kubernetes import Object
from appshield.manifests.ordering import restore_order
from appshield.manifests.relocating import relocate
from appshield.repository import Reader
from appshield.repository.nodes import Node
from appshield.service import Cancelled, run_blocking

DOCUMENT_KIND = "Application"
CONTINUES = "appshield.io/continues"


class VersionContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a version holds, as it is to be made in the target namespace.

    `waves` are the objects in the order in which they are made: those of one wave at once.
    """

    root: bytes
    application: CapturedApplication
    waves: tuple[tuple[Object, ...], ...]
    warnings: tuple[str, ...]

    @property
    def objects(self) -> list[Object]:
        """All objects, in order."""
        return [obj for wave in self.waves for obj in wave]


async def read_version(held: HeldRepository, order: RestoreCommand) -> VersionContent:
    """Read the content of the order's version.

    Raises:
        NotFoundError: the version is not in the repository (any more).
        DamagedError: something of it does not verify.
    """
    return await run_blocking(partial(_read, held, order))


def root_of(held: HeldRepository, snapshot_id: str) -> bytes:
    """Find the root tree of a version by its snapshot document.

    Raises:
        NotFoundError: there is no such snapshot (any more).
    """
    for identity, document in held.repository.snapshots():
        if snapshot_id in {identity, document.original}:
            return document.tree_id
    raise NotFoundError(
        f"snapshot {snapshot_id[:12]} is not in the repository",
        why="it was removed there, or the catalog is older than the Vault",
        next_step="`appshield rebuild-catalog` reads the Vault again.",
    )


def _read(held: HeldRepository, order: RestoreCommand, _: Cancelled) -> VersionContent:
    root = root_of(held, order.snapshot_id)
    reader = Reader(held.repository)
    content = b"".join(reader.iter_file(reader.find(root, APPLICATION_FILE)))
    try:
        application = CapturedApplication.decode(content)
    except msgspec.MsgspecError as error:
        raise DamagedError(f"{APPLICATION_FILE} cannot be read", why=str(error)) from error
    objects = list(_objects(reader, root))
    moved = relocate(objects, application.namespace, order.target_namespace)
    placed = list(moved.objects)
    if order.target_namespace == application.namespace and application.document:
        placed.append(_document(application, order.app_id))
    waves = tuple(tuple(wave) for wave in restore_order(placed))
    return VersionContent(
        root=root, application=application, waves=waves, warnings=tuple(moved.warnings)
    )


def _objects(reader: Reader, root: bytes) -> list[Object]:
    try:
        folder = reader.find(root, MANIFESTS)
    except NotFoundError:
        return []
    return [
        msgspec.json.decode(b"".join(reader.iter_file(node)), type=Object)
        for node in _files(reader, folder)
    ]


def _files(reader: Reader, folder: Node) -> list[Node]:
    found: list[Node] = []
    for node in reader.read_tree(folder.subtree) if folder.subtree else ():
        found += _files(reader, node) if node.kind == "dir" else [node]
    return found


def _document(application: CapturedApplication, app_id: str) -> Object:
    """Let the restored document go on with the history that it comes from."""
    metadata = application.document["metadata"]
    annotations = {**(metadata.get("annotations") or {}), CONTINUES: app_id}
    return {**application.document, "metadata": {**metadata, "annotations": annotations}}
