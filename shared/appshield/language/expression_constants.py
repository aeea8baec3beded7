"""What an expression can never be, told by its syntax tree; where that is not plain, nothing. Pure.

Constants are folded through and, or and not; of conditions that hold together, those are compared
which say which texts one attribute is.
"""

from collections.abc import Iterator

from appshield.language.expression_tree import Node, Read, path_of


def is_never_true(node: Node) -> bool:
    """Say whether an expression is false whatever its variables are."""
    never = node.truth is False
    match node.name, node.operands:
        case "_&&_", _:
            together = list(_flattened(node))
            never = any(map(is_never_true, together)) or _contradict(together)
        case "_||_", _:
            never = all(map(is_never_true, node.operands))
        case "!_", (operand,):
            never = is_always_true(operand)
        case ("_==_" | "_!=_") as name, (Node(text=str(one)), Node(text=str(other))):
            never = (one == other) != (name == "_==_")
        case "@in", (_, Node(kind="list", operands=())):
            never = True
    return never


def is_always_true(node: Node) -> bool:
    """Say whether an expression is true whatever its variables are."""
    if node.kind == "constant":
        return node.truth is True
    match node.name, node.operands:
        case "_&&_", _:
            return all(map(is_always_true, node.operands))
        case "_||_", _:
            return any(map(is_always_true, node.operands))
        case "!_", (operand,):
            return is_never_true(operand)
    return False


def _flattened(node: Node) -> Iterator[Node]:
    """Yield all conditions that have to hold together."""
    if node.kind == "call" and node.name == "_&&_":
        for operand in node.operands:
            yield from _flattened(operand)
    else:
        yield node


def _contradict(conditions: list[Node]) -> bool:
    """Say whether no text is left that an attribute could be."""
    possible: dict[Read, frozenset[str]] = {}
    excluded: dict[Read, frozenset[str]] = {}
    for condition in conditions:
        for path, texts, is_one in _said(condition):
            if is_one:
                possible[path] = possible.get(path, texts) & texts
            else:
                excluded[path] = excluded.get(path, frozenset()) | texts
    return any(texts <= excluded.get(path, frozenset()) for path, texts in possible.items())


def _said(condition: Node, *, negated: bool = False) -> Iterator[tuple[Read, frozenset[str], bool]]:
    """Yield which texts an attribute is one of, or none of."""
    if condition.kind != "call" or not condition.operands:
        return
    if condition.name == "!_":
        yield from _said(condition.operands[0], negated=not negated)
    elif condition.name in ("_==_", "_!=_"):
        for one, other in (condition.operands, condition.operands[::-1]):
            if (path := path_of(one)) and other.text is not None:
                yield path, frozenset({other.text}), (condition.name == "_==_") != negated
    elif condition.name == "@in" and condition.operands[1].kind == "list":
        path, texts = (
            path_of(condition.operands[0]),
            [one.text for one in condition.operands[1].operands],
        )
        known = frozenset(text for text in texts if text is not None)
        if path and len(known) == len(set(texts)):
            yield path, known, not negated
