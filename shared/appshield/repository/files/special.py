"""Links, FIFOs, sockets and devices: making them, and telling whether one is there."""

import os
import stat

from appshield.errors import DamagedError
from appshield.repository.files.metadata import kind_of
from appshield.repository.nodes import Node

_TYPES = {
    "dev": stat.S_IFBLK,
    "chardev": stat.S_IFCHR,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}


def make_special(name: bytes, directory: int, node: Node) -> None:
    """Make a link, FIFO, socket or device; DamagedError for a link without a possible target."""
    if node.kind == "symlink":
        if not node.linktarget or b"\0" in node.linktarget:
            raise DamagedError("the link has no possible target", why=repr(node.linktarget))
        os.symlink(node.linktarget, name, dir_fd=directory)
    else:
        mode = _TYPES[node.kind] | stat.S_IRUSR | stat.S_IWUSR
        os.mknod(name, mode, node.device, dir_fd=directory)


def is_special(descriptor: int, node: Node) -> bool:
    """Whether a pinned object is of a node's kind, with its target or device number."""
    status = os.fstat(descriptor)
    if kind_of(status) != node.kind:
        return False
    if node.kind == "symlink":
        return os.readlink(b"", dir_fd=descriptor) == node.linktarget
    return node.kind not in {"dev", "chardev"} or status.st_rdev == node.device
