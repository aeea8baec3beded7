"""Read what a version holds besides data: the captured application and its objects, relocated."""

import contextlib
from collections.abc import Iterable
from functools import partial

import msgspec

from appshield.capture import CapturedApplication
from appshield.capture.layout import (
    APPLICATION_FILE,
    DUMPS,
    IMAGES,
    MANIFESTS,
    VOLUMES,
    image_source,
)
from appshield.contracts.restores import RestoreCommand
from appshield.custody import HeldRepository, LockedRepository
from appshield.errors import DamagedError, NotFoundError
from appshield.kubernetes import Object
from appshield.manifests.images import image_references
from appshield.manifests.ordering import restore_order
from appshield.manifests.relocating import relocate
from appshield.objectstore import ObjectMissingError
from appshield.repository import Reader, SnapshotDocument
from appshield.repository.nodes import Node
from appshield.restorer.choosing import Choice
from appshield.service import Cancelled, run_blocking

CONTINUES = "appshield.io/continues"
_CLAIM = "PersistentVolumeClaim"


class VersionContent(msgspec.Struct, frozen=True, kw_only=True):
    """What of a version is to be restored, as it is to be made in the target namespace.

    `waves` are the objects in the order in which they are made: those of one wave at once.
    `volumes` are claims, `dumps` components, `images` archived ones by name. `lost` is
    what is damaged and was left out.
    """

    root: bytes
    application: CapturedApplication
    waves: tuple[tuple[Object, ...], ...]
    volumes: tuple[str, ...]
    dumps: tuple[str, ...]
    warnings: tuple[str, ...]
    lost: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def objects(self) -> list[Object]:
        """All objects, in order."""
        return [obj for wave in self.waves for obj in wave]


async def read_version(held: HeldRepository, order: RestoreCommand) -> VersionContent:
    """Read what the order's paths choose of its version.

    With `keep_going` objects that do not verify are left out, and volumes whose claim is lost.

    Raises:
        NotFoundError: the version is not in the repository (any more), or holds no such path.
        DamagedError: something of it does not verify.
    """
    return await run_blocking(partial(_read, held, order))


def root_of(held: LockedRepository, snapshot_id: str) -> bytes:
    """Find the root tree of a version by its snapshot document.

    Raises:
        NotFoundError: there is no such snapshot (any more).
    """
    with contextlib.suppress(ObjectMissingError):
        found = held.repository.sealed_files.load("snapshots", snapshot_id, SnapshotDocument)
        return found.tree_id
    for _, document in held.repository.snapshots():
        if snapshot_id == document.original:  # a stock client has written it anew
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
    choice = Choice(order.paths)
    choice.ensure_held(reader, root)
    stored = [
        node.name.decode()
        for node in _stored(reader, root, VOLUMES)
        if choice.reaches(reader, f"{VOLUMES}/{node.name.decode()}", node)
    ]
    objects, lost = _objects(reader, root, choice, keep_going=order.keep_going)
    claims = {obj["metadata"]["name"] for obj in objects.values() if obj["kind"] == _CLAIM}
    volumes = tuple(name for name in stored if name in claims or not lost)
    lost += [f"{VOLUMES}/{name}: its claim is lost" for name in stored if name not in volumes]
    moved = relocate(objects.values(), application.namespace, order.target_namespace)
    placed = [
        obj
        for path, obj in zip(objects, moved.objects, strict=True)
        if choice.covers(path) or _is_claim_of(obj, volumes)
    ]
    in_place = order.target_namespace == application.namespace
    if in_place and application.document and choice.covers(MANIFESTS):
        placed.append(_document(application, order.app_id))
    return VersionContent(
        root=root,
        application=application,
        waves=tuple(tuple(wave) for wave in restore_order(placed)),
        volumes=volumes,
        dumps=tuple(
            node.name.decode()
            for node in _stored(reader, root, DUMPS)
            if choice.covers(f"{DUMPS}/{node.name.decode()}")
        ),
        warnings=tuple(moved.warnings) if choice.covers(MANIFESTS) else (),
        lost=tuple(lost),
        images=_images(reader, root, objects.values(), placed, choice),
    )


def _images(
    reader: Reader,
    root: bytes,
    objects: Iterable[Object],
    placed: Iterable[Object],
    choice: Choice,
) -> tuple[str, ...]:
    """Name the archived images that are chosen, or that chosen objects run."""
    archived = {f"{IMAGES}/{node.name.decode()}" for node in _stored(reader, root, IMAGES)}
    run = _named(placed)
    named = {image for image in _named(objects) if image in run or choice.covers(_archive(image))}
    return tuple(sorted(image for image in named if _archive(image) in archived))


def _archive(image: str) -> str:
    return image_source(image.partition("@")[2])


def _named(objects: Iterable[Object]) -> set[str]:
    return {image for obj in objects for _, image in image_references(obj)}


def _is_claim_of(obj: Object, volumes: tuple[str, ...]) -> bool:
    """Say whether an object is the claim of a volume that is restored."""
    return obj["kind"] == _CLAIM and obj["metadata"]["name"] in volumes


def _stored(reader: Reader, root: bytes, folder: str) -> list[Node]:
    """List what a folder at the root of a version holds; nothing where it has none."""
    try:
        tree = reader.find(root, folder).subtree
    except NotFoundError:
        return []
    return list(reader.read_tree(tree)) if tree else []


def _objects(
    reader: Reader, root: bytes, choice: Choice, *, keep_going: bool
) -> tuple[dict[str, Object], list[str]]:
    """Read every object, by its path in the version; with it those that are damaged, if asked.

    Damaged objects that are not chosen are passed over: nobody asks for them.
    """
    nodes: dict[str, Node] = {}
    lost: list[str] = []

    def damaged(path: str, error: DamagedError) -> None:
        if not choice.covers(path) and path != MANIFESTS:
            return
        if not keep_going:
            raise DamagedError(f"{path} cannot be read back", why=str(error)) from error
        lost.append(f"{path}: {error}")

    try:
        folders = _stored(reader, root, MANIFESTS)
    except DamagedError as error:
        damaged(MANIFESTS, error)
        folders = []
    for folder in folders:
        above = f"{MANIFESTS}/{folder.name.decode()}"
        try:
            tree = reader.read_tree(folder.subtree or b"")
        except DamagedError as error:
            damaged(above, error)
            continue
        nodes |= {f"{above}/{node.name.decode()}": node for node in tree}
    found: dict[str, Object] = {}
    for path, content in zip(nodes, reader.read_files(nodes.values()), strict=True):
        if isinstance(content, DamagedError):
            damaged(path, content)
        else:
            found[path] = msgspec.json.decode(content, type=Object)
    return found, lost


def _document(application: CapturedApplication, app_id: str) -> Object:
    """Let the restored document go on with the history that it comes from."""
    metadata = application.document["metadata"]
    annotations = {**(metadata.get("annotations") or {}), CONTINUES: app_id}
    return {**application.document, "metadata": {**metadata, "annotations": annotations}}
