"""`appshield diff`: what has changed from one version to another."""

import os
import secrets
from collections.abc import Iterator
from typing import Annotated

import msgspec
from cyclopts import Parameter

from appshield.capture import Discretion
from appshield.capture.captured import Object
from appshield.capture.differing import object_differences
from appshield.capture.layout import MANIFESTS
from appshield.cli.contents import Opened, named, read
from appshield.cli.options import AppName, History, Namespace, Output
from appshield.cli.output import note, say, say_json_line
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

_MARKS: dict[ChangeKind, str] = {"added": "+", "removed": "-", "changed": "M"}
_OWN = b"appshield/version.json"
_FOLDER = f"{MANIFESTS}/".encode()


class ShownChange(msgspec.Struct, frozen=True, kw_only=True):
    """What `diff -o json` gives of a change, one a line.

    `fields` are the differences of a manifest, those of Secrets as digests.
    """

    path: str
    change: ChangeKind
    reasons: tuple[Reason, ...] = ()
    size_before_bytes: int = 0
    size_after_bytes: int = 0
    fields: tuple[str, ...] = ()


async def diff(
    app: AppName,
    one: Annotated[int, Parameter(name="V1", help="The one version.")],
    other: Annotated[int, Parameter(name="V2", help="The other version.")],
    /,
    *,
    path: Annotated[str, Parameter(help="Only below this path.")] = "",
    metadata: Annotated[
        bool, Parameter(help="Also what differs in mode, owner, time or attributes alone.")
    ] = True,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """Show what was added (+), removed (-) and changed (M) from V1 to V2, and why.

    Manifests are shown field by field; of a Secret never a value.
    """
    of = await named(app, namespace, history, (one, other))

    def comparing(opened: Opened) -> int:
        count = 0
        for change in _changes(opened, os.fsencode(path)):
            if metadata or change.change != "changed" or _is_content(change):
                _say(change, output)
                count += 1
        return count

    if not await read(of, comparing):
        note(f"versions {one} and {other} of {of.record.app} hold the same")


def _is_content(change: ShownChange) -> bool:
    return bool({"content", "kind"}.intersection(change.reasons))


def _changes(opened: Opened, path: bytes) -> Iterator[ShownChange]:
    """Compare both versions at or below a path.

    Raises:
        NotFoundError: neither of them has it.
    """
    path = path.strip(b"/")
    manifests = _Manifests(opened)
    for change in _raw_changes(opened, path):
        if change.path != _OWN:  # every version has one of its own
            yield manifests.shown(change)


def _raw_changes(opened: Opened, path: bytes) -> Iterator[Change]:
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


class _Manifests:
    """Shows changes, those of manifests field by field."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._key = secrets.token_bytes(32)
        self._discretion: Discretion | None = None

    def shown(self, change: Change) -> ShownChange:
        """Give a change as it is shown."""
        before, after = change.before, change.after
        fields: list[str] = []
        if change.path.startswith(_FOLDER) and "content" in change.reasons and before and after:
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


def _say(change: ShownChange, output: str) -> None:
    if output == "json":
        say_json_line(change)
        return
    why = f"  ({', '.join(change.reasons)})" if change.reasons else ""
    say(f"{_MARKS[change.change]} {change.path}{why}")
    for field in change.fields:
        say(f"    {field}")
