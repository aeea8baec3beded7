"""Looking into a version without restoring it: list, find, and take out a file or a folder.

Paths are raw bytes below the root of a version, parts separated by `/`, none at either end. What a
version holds is read as it is asked for: memory does not grow with the version.
"""

import fnmatch
import stat
import tarfile
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from appshield.errors import InvalidInputError
from appshield.repository.nodes import Node, NodeKind

_TAR_KINDS: Final[dict[NodeKind, bytes]] = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "fifo": tarfile.FIFOTYPE,
    "dev": tarfile.BLKTYPE,
    "chardev": tarfile.CHRTYPE,
}
"""Sockets have no place in an archive, as their owner makes them anew."""


class Trees(Protocol):
    """What is needed to look into a version; a `Reader` is one."""

    def read_tree(self, tree_id: bytes) -> tuple[Node, ...]:
        """Return the entries of a directory, ascending by name."""
        ...

    def iter_file(self, node: Node) -> Iterator[bytes]:
        """Yield the content of a file, chunk by chunk."""
        ...

    def blob_size(self, blob_id: bytes) -> int:
        """Return the plain size of a blob in bytes."""
        ...

    def find(self, tree_id: bytes, path: str | bytes) -> Node:
        """Return the entry at a path; NotFoundError when there is none."""
        ...


class Output(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        ...


class Entry(msgspec.Struct, frozen=True):
    """An entry with its path from the root of the version."""

    path: bytes
    node: Node


def list_entries(
    trees: Trees, root: bytes, path: bytes = b"", *, recursive: bool = False
) -> Iterator[Entry]:
    """Yield what is in the folder at `path`, or the entry itself where that is no folder.

    Raises:
        NotFoundError: there is nothing at `path`.
        DamagedError: a directory cannot be read.
    """
    path = path.strip(b"/")
    node = trees.find(root, path) if path else None
    if node is not None and node.subtree is None:
        yield Entry(path, node)
        return
    tree_id = root if node is None else node.subtree or b""
    if recursive:
        yield from walk(trees, tree_id, path)
        return
    for one in trees.read_tree(tree_id):
        yield Entry(_below(path, one.name), one)


def walk(trees: Trees, tree_id: bytes, path: bytes = b"") -> Iterator[Entry]:
    """Yield everything below a directory: each before what it holds; nested to any depth."""
    way = [(path, iter(trees.read_tree(tree_id)))]
    while way:
        above, nodes = way[-1]
        node = next(nodes, None)
        if node is None:
            way.pop()
            continue
        entry = Entry(_below(above, node.name), node)
        yield entry
        if node.subtree is not None:
            way.append((entry.path, iter(trees.read_tree(node.subtree))))


def find_entries(trees: Trees, root: bytes, pattern: str) -> Iterator[Entry]:
    """Yield what fits a shell pattern: in its name, or in its whole path if that has a `/`."""
    wanted = fitting(pattern)
    return (entry for entry in walk(trees, root) if wanted(entry))


def fitting(pattern: str) -> Callable[[Entry], bool]:
    """Return what says whether an entry fits a shell pattern; see `find_entries`."""
    raw = pattern.encode("utf-8", "surrogateescape").strip(b"/")
    whole = b"/" in raw

    def fits(entry: Entry) -> bool:
        return fnmatch.fnmatchcase(entry.path if whole else entry.node.name, raw)

    return fits


def content_of(trees: Trees, node: Node) -> Iterator[bytes]:
    """Yield a file as it is, or a folder as a tar archive, each chunk verified before.

    Raises:
        InvalidInputError: it is neither; at once, before anything is yielded.
        DamagedError: something of it cannot be read; what was yielded until then is right.
    """
    if node.content is not None:
        return trees.iter_file(node)
    if node.subtree is None:
        name = node.name.decode("utf-8", "backslashreplace")
        raise InvalidInputError(
            f"{name} has no content", why=f"it is a {node.kind}", next_step="Dump a file or folder."
        )
    return _archive(trees, node.subtree)


def dump(trees: Trees, node: Node, output: Output) -> None:
    """Write what `content_of` yields; raises as it does."""
    for chunk in content_of(trees, node):
        output.write(chunk)


def size_of(trees: Trees, node: Node) -> int:
    """Return how many bytes the content of a file is, from the index alone.

    Raises:
        DamagedError: no index names one of its chunks.
    """
    return sum(trees.blob_size(blob) for blob in node.content or ())


def part_of(trees: Trees, node: Node, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to before `end` of a file; other chunks are not read."""
    wanted: list[bytes] = []
    at = first = 0
    for blob in node.content or ():
        behind = at + trees.blob_size(blob)
        if behind > start and at < end:
            if not wanted:
                first = at
            wanted.append(blob)
        at = behind
    at = first
    for chunk in trees.iter_file(msgspec.structs.replace(node, content=tuple(wanted))):
        yield chunk[max(start - at, 0) : end - at]
        at += len(chunk)


def _archive(trees: Trees, tree_id: bytes) -> Iterator[bytes]:
    """Yield a tar archive; it is not complete unless its end came."""
    linked: dict[tuple[int, int], str] = {}
    written = 0
    for entry in walk(trees, tree_id):
        node = entry.node
        if node.kind not in _TAR_KINDS:
            continue
        info = _tar_info(trees, entry)
        if node.kind == "file" and node.links > 1:
            first = linked.setdefault((node.device_id, node.inode), info.name)
            if first != info.name:
                info.type, info.linkname, info.size = tarfile.LNKTYPE, first, 0
        for piece in _member(trees, node, info):
            yield piece
            written += len(piece)
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(written + end) % tarfile.RECORDSIZE)


def _member(trees: Trees, node: Node, info: tarfile.TarInfo) -> Iterator[bytes]:
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if info.isreg():
        yield from trees.iter_file(node)
        yield bytes(-info.size % tarfile.BLOCKSIZE)


def _tar_info(trees: Trees, entry: Entry) -> tarfile.TarInfo:
    node = entry.node
    info = tarfile.TarInfo(entry.path.decode("utf-8", "surrogateescape"))
    info.type = _TAR_KINDS[node.kind]
    info.mode, info.uid, info.gid = node.mode, node.uid, node.gid
    info.uname, info.gname = node.user, node.group
    seconds, rest = divmod(node.mtime_ns, 10**9)
    info.mtime = seconds
    info.pax_headers = {"mtime": f"{seconds}.{rest:09d}"} if seconds >= 0 and rest else {}
    for name, value in node.extended_attributes:
        info.pax_headers[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    if node.kind == "symlink":
        info.linkname = node.linktarget.decode("utf-8", "surrogateescape")
    if node.kind in {"dev", "chardev"}:
        info.devmajor, info.devminor = _device_numbers(node.device)
    if node.kind == "file":
        info.size = size_of(trees, node)
    return info


def mode_text(node: Node) -> str:
    """Write kind and permissions as `ls -l` does."""
    kinds: dict[NodeKind, int] = {
        "file": stat.S_IFREG,
        "dir": stat.S_IFDIR,
        "symlink": stat.S_IFLNK,
        "fifo": stat.S_IFIFO,
        "socket": stat.S_IFSOCK,
        "dev": stat.S_IFBLK,
        "chardev": stat.S_IFCHR,
    }
    return stat.filemode(kinds[node.kind] | node.mode)


def _device_numbers(device: int) -> tuple[int, int]:
    """Cut a device number as Linux writes it into major and minor, on any machine."""
    major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
    minor = device & 0xFF | (device >> 12) & ~0xFF
    return major, minor & 0xFFFFFFFF


def _below(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
