"""Whether anything of an application changed since a version.

Trees that are equal are not looked into. Of others, what a restore cannot bring back is no
difference: inodes, times of changed status, the times of folders; nor is when a dump or a device
was read.
"""

from collections.abc import Callable

import msgspec

from appshield.capture.layout import VERSION_FILE
from appshield.contracts.backups import VersionFacts
from appshield.custody import HeldRepository
from appshield.errors import DamagedError, NotFoundError
from appshield.repository import Node, Reader, Repository, SnapshotDocument, missing_blobs
from appshield.repository.differing import Change, differences
from appshield.repository.retaining import retain_published


def same_version(
    held: HeldRepository, facts: VersionFacts, snapshot_id: str, moved: Callable[[], None]
) -> int:
    """Return the number of a version that holds what was stored now; 0 where it does not.

    It is whole, and the Vault keeps it for as long from now on as a new one (object lock). `moved`
    is called for every directory, and may raise to stop.
    """
    document = dict(held.repository.snapshots()).get(snapshot_id)
    if document is None:
        return 0
    reader = _Told(held.repository, moved)
    try:
        before = _facts_of(reader, document)
        if not _say_the_same(before, facts) or _differ(reader, before, facts):
            return 0
    except (DamagedError, NotFoundError, msgspec.MsgspecError):
        return 0
    if missing_blobs(held.repository, document.tree_id, seen=moved):
        return 0
    retain_published(held.repository, snapshot_id, document.tree_id, seen=moved)
    return before.number


class _Told(Reader):
    """A reader that tells of every directory that it reads."""

    def __init__(self, repository: Repository, moved: Callable[[], None]) -> None:
        super().__init__(repository)
        self._moved = moved

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        self._moved()
        return super().read_tree(tree_id)


def _facts_of(reader: Reader, document: SnapshotDocument) -> VersionFacts:
    node = reader.find(document.tree_id, VERSION_FILE)
    return msgspec.json.decode(b"".join(reader.iter_file(node)), type=VersionFacts)


def _say_the_same(before: VersionFacts, now: VersionFacts) -> bool:
    """Compare what versions say about themselves, beside what is in their trees."""

    def said(facts: VersionFacts) -> tuple[object, ...]:
        sources = sorted((one.name, one.kind, one.problems_total) for one in facts.sources)
        return facts.app_id, facts.consistency, facts.skipped, sources

    return said(before) == said(now)


def _differ(reader: Reader, before: VersionFacts, now: VersionFacts) -> bool:
    trees = {one.name: bytes.fromhex(one.tree) for one in before.sources}
    return any(
        _counts(change)
        for one in now.sources
        for change in differences(reader, trees[one.name], bytes.fromhex(one.tree))
    )


def _counts(change: Change) -> bool:
    """Say whether a change is one; the only entry of a dump or a device is as old as its backup."""
    return change.reasons != ("time",) or b"/" in change.path
