"""What a directory refers to, and nothing else of it: for walks that look at all versions.

A tree of many entries is decompressed and cut into entries as it goes: of 300,000 files the sealed
bytes are in memory, never all the text or an object for each. Small trees are decoded at once.

Entries are cut at `},{"name":"…","type":"`. In compact JSON that is always between two entries: the
quote that follows `{` cannot end a string, since a letter follows it, and of all objects inside an
entry none has a name that is followed by a type.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, TypeVar

import msgspec
import zstandard

from appshield.errors import DamagedError
from appshield.repository.compression import Compression
from appshield.repository.gotext import parse_name
from appshield.repository.index import BlobPlace, Index
from appshield.repository.nodes import NodeKind
from appshield.repository.ranges import PackRanges
from appshield.repository.repository import Repository

Document = TypeVar("Document")

SMALL_BYTES: Final = 1 << 20
"""Trees up to this size are decoded at once."""

IDS_AT_ONCE: Final = 1000

_START: Final = b'{"nodes":['
_END: Final = b"]}"
_BETWEEN: Final = re.compile(rb'\},(?=\{"name":"(?:[^"\\]|\\.)*","type":")')
_LONGEST_BETWEEN: Final = 4096
"""More than the longest name takes, spelled in the most wasteful way."""

_ID_TEXT_BYTES: Final = 67
"""An id in a list: 64 digits, two quotes and a comma."""

_ONE_ID_TEXT_BYTES: Final = _ID_TEXT_BYTES + 1
"""A list of one: without the comma, and with its brackets."""


class Reference(msgspec.Struct, gc=False):
    """An entry of a directory, as far as it refers to blobs."""

    name: str
    type: NodeKind
    content: msgspec.Raw = msgspec.Raw(b"null")
    subtree: str | None = None

    @property
    def raw_name(self) -> bytes:
        """The name as bytes."""
        return parse_name(self.name)

    @property
    def tree_id(self) -> bytes:
        """The subtree of a directory."""
        return _identity(self.subtree or "")

    def blob_ids(self) -> Iterator[bytes]:
        """Yield the ids of the content; a list of millions of them is never one of objects."""
        if self.type != "file":
            return
        text = memoryview(self.content)
        if len(text) == _ONE_ID_TEXT_BYTES:  # most files of most volumes
            yield _identity(str(text[2:-2], "latin-1"))
            return
        if bytes(text[:3]) == b"[]":
            return
        if (len(text) - 1) % _ID_TEXT_BYTES:
            yield from map(_identity, msgspec.json.decode(text, type=list[str]))
            return
        step = _ID_TEXT_BYTES * IDS_AT_ONCE
        for start in range(1, len(text), step):
            part = bytes(text[start : start + step - 1]).removesuffix(b"]")
            yield from map(_identity, msgspec.json.decode(b"[" + part + b"]", type=list[str]))


class _Tree(msgspec.Struct):
    nodes: list[Reference] | None


class TreeReader:
    """Reads directories for walks; belongs to one thread."""

    def __init__(self, repository: Repository, index: Index) -> None:
        self._key = repository.key
        self._index = index
        self._ranges = PackRanges(repository.store)
        self._compression = Compression()

    def references(self, tree_id: bytes) -> Iterator[Reference]:
        """Yield the entries of a directory.

        Raises:
            DamagedError: it cannot be read. Of a large one that is perhaps known only at its end.
        """
        last_name = None
        for reference in self._entries(tree_id):
            name = reference.raw_name
            _check(reference, name, last_name)
            last_name = name
            yield reference

    def _entries(self, tree_id: bytes) -> Iterator[Reference]:
        place, stored = self._open(tree_id)
        if place.entry.plain_bytes <= SMALL_BYTES:
            compressed_from = place.entry.compressed_from
            plain = (
                self._compression.decompress(stored, size_bytes=compressed_from)
                if compressed_from
                else bytes(stored)
            )
            _check_content(tree_id, hashlib.sha256(plain).digest())
            yield from _decode(plain, _Tree).nodes or ()
            return
        hashing = hashlib.sha256()
        for entries in _cut(_parts(stored, hashing, compressed=place.entry.compressed_from > 0)):
            yield from entries
        _check_content(tree_id, hashing.digest())

    def _open(self, tree_id: bytes) -> tuple[BlobPlace, memoryview]:
        """Return the first place where the seal of a directory verifies, and what is in it."""
        failure = DamagedError(f"tree blob {tree_id.hex()} is in no index")
        for place in self._index.places("tree", tree_id):
            try:
                sealed = self._ranges.read(
                    place.pack_id,
                    offset=place.entry.offset,
                    length=place.entry.sealed_bytes,
                    pack_size=self._index.pack_size(place.pack_id) or 0,
                )
                return place, self._key.open(sealed)
            except DamagedError as error:
                what = f"tree blob {tree_id.hex()} in pack {place.pack_id} is damaged"
                failure = DamagedError(what, why=str(error))
        raise failure


def _parts(
    stored: memoryview, hashing: "hashlib._Hash", *, compressed: bool
) -> Iterator[bytes | memoryview]:
    try:
        parts: Iterable[bytes | memoryview] = (
            zstandard.ZstdDecompressor().read_to_iter(stored)
            if compressed
            else (stored[at : at + SMALL_BYTES] for at in range(0, len(stored), SMALL_BYTES))
        )
        for part in parts:
            hashing.update(part)
            yield part
    except zstandard.ZstdError as error:
        raise DamagedError("compressed bytes cannot be read", why=str(error)) from error


def _cut(parts: Iterator[bytes | memoryview]) -> Iterator[list[Reference]]:
    """Yield the entries in a tree, as many at a time as have arrived whole."""
    rest = bytearray()
    for part in parts:
        rest += part
        if len(rest) >= len(_START):
            break
    if not rest.startswith(_START):  # not as restic writes it
        yield _decode(b"".join([rest, *parts]), _Tree).nodes or []
        return
    del rest[: len(_START)]
    searched = 0
    for part in chain((b"",), parts):
        rest += part
        ends = [found.end() for found in _BETWEEN.finditer(rest, searched)]
        if ends:
            yield _decode(b"[" + rest[: ends[-1] - 1] + b"]", list[Reference])
            del rest[: ends[-1]]
        searched = max(0, len(rest) - _LONGEST_BETWEEN)
    last = rest.rstrip()
    if not last.endswith(_END):
        raise DamagedError("a directory cannot be read", why="it has no end")
    yield _decode(b"[" + last.removesuffix(_END) + b"]", list[Reference])


def _decode(text: bytes | bytearray, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedError("a directory cannot be read", why=str(error)) from error


def _check(reference: Reference, name: bytes, last_name: bytes | None) -> None:
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise DamagedError(f"{name!r} cannot be the name of an entry")
    if last_name is not None and name <= last_name:
        raise DamagedError("the entries of a directory are not in order", why=repr(name))
    if reference.type == "file" and bytes(memoryview(reference.content)[:1]) != b"[":
        raise DamagedError(f"file {name!r} has no list of contents")
    if reference.type == "dir" and reference.subtree is None:
        raise DamagedError(f"directory {name!r} has no subtree")


def _check_content(tree_id: bytes, found: bytes) -> None:
    if found != tree_id:
        raise DamagedError(f"tree {tree_id.hex()} is wrong", why="its content is not its name")


def _identity(text: str) -> bytes:
    try:
        identity = bytes.fromhex(text)
    except ValueError:
        identity = b""
    if len(identity) != 32:
        raise DamagedError(f"{text!r} is not the name of a blob")
    return identity
