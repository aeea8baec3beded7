"""Entries of a version as people and programs see them. Pure."""

from datetime import UTC, datetime

import msgspec

from appshield.repository.browsing import Entry, mode_text


class ListedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a version.

    A path that is no UTF-8 is written with backslashes.
    """

    version: int
    path: str
    kind: str
    mode: str
    uid: int
    gid: int
    size_bytes: int
    modified_at: datetime
    target: str = ""


def listed(entry: Entry, version: int) -> ListedEntry:
    """Describe an entry of a version."""
    node = entry.node
    return ListedEntry(
        version=version,
        path=entry.path.decode("utf-8", "backslashreplace"),
        kind=node.kind,
        mode=mode_text(node),
        uid=node.uid,
        gid=node.gid,
        size_bytes=node.size_bytes,
        modified_at=_time(node.mtime_ns),
        target=node.linktarget.decode("utf-8", "backslashreplace"),
    )


def _time(time_ns: int) -> datetime:
    """Give a time that a calendar can hold; files may claim others."""
    try:
        return datetime.fromtimestamp(time_ns // 10**9, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)
