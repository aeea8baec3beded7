"""A repository in memory: the sink and source of the files half, for unit tests."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec

from appshield.errors import DamagedError
from appshield.repository.compression import Compression
from appshield.repository.gotext import json_name
from appshield.repository.nodes import (
    BlobAt,
    Node,
    PlainBlobs,
    ReadInto,
    StoredEntry,
    TreeSink,
)
from appshield.repository.tree_writing import TreeWriter
from appshield.repository.trees import decode_node, encode_node
from appshield.repository.treestream import encoded_entries, entries_of
from appshield.repository.workers.ports import JobPool


class MemoryBlobs:
    """Both ports of the files half over a dictionary; chunks have one size.

    `on_chunk` is called before a chunk of a file is read: the place to change files.
    """

    def __init__(self, *, chunk_bytes: int = 64 << 10) -> None:
        self._chunk_bytes = chunk_bytes
        self._compression = Compression()
        self.blobs: dict[bytes, bytes] = {}
        self.on_chunk: Callable[[], None] = lambda: None
        self.data_calls = 0
        self.reads = 0

    whole_bytes = 0

    def pool(self, *_: object) -> AbstractContextManager[JobPool | None]:
        return nullcontext()

    def unknown_data(self, blob_ids: bytes) -> set[bytes]:
        return {blob_ids[at : at + 32] for at in range(0, len(blob_ids), 32)} - self.blobs.keys()

    def add_data(self, data: bytes | memoryview) -> bytes:
        assert 0 < len(data) <= 8 << 20
        self.data_calls += 1
        return self._add(bytes(data))

    def add_small(self, chunks: Sequence[bytes]) -> list[bytes]:
        return [self.add_data(chunk) for chunk in chunks]

    def add_file(self, read_into: ReadInto) -> tuple[tuple[bytes, ...], int]:
        ids: list[bytes] = []
        size = 0
        window = memoryview(bytearray(self._chunk_bytes))
        while True:
            self.on_chunk()
            read = read_into(window)
            if not read:
                return tuple(ids), size
            ids.append(self._add(bytes(window[:read])))
            size += read

    def add_tree(self, nodes: Iterable[Node]) -> bytes:
        entries = map(_encode_entry, sorted(nodes, key=lambda node: node.name))
        return self._add(b'{"nodes":[' + b",".join(entries) + b"]}\n")

    def open_tree(self) -> TreeSink:
        return TreeWriter(self._compression, self._add, self._add_packed)

    def read_blob(self, blob_id: bytes) -> bytes:
        self.reads += 1
        data = self._find(blob_id)
        if hashlib.sha256(data).digest() != blob_id:
            raise DamagedError("a blob is not what its id says")
        return data

    def blob_size(self, blob_id: bytes) -> int:
        return len(self._find(blob_id))

    def read_blobs(self, blob_ids: Iterable[bytes]) -> Iterator[PlainBlobs]:
        for blob_id in blob_ids:
            try:
                data = bytearray(self.read_blob(blob_id))
            except DamagedError as error:
                yield PlainBlobs(memoryview(b""), (), [(blob_id, error)])
            else:
                yield PlainBlobs(memoryview(data), [BlobAt(blob_id, 0, len(data))])

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        return tuple(decode_node(entry.stored) for entry in self.read_entries(tree_id))

    def read_encoded(self, tree_id: bytes) -> Iterator[dict[bytes, bytes]]:
        yield from encoded_entries([self.read_blob(tree_id)])

    def read_entries(self, tree_id: bytes) -> Iterator[StoredEntry]:
        yield from entries_of([self.read_blob(tree_id)])

    def damage(self, blob_id: bytes) -> None:
        """Flip a bit of a blob."""
        data = bytearray(self.blobs[blob_id])
        data[0] ^= 1
        self.blobs[blob_id] = bytes(data)

    def contains(self, part: bytes) -> bool:
        """Whether any blob holds these bytes."""
        return any(part in data for data in self.blobs.values())

    def _add_packed(self, identity: bytes, pieces: Sequence[bytes], size_bytes: int) -> None:
        plain = self._compression.decompress(b"".join(pieces), size_bytes=size_bytes)
        assert self._add(plain) == identity

    def _add(self, data: bytes) -> bytes:
        blob_id = hashlib.sha256(data).digest()
        self.blobs[blob_id] = data
        return blob_id

    def _find(self, blob_id: bytes) -> bytes:
        try:
            return self.blobs[blob_id]
        except KeyError:
            raise DamagedError(f"blob {blob_id.hex()} is missing") from None


def _encode_entry(node: Node) -> bytes:
    """Encode one entry, also with a name that is none: as a malicious repository would have it."""
    possible = msgspec.structs.replace(
        node,
        name=b"~",
        content=node.content if node.kind == "file" else None,
        subtree=node.subtree if node.kind == "dir" else None,
    )
    stored_name = b'{"name":' + json_name(node.name).encode()
    return encode_node(possible).replace(b'{"name":"~"', stored_name, 1)
