"""What has changed from one version to another: files, and manifests field by field.

Of a Secret never a value is told, and none that occurs in another object.
"""

import secrets
from collections.abc import Iterator

import msgspec

from appshield.capture import Discretion
from appshield.capture.captured import Object
from appshield.capture.differing import object_differences
from appshield.capture.layout import MANIFESTS
from appshield.doors.contents import Opened
from appshield.errors import NotFoundError
from appshield.repository import Node
from appshield.repository.browsing import walk
from appshield.repository.differing import (
    Change,
    ChangeKind,
    Reason,
    differences,
    differences_of,
)

_OWN = b"appshield/version.json"
_FOLDER = f"{MANIFESTS}/".encode()


class ShownChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change from one version to another.

    `fields` are the differences of a manifest, those of Secrets as digests.
    """

    path: str
    change: ChangeKind
    reasons: tuple[Reason, ...] = ()
    size_before_bytes: int = 0
    size_after_bytes: int = 0
    fields: tuple[str, ...] = ()


def is_content(change: ShownChange) -> bool:
    """Say whether more differs than mode, owner, time or attributes."""
    return bool({"content", "kind"}.intersection(change.reasons))


def changes(opened: Opened, path: bytes) -> Iterator[ShownChange]:
    """Compare both versions at or below a path, manifests field by field.

    Raises:
        NotFoundError: neither of them has it.
    """
    showing = Showing(opened)
    return map(showing.shown, raw_changes(opened, path))


def raw_changes(opened: Opened, path: bytes) -> Iterator[Change]:
    """Yield what differs at or below a path, in the order of paths; raises as `changes`."""
    path = path.strip(b"/")
    # every version has a description of its own
    return (change for change in _all_changes(opened, path) if change.path != _OWN)


def _all_changes(opened: Opened, path: bytes) -> Iterator[Change]:
    if not path:
        yield from differences(opened.reader, *opened.roots)
        return
    old, new = (_at(opened, root, path) for root in opened.roots)
    if old is None and new is None:
        raise NotFoundError(f"neither version has {path.decode('utf-8', 'backslashreplace')}")
    if old is not None and new is not None and old.subtree and new.subtree:
        yield from differences(opened.reader, old.subtree, new.subtree, path)
        return
    yield from differences_of(opened.reader, path, old, new)


def _at(opened: Opened, root: bytes, path: bytes) -> Node | None:
    try:
        return opened.reader.find(root, path)
    except NotFoundError:
        return None


class Showing:
    """Shows changes, those of manifests field by field; without `fields` no manifest is read."""

    def __init__(self, opened: Opened, *, fields: bool = True) -> None:
        self._opened = opened
        self._fields = fields
        self._key = secrets.token_bytes(32)
        self._discretion: Discretion | None = None

    def shown(self, change: Change) -> ShownChange:
        """Give a change as it is shown."""
        before, after = change.before, change.after
        fields: list[str] = []
        is_manifest = self._fields and change.path.startswith(_FOLDER)
        if is_manifest and "content" in change.reasons and before and after:
            fields = object_differences(
                self._object(before),
                self._object(after),
                discretion=self._known_secrets(),
                key=self._key,
            )
        return ShownChange(
            path=change.path.decode("utf-8", "backslashreplace"),
            change=change.kind,
            reasons=change.reasons,
            size_before_bytes=before.size_bytes if before else 0,
            size_after_bytes=after.size_bytes if after else 0,
            fields=tuple(fields),
        )

    def _known_secrets(self) -> Discretion:
        """Learn the secrets of both versions, of all their objects, before anything is shown."""
        if self._discretion is None:
            objects = [found for root in self._opened.roots for found in self._objects(root)]
            self._discretion = Discretion.of(objects, ())
        return self._discretion

    def _objects(self, root: bytes) -> Iterator[Object]:
        folder = _at(self._opened, root, MANIFESTS.encode())
        if folder is None or folder.subtree is None:
            return
        for entry in walk(self._opened.reader, folder.subtree):
            if entry.node.kind == "file":
                yield self._object(entry.node)

    def _object(self, node: Node) -> Object:
        content = b"".join(self._opened.reader.iter_file(node))
        return msgspec.json.decode(content, type=Object)
