"""Where the files of a repository are, and how they are called.

Every file but `config` is called by the SHA-256 of its bytes, so writing it twice changes nothing.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final, Literal, cast, get_args

from appshield.objectstore import ObjectFacts, ObjectStore

FileKind = Literal["keys", "index", "snapshots", "locks", "data"]

KINDS: Final = get_args(FileKind)

CONFIG: Final = "config"
_ID: Final = re.compile(r"[0-9a-f]{64}\Z")


def file_id(stored: bytes | bytearray | memoryview) -> str:
    """Return what a file of these bytes is called."""
    return hashlib.sha256(stored).hexdigest()


def file_name(kind: FileKind, identity: str) -> str:
    """Return the name of an object; packs are spread over 256 folders."""
    return f"data/{identity[:2]}/{identity}" if kind == "data" else f"{kind}/{identity}"


def list_files(store: ObjectStore, kind: FileKind) -> Iterator[tuple[str, int]]:
    """Yield id and size of each file; what is not called like one is not ours and passed over."""
    for found in store.list(kind):
        identity = found.name.rpartition("/")[2]
        if is_id(identity) and found == ObjectFacts(file_name(kind, identity), found.size_bytes):
            yield identity, found.size_bytes


def is_file_name(name: str) -> bool:
    """Tell whether an object is called like a file of a repository, other than its config."""
    kind, _, rest = name.partition("/")
    identity = rest.rpartition("/")[2]
    return kind in KINDS and is_id(identity) and name == file_name(cast("FileKind", kind), identity)


def is_id(text: str) -> bool:
    """Tell whether `text` is 64 lower-case hexadecimal digits."""
    return _ID.match(text) is not None
