"""Directories as restic writes them: one JSON document whose bytes are its name.

The same entries must give the same bytes, in any version and on any machine: an unchanged directory
is then stored once, and restic's `rewrite` and `repair` accept our trees. Field order is that of
restic's Node; fields with an empty value are left out, except name, type, times, owner and content.
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Final

import msgspec

from appshield.errors import DamagedError, InvalidInputError
from appshield.repository.gotext import (
    format_time,
    go_mode,
    json_name,
    json_text,
    parse_name,
    parse_time,
    unix_mode,
)
from appshield.repository.nodes import Node, NodeKind

_COUNTS_LINKS: Final = ("file", "symlink", "dev", "chardev")
"""Kinds for which restic writes the number of links."""


class _StoredAttribute(msgspec.Struct):
    name: str
    value: bytes | None = None


class _StoredNode(msgspec.Struct):
    name: str
    type: NodeKind
    mtime: str
    atime: str
    ctime: str
    uid: int
    gid: int
    mode: int = 0
    user: str = ""
    group: str = ""
    inode: int = 0
    device_id: int = 0
    size: int = 0
    links: int = 1
    linktarget: str = ""
    linktarget_raw: bytes | None = None
    extended_attributes: list[_StoredAttribute] | None = None
    device: int = 0
    content: list[str] | None = None
    subtree: str | None = None


class _StoredTree(msgspec.Struct):
    nodes: list[_StoredNode] | None


_stored_node: Final = msgspec.json.Decoder(_StoredNode)


OPENING: Final = b'{"nodes":['
CLOSING: Final = b"]}\n"
"""A tree is the opening, its encoded nodes ascending by name with commas between, the closing."""


def encode_tree(nodes: Iterable[Node]) -> bytes:
    """Return the bytes of a directory with these entries, in any order.

    Raises:
        InvalidInputError: two entries have one name, or an entry is not possible.
    """
    return OPENING + b",".join(encoded_nodes(nodes)) + CLOSING


def encoded_nodes(nodes: Iterable[Node]) -> list[bytes]:
    """Return encoded nodes, ascending by name; raises as `encode_tree`."""
    encoded: dict[bytes, bytes] = {}
    for node in nodes:
        if node.name in encoded:
            raise InvalidInputError(f"two entries of a directory are called {node.name!r}")
        encoded[node.name] = encode_node(node)
    return [encoded[name] for name in sorted(encoded)]


def decode_tree(stored: bytes) -> tuple[Node, ...]:
    """Return the entries of a directory, ascending by name.

    Raises:
        DamagedError: the bytes are not those of a directory that a restore could write.
    """
    try:
        tree = msgspec.json.decode(stored, type=_StoredTree)
        nodes = tuple(map(_decode_node, tree.nodes or ()))
    except (msgspec.DecodeError, ValueError) as error:
        raise DamagedError("a directory cannot be read", why=str(error)) from error
    for index, node in enumerate(nodes):
        if not is_possible_name(node.name):
            raise DamagedError(f"{node.name!r} cannot be the name of an entry")
        if index and node.name <= nodes[index - 1].name:
            raise DamagedError("the entries of a directory are not in order", why=repr(node.name))
    return nodes


def decode_node(stored: bytes | msgspec.Raw) -> Node:
    """Return one entry of a directory, as it stands in its tree.

    Raises:
        DamagedError: a restore could not write it.
    """
    try:
        return _decode_node(_stored_node.decode(stored))
    except (msgspec.DecodeError, ValueError) as error:
        raise DamagedError("an entry of a directory cannot be read", why=str(error)) from error


def is_possible_name(name: bytes) -> bool:
    """A name from a bucket becomes a path on a node: it must stay inside its directory."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


def encode_node(node: Node) -> bytes:
    """Return the bytes of one entry.

    Raises:
        InvalidInputError: it is not possible.
    """
    if not is_possible_name(node.name) or (node.kind == "file") == (node.content is None):
        raise InvalidInputError(f"{node.kind} {node.name!r} cannot be an entry of a directory")
    if (node.kind == "dir") == (node.subtree is None):
        raise InvalidInputError(f"{node.kind} {node.name!r} must name a subtree if a directory")
    head = encode_head(
        node.name,
        node.kind,
        mode=node.mode,
        mtime_ns=node.mtime_ns,
        atime_ns=node.atime_ns,
        ctime_ns=node.ctime_ns,
        owner=_owner(node),
        inode=node.inode,
        device_id=node.device_id,
        size_bytes=node.size_bytes,
        links=node.links,
    )
    middle = encode_middle(
        linktarget=node.linktarget, attributes=node.extended_attributes, device=node.device
    )
    return (head + middle + encode_tail(node.content, node.subtree)).encode()


def encode_head(
    name: bytes,
    kind: NodeKind,
    *,
    mode: int,
    mtime_ns: int,
    atime_ns: int,
    ctime_ns: int,
    owner: str,
    inode: int,
    device_id: int,
    size_bytes: int,
    links: int,
) -> str:
    """Return an entry up to what `stat` does not tell; `owner` is `"uid":1,"gid":2` and names."""
    mtime = format_time(mtime_ns)
    atime = mtime if atime_ns == mtime_ns else format_time(atime_ns)
    bits = go_mode(kind, mode)
    mode_field = f'"mode":{bits},' if bits else ""
    numbers = f',"inode":{inode}' if inode else ""
    if device_id:
        numbers += f',"device_id":{device_id}'
    if size_bytes and kind == "file":
        numbers += f',"size":{size_bytes}'
    if links and kind in _COUNTS_LINKS:
        numbers += f',"links":{links}'
    return (
        f'{{"name":{json_name(name)},"type":"{kind}",{mode_field}"mtime":"{mtime}",'
        f'"atime":"{atime}","ctime":"{format_time(ctime_ns)}",{owner}{numbers}'
    )


def encode_middle(
    *, linktarget: bytes, attributes: tuple[tuple[str, bytes], ...], device: int
) -> str:
    """Return what stands between the head and the tail of an entry: mostly nothing."""
    middle = _encode_target(linktarget) if linktarget else ""
    if attributes:
        listed = ",".join(
            f'{{"name":{json_text(name)},"value":"{b64encode(value).decode()}"}}'
            for name, value in attributes
        )
        middle += f',"extended_attributes":[{listed}]'
    if device:
        middle += f',"device":{device}'
    return middle


def encode_tail(content: Iterable[bytes] | None, subtree: bytes | None) -> str:
    """Return the end of an entry: what it contains."""
    if content is not None:
        ids = '","'.join([identity.hex() for identity in content])
        return f',"content":["{ids}"]}}' if ids else ',"content":[]}'
    if subtree is not None:
        return f',"content":null,"subtree":"{subtree.hex()}"}}'
    return ',"content":null}'


def _owner(node: Node) -> str:
    owner = f'"uid":{node.uid},"gid":{node.gid}'
    if node.user:
        owner += f',"user":{json_text(node.user)}'
    if node.group:
        owner += f',"group":{json_text(node.group)}'
    return owner


def _encode_target(target: bytes) -> str:
    text = target.decode("utf-8", "surrogateescape")
    field = f',"linktarget":{json_text(text)}'
    if not _is_utf8(target):
        field += f',"linktarget_raw":"{b64encode(target).decode()}"'
    return field


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_node(stored: _StoredNode) -> Node:
    if stored.type == "file" and stored.content is None:
        raise DamagedError(f"file {stored.name!r} has no list of contents")
    if stored.type == "dir" and stored.subtree is None:
        raise DamagedError(f"directory {stored.name!r} has no subtree")
    mtime_ns = parse_time(stored.mtime)
    return Node(
        name=parse_name(stored.name),
        kind=stored.type,
        mode=unix_mode(stored.mode),
        mtime_ns=mtime_ns,
        atime_ns=mtime_ns if stored.atime == stored.mtime else parse_time(stored.atime),
        ctime_ns=parse_time(stored.ctime),
        uid=stored.uid,
        gid=stored.gid,
        user=stored.user,
        group=stored.group,
        inode=stored.inode,
        device_id=stored.device_id,
        size_bytes=stored.size,
        links=stored.links,
        linktarget=stored.linktarget_raw or stored.linktarget.encode(),
        extended_attributes=tuple(
            (attribute.name, attribute.value or b"")
            for attribute in stored.extended_attributes or ()
        ),
        device=stored.device,
        content=tuple(map(_decode_id, stored.content or ())) if stored.type == "file" else None,
        subtree=_decode_id(stored.subtree) if stored.type == "dir" and stored.subtree else None,
    )


def _decode_id(text: str) -> bytes:
    identity = bytes.fromhex(text)
    if len(identity) != 32:
        raise DamagedError(f"{text!r} is not the name of a blob")
    return identity
