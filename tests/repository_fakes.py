"""A repository in memory: the sink and source of the files half, for unit tests."""

import hashlib
from collections.abc import Callable, Iterable

import msgspec

from appshield.errors import DamagedError
from appshield.repository.nodes import Node


class MemoryBlobs:
    """Both ports of the files half over a dictionary; chunks have one size.

    `on_chunk` is called before a chunk of a file is read: the place to change files.
    """

    def __init__(self, *, chunk_bytes: int = 64 << 10) -> None:
        self._chunk_bytes = chunk_bytes
        self.blobs: dict[bytes, bytes] = {}
        self.on_chunk: Callable[[], None] = lambda: None
        self.data_calls = 0
        self.reads = 0

    def add_data(self, data: bytes | memoryview) -> bytes:
        assert 0 < len(data) <= 8 << 20
        self.data_calls += 1
        return self._add(bytes(data))

    def add_file(self, read: Callable[[int], bytes]) -> tuple[tuple[bytes, ...], int]:
        ids: list[bytes] = []
        size = 0
        while True:
            self.on_chunk()
            chunk = read(self._chunk_bytes)
            if not chunk:
                return tuple(ids), size
            ids.append(self._add(chunk))
            size += len(chunk)

    def add_tree(self, nodes: Iterable[Node]) -> bytes:
        encoded = b"".join(_encode_entry(node) for node in sorted(nodes, key=lambda n: n.name))
        return self._add(b"tree" + encoded)

    def read_blob(self, blob_id: bytes) -> bytes:
        self.reads += 1
        data = self._find(blob_id)
        if hashlib.sha256(data).digest() != blob_id:
            raise DamagedError("a blob is not what its id says")
        return data

    def blob_size(self, blob_id: bytes) -> int:
        return len(self._find(blob_id))

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        data = memoryview(self.read_blob(tree_id))[4:]
        nodes: list[Node] = []
        while data:
            length = int.from_bytes(data[:4], "big")
            nodes.append(msgspec.msgpack.decode(data[4 : 4 + length], type=Node))
            data = data[4 + length :]
        return tuple(nodes)

    def damage(self, blob_id: bytes) -> None:
        """Flip a bit of a blob."""
        data = bytearray(self.blobs[blob_id])
        data[0] ^= 1
        self.blobs[blob_id] = bytes(data)

    def contains(self, part: bytes) -> bool:
        """Whether any blob holds these bytes."""
        return any(part in data for data in self.blobs.values())

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
    encoded = msgspec.msgpack.encode(node)
    return len(encoded).to_bytes(4, "big") + encoded
