"""Directories entry by entry: a tree of any size is never in memory as a whole.

A tree is one JSON document, `{"nodes":[{"name":…},…]}`. It is cut where an entry begins, and what
is between two cuts is read at once. Each entry stays as it stands in the tree; who needs all of it
asks `trees.decode_node`, maybe in another process.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import zstandard

from appshield.errors import DamagedError
from appshield.repository.gotext import parse_name
from appshield.repository.nodes import NodeKind, StoredEntry
from appshield.repository.trees import decode_node, is_possible_name

WINDOW_BYTES: Final = 256 << 10
"""How much of a tree is read at once, unless a single entry is longer."""

_OPENING: Final = b'{"nodes":['
_CLOSING: Final = b"]}"
_NAME: Final = b'{"name":"'
_CUT: Final = b'},{"name":"'
_ENTRY: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*","type":')
"""What follows a cut between entries; where attributes of one entry meet it is `"value":`."""


class _Brief(msgspec.Struct, gc=False):
    """What decides how an entry is treated; the field names are restic's."""

    name: str
    type: NodeKind
    size: int = 0
    inode: int = 0
    device_id: int = 0
    links: int = 1
    content: list[msgspec.Raw] | None = None


_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])
_briefs: Final = msgspec.json.Decoder(list[_Brief])


def inflated(frame: bytes | memoryview, identity: bytes, *, size_bytes: int) -> Iterator[bytes]:
    """Yield the plain bytes of a compressed blob in windows, all verified before the first.

    Raises:
        DamagedError: they are not what the identity says, or not as many.
    """
    digest = hashlib.sha256()
    length = 0
    for window in _windows(frame):
        digest.update(window)
        length += len(window)
        if length > size_bytes:
            break
    if length != size_bytes or digest.digest() != identity:
        raise DamagedError("the content does not match its name")
    return _windows(frame)


def _windows(frame: bytes | memoryview) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    try:
        yield from decompressor.read_to_iter(frame, write_size=WINDOW_BYTES)
    except zstandard.ZstdError as error:
        raise DamagedError("compressed bytes cannot be read", why=str(error)) from error


def entries_of(
    windows: Iterable[bytes], *, window_bytes: int = WINDOW_BYTES
) -> Iterator[StoredEntry]:
    """Yield the entries of a tree that comes in windows; about `window_bytes` are read at once.

    Raises:
        DamagedError: an entry has no possible name, or does not come after the one before; or the
            bytes are no tree. What was yielded before is right.
    """
    last: bytes | None = None
    for group in _groups(windows, window_bytes):
        try:
            found = zip(_briefs.decode(group), _raws.decode(group), strict=True)
        except (msgspec.DecodeError, ValueError) as error:
            raise DamagedError("a directory cannot be read", why=str(error)) from error
        for brief, raw in found:
            name = parse_name(brief.name)
            if not is_possible_name(name):
                raise DamagedError(f"{name!r} cannot be the name of an entry")
            if last is not None and name <= last:
                raise DamagedError("the entries of a directory do not ascend", why=repr(name))
            last = name
            yield StoredEntry(
                name=name,
                kind=brief.type,
                size_bytes=brief.size,
                inode=brief.inode,
                device_id=brief.device_id,
                links=brief.links,
                chunks=len(brief.content or ()),
                stored=bytes(raw),
            )


def encoded_entries(
    windows: Iterable[bytes], *, window_bytes: int = WINDOW_BYTES
) -> Iterator[dict[bytes, bytes]]:
    """Yield the entries of a tree as they stand in it, by name, those of a group at a time.

    For who looks for names that exist: an entry of an impossible name is found by nobody.

    Raises:
        DamagedError: the bytes are no tree.
    """
    for group in _groups(windows, window_bytes):
        try:
            entries = list(map(bytes, _raws.decode(group)))
        except (msgspec.DecodeError, ValueError) as error:
            raise DamagedError("a directory cannot be read", why=str(error)) from error
        yield dict(zip(_names_of(entries), entries, strict=True))


def _names_of(entries: Sequence[bytes]) -> list[bytes]:
    """Return the names of entries, fast where all of them are written as we write them."""
    start = len(_NAME)
    names = [entry[start : entry.find(b'"', start)] for entry in entries if entry.startswith(_NAME)]
    if len(names) == len(entries) and b"\\" not in b"".join(names):
        return names
    return [decode_node(entry).name for entry in entries]


def _groups(windows: Iterable[bytes], window_bytes: int) -> Iterator[bytes]:
    """Yield JSON lists of some entries each, together all of a tree."""
    windows = iter(windows)
    pending = bytearray()
    opened = False
    for window in windows:
        pending += window
        if not opened and len(pending) >= len(_OPENING):
            if not pending.startswith(_OPENING):
                break  # a tree as nobody writes it: taken as a whole
            del pending[: len(_OPENING)]
            opened = True
        if opened and len(pending) >= window_bytes and (end := _last_cut(pending)):
            yield b"[" + bytes(memoryview(pending)[:end]) + b"]"
            del pending[: end + 1]
    if not opened:
        pending += b"".join(windows)
        yield _whole(pending)
        return
    rest = bytes(pending).rstrip()
    if not rest.endswith(_CLOSING):
        raise DamagedError("a directory cannot be read", why="it has no end")
    yield b"[" + rest[:-1]


def _last_cut(pending: bytearray) -> int:
    """Return where the last whole entry ends, 0 if there is none."""
    cut = pending.rfind(_CUT)
    while cut > 0 and not _ENTRY.match(pending, cut + len(_CUT)):
        cut = pending.rfind(_CUT, 0, cut)
    return cut + 1 if cut > 0 else 0


class _Tree(msgspec.Struct):
    nodes: msgspec.Raw


def _whole(stored: bytes | bytearray) -> bytes:
    try:
        nodes = msgspec.json.decode(stored, type=_Tree).nodes
    except (msgspec.DecodeError, ValueError) as error:
        raise DamagedError("a directory cannot be read", why=str(error)) from error
    return b"[]" if bytes(nodes) == b"null" else bytes(nodes)
