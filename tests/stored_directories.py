"""What was stored of a directory, and how to meddle with it while it is read."""

from collections.abc import Callable

from appshield.repository.files import StoredDirectory
from appshield.repository.nodes import Node
from repository_fakes import MemoryBlobs

CHUNK_BYTES = 1000


def on_chunk(blobs: MemoryBlobs, number: int, action: Callable[[], object]) -> None:
    """Do something just before the chunk with this number is read."""
    count = 0

    def hook() -> None:
        nonlocal count
        count += 1
        if count == number:
            action()

    blobs.on_chunk = hook


def nodes_of(blobs: MemoryBlobs, stored: StoredDirectory) -> dict[bytes, Node]:
    return {node.name: node for node in blobs.read_tree(stored.tree_id)}


def kinds(stored: StoredDirectory) -> dict[bytes, str]:
    return {problem.path: problem.kind for problem in stored.problems}


def content(blobs: MemoryBlobs, node: Node) -> bytes:
    return b"".join(blobs.read_blob(blob_id) for blob_id in node.content or ())
