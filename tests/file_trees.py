"""Real directories for tests: made, saved, restored and described so that they can be compared."""

import gc
import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from appshield.repository.files import (
    Progress,
    RestoredDirectory,
    Selection,
    StoredDirectory,
    restore_directory,
    store_directory,
)
from appshield.repository.nodes import BlobSink, BlobSource, Node, NodeKind
from appshield.repository.workers.ports import JobPool


class Entry(NamedTuple):
    """All that a backup has to keep of one entry."""

    kind: int
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    content: str
    linktarget: bytes
    device: int
    attributes: dict[str, bytes]
    same_as: bytes  # the first path of a hard-linked object
    allocated: bool  # whether more than half of a file is stored


def never() -> bool:
    return False


@contextmanager
def opened(path: Path | bytes) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def save(
    path: Path,
    sink: BlobSink,
    *,
    exclude: Callable[[bytes], bool] | None = None,
    parent: tuple[BlobSource, bytes] | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
) -> StoredDirectory:
    with opened(path) as root:
        return store_directory(
            root, sink, exclude=exclude, parent=parent, progress=progress, cancelled=cancelled
        )


def bring_back(
    path: Path,
    stored: bytes,
    source: BlobSource,
    *,
    root_node: Node | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = never,
    delete_extra: bool = False,
    keep_going: bool = False,
    include: Selection | None = None,
    pool: JobPool | None = None,
) -> RestoredDirectory:
    path.mkdir(exist_ok=True)
    with opened(path) as root:
        return restore_directory(
            root,
            stored,
            source,
            root_node=root_node,
            progress=progress,
            cancelled=cancelled,
            delete_extra=delete_extra,
            keep_going=keep_going,
            include=include,
            pool=pool,
        )


def pool_processes(of: int) -> list[int]:
    """Return the child processes that serve a pool of workers; a suite has servers beside them."""
    found = []
    for child in Path(f"/proc/{of}/task/{of}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"appshield.repository.workers" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def open_descriptors(*, collect: bool = True) -> int:
    """Count the descriptors of this process; collecting takes a while in a large one."""
    if collect:
        gc.collect()  # what earlier tests have left to it
    return len(list(Path("/proc/self/fd").iterdir()))


def describe(root: Path) -> dict[bytes, Entry]:
    """Describe everything below a directory, and the directory itself as b''."""
    found: dict[bytes, Entry] = {}
    first: dict[tuple[int, int], bytes] = {}
    pending = [root]
    while pending:
        path = pending.pop()
        relative = b"" if path == root else os.fsencode(path.relative_to(root))
        status = path.lstat()
        same_as = b""
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            same_as = first.setdefault((status.st_dev, status.st_ino), relative)
        found[relative] = _entry(path, status, same_as)
        if stat.S_ISDIR(status.st_mode):
            pending += sorted(path.iterdir(), reverse=True)
    return found


def _entry(path: Path, status: os.stat_result, same_as: bytes) -> Entry:
    is_file = stat.S_ISREG(status.st_mode)
    is_device = stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)
    names = os.listxattr(path, follow_symlinks=False)
    return Entry(
        kind=stat.S_IFMT(status.st_mode),
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        mtime_ns=status.st_mtime_ns,
        content=hashlib.sha256(path.read_bytes()).hexdigest() if is_file else "",
        linktarget=os.fsencode(path.readlink()) if stat.S_ISLNK(status.st_mode) else b"",
        device=status.st_rdev if is_device else 0,
        attributes={name: os.getxattr(path, name, follow_symlinks=False) for name in names},
        same_as=same_as,
        allocated=is_file and status.st_blocks * 512 * 2 > status.st_size,
    )


def acl(*entries: tuple[int, int, int]) -> bytes:
    """Encode a POSIX ACL as its extended attribute: (tag, permissions, id) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NAMED_USER_ACL = acl(
    (0x01, 6, 0xFFFFFFFF), (0x02, 4, 4711), (0x04, 4, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF),
    (0x20, 0, 0xFFFFFFFF),
)  # fmt: skip
DEFAULT_ACL = acl(
    (0x01, 7, 0xFFFFFFFF), (0x04, 5, 0xFFFFFFFF), (0x08, 7, 4712), (0x10, 7, 0xFFFFFFFF),
    (0x20, 5, 0xFFFFFFFF),
)  # fmt: skip


def make_hostile_tree(root: Path) -> None:
    """Make a directory with everything that backup programs lose."""
    root.mkdir()
    below = root / "directory with space"
    below.mkdir()
    (root / "plain.txt").write_bytes(b"plain content\n")
    (root / "empty").write_bytes(b"")
    (root / "large.bin").write_bytes(os.urandom(300_000))
    raw = os.fsencode(root)
    for name in (
        b"\xff\xfe not utf-8",
        b"tab\tnewline\n",
        b'quote"back\\slash',
        b"\xc3\xa4\xe2\x82\xac",
    ):
        Path(os.fsdecode(raw + b"/" + name)).write_bytes(name)
    (root / "setuid").write_bytes(b"#!/bin/sh\n")
    os.chown(root / "setuid", 1001, 1002)
    (root / "setuid").chmod(0o4755)
    (root / "nobody may").write_bytes(b"secret")
    (root / "nobody may").chmod(0)
    os.link(root / "plain.txt", below / "second name")
    os.link(root / "plain.txt", root / "third name")
    (root / "a link with names").symlink_to("plain.txt")
    os.link(root / "a link with names", below / "of a link", follow_symlinks=False)
    os.mkfifo(root / "fifo", 0o640)
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root / "loop", stat.S_IFBLK | 0o660, os.makedev(7, 300))
    (root / "link").symlink_to("/etc/passwd")
    (root / "link to nowhere").symlink_to(os.fsdecode(b"dangling \xff"))
    os.chown(root / "link", 12, 13, follow_symlinks=False)
    os.setxattr(root / "link", "trusted.on-link", b"x", follow_symlinks=False)
    os.setxattr(root / "fifo", "trusted.on-fifo", b"y")
    os.setxattr(root / "plain.txt", "user.comment", b"\x00\xff")
    os.setxattr(root / "large.bin", "system.posix_acl_access", NAMED_USER_ACL)
    os.setxattr(below, "system.posix_acl_default", DEFAULT_ACL)
    (below / "made under the default ACL").write_bytes(b"inherits")
    make_sparse(root / "sparse", 40 << 20, {0: b"start", 20 << 20: os.urandom(5000)})
    make_sparse(root / "only a hole", 9 << 20, {})
    (root / "old").write_bytes(b"1955")
    os.utime(root / "old", ns=(-451_234_567_890_123_456, -451_234_567_890_123_456))
    os.utime(root / "link", ns=(5, -7), follow_symlinks=False)
    os.utime(below, ns=(1, 1_234_567_890_123_456_789))
    root.chmod(0o2770)
    os.chown(root, 0, 2000)
    root.chmod(0o2770)
    os.setxattr(root, "user.root", b"kept")


def make_sparse(path: Path, size: int, parts: dict[int, bytes]) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in parts.items():
            file.seek(offset)
            file.write(data)


def node(name: bytes, kind: NodeKind = "file", **fields: object) -> Node:
    """Return a node as a (possibly malicious) repository could hold it."""
    plain = Node(name=name, kind=kind, mode=0o644, mtime_ns=0, atime_ns=0, ctime_ns=0, uid=0, gid=0)
    return msgspec.structs.replace(plain, **fields)
