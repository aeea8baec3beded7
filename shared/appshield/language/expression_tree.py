"""The syntax tree of a compiled expression, and what can be told from it without evaluating.

The library gives a tree in the wire format of `cel.expr.CheckedExpr`; of it just what is needed is
read here, by field number.
"""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

Read: TypeAlias = tuple[str, ...]
"""A variable, and if known the attribute and the key of it that is read: ("app", "labels")."""

Kind = Literal["constant", "name", "select", "call", "list", "struct", "loop"]
_KINDS: dict[int, Kind] = {
    3: "constant",
    4: "name",
    5: "select",
    6: "call",
    7: "list",
    8: "struct",
    9: "loop",
}
_LOOP_PARTS = (2, 4, 5, 6, 7)
_READ_DEPTH_MAX = 3
_REPETITION = re.compile(r"\{(?:\d*,)?(\d+),?\}")
MATCHES = "matches"
CONVERSIONS = frozenset({"duration", "timestamp", "int", "uint", "double", "bool"})
"""Functions that have no answer for some texts."""
_COMPARES = frozenset({"_==_", "_!=_"})
_BUILDS_TEXT = frozenset(
    {"add_string", "add_bytes", "add_list", "string_to_bytes", "bytes_to_string"}
)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, with its operands in the order of evaluation.

    `name`: of a variable, an attribute or a function. `text`: of a constant that is a text;
    `is_null`: of one that is null. `truth`: of one that is true or false.
    `overloads`: what the function may turn out to be.
    """

    kind: Kind
    name: str = ""
    text: str | None = None
    is_null: bool = False
    truth: bool | None = None
    overloads: frozenset[str] = frozenset()
    operands: tuple["Node", ...] = ()
    bound: frozenset[str] = frozenset()

    @property
    def builds_text(self) -> bool:
        """Whether it may make a text or list that is longer than each of its operands.

        A macro's own growing list does not count: it shares what it holds.
        """
        grows = bool(self.operands) and self.operands[0].name.startswith("@")
        return bool(self.overloads & _BUILDS_TEXT) and not grows

    @property
    def searches(self) -> bool:
        """Whether it looks for a computed text within another."""
        return self.name == "contains" and self.operands[-1].text is None

    @property
    def weight(self) -> int:
        """How often a call may look at what it is given."""
        pattern = self.operands[-1].text if self.name == MATCHES else None
        return 1 if pattern is None else pattern_weight(pattern)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds the work of an expression: see `expressions`.

    Calls count once, one of `matches` as much as its pattern weighs.
    """

    loops: int
    """Loops within each other, at most."""
    calls: int
    calls_in_loops: int
    searches: int
    """Calls of `contains` for something that is computed; they count as calls too."""
    searches_in_loops: int
    texts_built: int
    texts_built_in_loops: int
    patterns: tuple[str | None, ...]
    """Patterns of `matches`; None for one that is not written in the expression."""
    conversions: tuple[tuple[str, str], ...]
    """Functions that make a value of a text that is written in the expression, and that text."""
    compared: tuple[tuple[str, str], ...]
    """Variables, and texts that are written in the expression and compared with them."""
    length: int
    """Of the longest list or mapping that is written in the expression."""


def tree(serialized: bytes) -> Node:
    """Read the tree from what the library serialises."""
    (checked,) = _fields(serialized)[2]
    parts = _fields(_bytes(checked))
    overloads = {}
    for entry in parts.get(2, []):
        pair = _fields(_bytes(entry))
        named = _fields(_bytes(pair[2][0])).get(3, []) if 2 in pair else []
        overloads[pair[1][0]] = frozenset(_text(one) for one in named)
    return _node(_bytes(parts[4][0]), overloads)


def reads(root: Node) -> frozenset[Read]:
    """Return what the expression depends on."""
    return frozenset(_reads(root, frozenset()))


def path_of(node: Node) -> Read:
    """Return the variable, attributes and keys that a node leads to; empty for anything else."""
    return _path(node, frozenset())


def shape(root: Node) -> Shape:
    """Return what bounds the work of the expression."""
    nodes = list(_with_depth(root, 0))
    calls = [(node, depth > 0) for node, depth in nodes if node.kind == "call"]
    searches = [looped for node, looped in calls if node.searches]
    built = [looped for node, looped in calls if node.builds_text]
    written = (len(node.operands) for node, _ in nodes if node.kind in ("list", "struct"))
    return Shape(
        loops=max(depth for _, depth in nodes),
        calls=sum(node.weight for node, looped in calls if not looped),
        calls_in_loops=sum(node.weight for node, looped in calls if looped),
        searches=len(searches) - sum(searches),
        searches_in_loops=sum(searches),
        texts_built=len(built),
        texts_built_in_loops=sum(built),
        patterns=tuple(node.operands[-1].text for node, _ in calls if node.name == MATCHES),
        conversions=tuple(
            (node.name, text)
            for node, _ in calls
            if node.name in CONVERSIONS and len(node.operands) == 1
            for text in _texts(node.operands[0])
        ),
        compared=tuple(pair for node, _ in calls for pair in _compared(node)),
        length=max(written, default=0),
    )


def _compared(node: Node) -> Iterator[tuple[str, str]]:
    """Yield a variable with each text that a call compares it with."""
    if node.name not in _COMPARES | {"@in"} or len(node.operands) != 2:
        return
    for one, other in (node.operands, node.operands[::-1]):
        if one.kind == "name":
            yield from ((one.name, text) for text in _texts(other))


def _texts(node: Node) -> Iterator[str]:
    """Yield the text that is written here, or the texts of a list."""
    for one in node.operands if node.kind == "list" else (node,):
        if one.text is not None:
            yield one.text


def pattern_weight(pattern: str) -> int:
    """Return about how large a pattern is when its counted repetitions are written out."""
    weight = len(pattern)
    for count in _REPETITION.findall(pattern):
        weight *= max(1, int(count))
    return weight


def _with_depth(node: Node, depth: int) -> Iterator[tuple[Node, int]]:
    depth += node.kind == "loop"
    yield node, depth
    for operand in node.operands:
        yield from _with_depth(operand, depth)


def _reads(node: Node, bound: frozenset[str]) -> Iterator[Read]:
    path = _path(node, bound)
    if path:
        yield path[:_READ_DEPTH_MAX]
        return
    if node.name in _COMPARES and any(operand.is_null for operand in node.operands):
        operands = [one for one in node.operands if one.kind != "name"]
        node = msgspec.structs.replace(node, operands=tuple(operands))  # reads nothing of it
    inner = bound | node.bound
    for index, operand in enumerate(node.operands):
        yield from _reads(operand, inner if node.kind == "loop" and index else bound)


def _path(node: Node, bound: frozenset[str]) -> Read:
    """Return what `path_of` does; variables that are `bound` lead nowhere."""
    if node.kind == "name":
        return () if node.name in bound else tuple(node.name.split("."))
    if node.kind == "select":
        return _longer(_path(node.operands[0], bound), node.name)
    if node.kind == "call" and node.name == "_[_]" and node.operands[1].text is not None:
        return _longer(_path(node.operands[0], bound), node.operands[1].text)
    if node.kind == "call" and node.name == "@in" and node.operands[0].text is not None:
        return _longer(_path(node.operands[1], bound), node.operands[0].text)
    return ()


def _longer(path: Read, step: str) -> Read:
    return (*path, step) if path else ()


def _node(data: bytes, overloads: dict[bytes | int, frozenset[str]]) -> Node:
    fields = _fields(data)
    number = next((one for one in _KINDS if one in fields), 3)
    kind, inner = _KINDS[number], _fields(_bytes(fields.get(number, [b""])[0]))

    def nodes(*parts: int) -> tuple[Node, ...]:
        return tuple(_node(_bytes(one), overloads) for part in parts for one in inner.get(part, []))

    def text(part: int) -> str:
        return _text(inner[part][0]) if part in inner else ""

    match kind:
        case "constant":
            made = Node(
                kind=kind,
                text=text(6) if 6 in inner else None,
                is_null=1 in inner,
                truth=bool(inner[2][0]) if 2 in inner else None,
            )
        case "name":
            made = Node(kind=kind, name=text(1))
        case "select":
            made = Node(kind=kind, name=text(2), operands=nodes(1))
        case "call":
            known = overloads.get(fields[2][0], frozenset())
            made = Node(kind=kind, name=text(2), overloads=known, operands=nodes(1, 3))
        case "list":
            made = Node(kind=kind, operands=nodes(1))
        case "struct":
            made = Node(kind=kind, operands=_entries(inner, overloads))
        case "loop":
            bound = frozenset({text(1), text(3), text(8)})
            made = Node(kind=kind, operands=nodes(*_LOOP_PARTS), bound=bound)
    return made


def _entries(
    inner: dict[int, list[bytes | int]], overloads: dict[bytes | int, frozenset[str]]
) -> tuple[Node, ...]:
    entries = [_fields(_bytes(entry)) for entry in inner.get(2, [])]
    return tuple(
        _node(_bytes(entry[part][0]), overloads)
        for entry in entries
        for part in (3, 4)
        if part in entry
    )


def _fields(data: bytes) -> dict[int, list[bytes | int]]:
    """Read one message of the protobuf wire format: the values of each field by its number."""
    found: dict[int, list[bytes | int]] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: bytes | int
        if key & 7 == 0:
            value, at = _varint(data, at)
        else:
            length, at = (8, at) if key & 7 == 1 else _varint(data, at)
            value, at = data[at : at + length], at + length
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise TypeError("a number stands where the tree has a message")
    return value


def _text(value: bytes | int) -> str:
    return _bytes(value).decode()
