"""Everything about an entry but its content: from `stat` and extended attributes to a node, back.

POSIX ACLs are the extended attributes `system.posix_acl_access` and `system.posix_acl_default` and
need nothing of their own. The access time of a node is its modification time, as restic has it by
default: reading a file must not make its directory a different tree.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from functools import partial

from appshield.repository.nodes import Node, NodeKind
from appshield.repository.trees import encode_head, encode_middle, encode_tail

Target = int | str
"""A descriptor opened for reading or writing, or `descriptors.path_of` one that only pins."""

Attributes = tuple[tuple[str, bytes], ...]

_KINDS: dict[int, NodeKind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFBLK: "dev",
    stat.S_IFCHR: "chardev",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
_LINKED: frozenset[NodeKind] = frozenset({"file", "symlink", "dev", "chardev"})
_DEVICES: frozenset[NodeKind] = frozenset({"dev", "chardev"})
_OURS_TO_REMOVE = ("user.", "trusted.", "system.posix_acl_", "security.capability")
_SET_ID = stat.S_ISUID | stat.S_ISGID


def kind_of(status: os.stat_result) -> NodeKind:
    """Return the kind of an entry."""
    return _KINDS[stat.S_IFMT(status.st_mode)]


def node_of(
    name: bytes,
    status: os.stat_result,
    attributes: Attributes = (),
    *,
    size_bytes: int = 0,
    content: tuple[bytes, ...] | None = None,
    subtree: bytes | None = None,
    linktarget: bytes = b"",
) -> Node:
    """Return the node of an entry as `status` describes it."""
    kind = kind_of(status)
    links = status.st_nlink if kind in _LINKED else 1
    return Node(
        name=name,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        uid=status.st_uid,
        gid=status.st_gid,
        inode=status.st_ino,
        device_id=status.st_dev if links > 1 else 0,
        links=links,
        linktarget=linktarget,
        extended_attributes=attributes,
        device=status.st_rdev if kind in _DEVICES else 0,
        size_bytes=size_bytes,
        content=content,
        subtree=subtree,
    )


def head_of(name: bytes, status: os.stat_result, kind: NodeKind, *, size_bytes: int = 0) -> str:
    """Return the head of an encoded node, as `encode_node(node_of(...))` would begin."""
    links = status.st_nlink if kind in _LINKED else 1
    return encode_head(
        name,
        kind,
        mode=stat.S_IMODE(status.st_mode),
        mtime_ns=status.st_mtime_ns,
        atime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        owner=f'"uid":{status.st_uid},"gid":{status.st_gid}',
        inode=status.st_ino,
        device_id=status.st_dev if links > 1 else 0,
        size_bytes=size_bytes,
        links=links,
    )


def encode_entry(
    name: bytes,
    status: os.stat_result,
    attributes: Attributes = (),
    *,
    size_bytes: int = 0,
    content: Sequence[bytes] | None = None,
    subtree: bytes | None = None,
    linktarget: bytes = b"",
) -> bytes:
    """Return the encoded node of an entry: `encode_node(node_of(...))`, many times faster."""
    kind = kind_of(status)
    head = head_of(name, status, kind, size_bytes=size_bytes)
    if attributes or linktarget or kind in _DEVICES:
        device = status.st_rdev if kind in _DEVICES else 0
        head += encode_middle(linktarget=linktarget, attributes=attributes, device=device)
    return (head + encode_tail(content, subtree)).encode()


def read_attributes(target: Target) -> tuple[Attributes, tuple[str, ...]]:
    """Return the extended attributes by name, and one sentence for each that cannot be kept."""
    kept: list[tuple[str, bytes]] = []
    lost: list[str] = []
    try:
        names = sorted(os.listxattr(target))
    except OSError as error:
        unknown = error.errno in {errno.EOPNOTSUPP, errno.ENOSYS}
        return (), () if unknown else (_lost("are not readable", error),)
    for name in names:
        try:
            name.encode()
            kept.append((name, os.getxattr(target, name)))
        except UnicodeEncodeError:
            lost.append(f"extended attribute {os.fsencode(name)!r} is not kept: no UTF-8 name")
        except OSError as error:
            if error.errno != errno.ENODATA:  # removed since it was listed
                lost.append(_lost(f"{name} is not readable", error))
    return tuple(kept), tuple(lost)


def apply_metadata(target: Target, node: Node) -> tuple[str, ...]:
    """Give an entry the owner, attributes, mode and times of its node; return what failed.

    Only what differs is touched. The order matters: a change of owner clears setuid
    bits and capabilities, an ACL changes the mode, and everything may change the times. Without
    the right owner, setuid and setgid bits are left away.
    """
    current = os.stat(target)  # noqa: PTH116 - may be a descriptor
    failures: list[str] = []
    owner = (node.uid, node.gid)
    owned = owner == (current.st_uid, current.st_gid)
    touched = not owned
    if not owned:
        owned = _attempt(failures, f"owner {owner}", partial(os.chown, target, *owner))
    touched |= _apply_attributes(target, node.extended_attributes, failures)
    mode = node.mode if owned else node.mode & ~_SET_ID
    if node.kind != "symlink" and (touched or mode != stat.S_IMODE(current.st_mode)):
        _attempt(failures, f"mode {mode:o}", partial(os.chmod, target, mode))
    if node.mtime_ns != current.st_mtime_ns:  # reading alone changes the access time
        times = (node.atime_ns, node.mtime_ns)
        _attempt(failures, "times", partial(os.utime, target, ns=times))
    return tuple(failures)


def _apply_attributes(target: Target, wanted: Attributes, failures: list[str]) -> bool:
    """Make the extended attributes those of the node; return whether any was changed."""
    present, _ = read_attributes(target)
    if present == wanted:
        return False
    before, after = dict(present), dict(wanted)
    for name in before.keys() - after.keys():
        if name.startswith(_OURS_TO_REMOVE):  # others are labels of this machine, not of the data
            _attempt(failures, f"removal of {name}", partial(os.removexattr, target, name))
    for name, value in wanted:
        if before.get(name) != value:
            _attempt(failures, name, partial(os.setxattr, target, name, value))
    return True


def _attempt(failures: list[str], what: str, action: Callable[[], None]) -> bool:
    try:
        action()
    except OSError as error:
        failures.append(f"{what} cannot be restored: {error.strerror}")
        return False
    return True


def _lost(what: str, error: OSError) -> str:
    return f"extended attributes: {what} ({error.strerror})"
