"""What a version holds, by name: objects, components, volumes, images by digest, files."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.capture import CapturedApplication, CapturedImage, CapturedVolume
from appshield.capture.layout import APPLICATION_FILE, MANIFESTS
from appshield.doors.actions import SEE_VERSIONS
from appshield.doors.browsing import listed
from appshield.doors.contents import Opened
from appshield.errors import DamagedError, NotFoundError
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    History,
    InNamespace,
    Limit,
    Named,
    Number,
)
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.responses import FROM_VAULT
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.versions.paths import (
    TAGS,
    VERSION_PATH,
    AtPath,
    ByPath,
    Part,
    after,
    cursor_of,
    exact,
    opened_versions,
    raw_path,
)
from appshield.repository.browsing import Entry, fitting
from appshield.repository.nodes import NodeKind
from appshield.repository.paging import entries_behind

LOOKED_AT_MAX = 50_000
"""After so many entries that are not wanted a page ends, and the next one goes on."""


class HeldEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A file, folder or other entry of a version.

    `path` is for people; `exact_path` is percent-encoded and means this very entry as `path=` of
    other routes, also where the name is no text. `target` is that of a symbolic link.
    """

    path: str
    exact_path: str
    kind: NodeKind
    mode: str
    uid: int
    gid: int
    size_bytes: int
    modified_at: datetime
    target: str


class HeldObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object that a version holds; `kind` is written small, as in the path of its manifest."""

    group: str
    kind: str
    name: str
    exact_path: str
    size_bytes: int


class HeldComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A component as it was when the version was cut; commands of hooks are not told."""

    name: str
    workload_kind: str
    workload_name: str
    strategy: str


class HeldParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a version holds besides objects: its components, volumes, and the images that ran."""

    components: tuple[HeldComponent, ...]
    volumes: tuple[CapturedVolume, ...]
    images: tuple[CapturedImage, ...]
    warnings: tuple[str, ...]


@get(VERSION_PATH + "/parts", opt=in_namespace(SEE_VERSIONS), tags=TAGS, responses=FROM_VAULT)
async def show_version_parts(
    backend: OnBackend,
    *,
    namespace: InNamespace,
    name: Named,
    number: Number,
    history: History = "",
) -> HeldParts:
    """Show what a version holds besides objects: components, volumes, images by digest."""
    opened = await opened_versions(backend, namespace, name, (number,), history)
    return await backend.contents.run(lambda: _parts(opened))


@get(VERSION_PATH + "/objects", opt=in_namespace(SEE_VERSIONS), tags=TAGS, responses=FROM_VAULT)
async def list_version_objects(
    backend: OnBackend,
    *,
    namespace: InNamespace,
    name: Named,
    number: Number,
    kind: Annotated[
        str, QueryParameter(max_length=63, description="Only of this kind, such as configmap.")
    ] = "",
    history: History = "",
    _sort: ByPath = "path",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Part[HeldObject]:
    """List the names of the objects that a version holds; their content is a file of it."""
    behind = after(cursor, MANIFESTS.encode())
    opened = await opened_versions(backend, namespace, name, (number,), history)

    def listing() -> Part[HeldObject]:
        try:
            entries = entries_behind(
                opened.reader, opened.roots[0], MANIFESTS.encode(), behind, recursive=True
            )
            found, following = _cut(entries, limit, _is_object(kind.lower()))
        except NotFoundError:  # a version may hold no object at all
            found, following = [], None
        return Part(items=[_object(entry) for entry in found], next=following)

    return await backend.contents.run(listing)


@get(VERSION_PATH + "/files", opt=in_namespace(SEE_VERSIONS), tags=TAGS, responses=FROM_VAULT)
async def list_version_files(
    request: AnyRequest,
    backend: OnBackend,
    *,
    namespace: InNamespace,
    name: Named,
    number: Number,
    path: AtPath = "",
    recursive: Annotated[bool, QueryParameter(description="And all below.")] = False,
    pattern: Annotated[
        str,
        QueryParameter(
            max_length=1024,
            description="Only what fits, below too: like *.conf, or with a / for the whole path.",
        ),
    ] = "",
    history: History = "",
    _sort: ByPath = "path",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Part[HeldEntry]:
    """List or find the names of files: volumes/CLAIM/…, dumps/COMPONENT, manifests/KIND/…."""
    at = raw_path(request, path)
    behind = after(cursor, at)
    opened = await opened_versions(backend, namespace, name, (number,), history)

    def listing() -> Part[HeldEntry]:
        below = recursive or bool(pattern)
        entries = entries_behind(opened.reader, opened.roots[0], at, behind, recursive=below)
        found, following = _cut(entries, limit, fitting(pattern or "*"))
        return Part(items=[_entry(entry) for entry in found], next=following)

    return await backend.contents.run(listing)


def _parts(opened: Opened) -> HeldParts:
    node = opened.reader.find(opened.roots[0], APPLICATION_FILE)
    content = b"".join(opened.reader.iter_file(node))
    try:
        captured = CapturedApplication.decode(content)
    except msgspec.MsgspecError as error:
        raise DamagedError(f"{APPLICATION_FILE} cannot be read", why=str(error)) from error
    return HeldParts(
        components=tuple(
            HeldComponent(
                name=one.name,
                workload_kind=one.workload_kind,
                workload_name=one.workload_name,
                strategy=one.strategy,
            )
            for one in captured.components
        ),
        volumes=captured.volumes,
        images=captured.images,
        warnings=captured.warnings,
    )


def _cut(
    entries: Iterator[Entry], limit: int, wanted: Callable[[Entry], bool]
) -> tuple[list[Entry], str | None]:
    """Take the wanted ones of a page; after many others a page ends with fewer than its limit."""
    found: list[Entry] = []
    last = b""
    for looked_at, entry in enumerate(entries):
        if len(found) == limit or looked_at == LOOKED_AT_MAX:
            return found, cursor_of(last)
        last = entry.path
        if wanted(entry):
            found.append(entry)
    return found, None


def _is_object(kind: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.node.kind == "file" and kind in {"", _object(entry).kind}


def _object(entry: Entry) -> HeldObject:
    _, folder, file = entry.path.decode("utf-8", "backslashreplace").split("/", 2)
    kind, _, group = folder.partition(".")
    return HeldObject(
        group=group,
        kind=kind,
        name=file.removesuffix(".json"),
        exact_path=exact(entry.path),
        size_bytes=entry.node.size_bytes,
    )


def _entry(entry: Entry) -> HeldEntry:
    shown = listed(entry, version=0)
    return HeldEntry(
        path=shown.path,
        exact_path=exact(entry.path),
        kind=entry.node.kind,
        mode=shown.mode,
        uid=shown.uid,
        gid=shown.gid,
        size_bytes=shown.size_bytes,
        modified_at=shown.modified_at,
        target=shown.target,
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (
    show_version_parts,
    list_version_objects,
    list_version_files,
)
