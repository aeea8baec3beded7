"""The objects of a rendered manifest, read within bounds. Pure.

Whoever may write a Secret may write a manifest, and a parser that follows nesting, aliases and
merges wherever they lead can be made to use up the stack or the memory. So this one reads events
and counts. Scalars stay texts; `<<` adds what is not there.
"""

from collections.abc import Iterator

import yaml

from appshield.language.adapters.adapter import Object

DEPTH_MAX = 100
"""Deeper than any schema of a kind goes."""
VALUES_MAX = 500_000
"""Some ten times what the largest charts render."""
_MERGE = "<<"


def rendered_objects(text: str) -> Iterator[Object]:
    """Yield each object of a text of YAML documents; those of a list one by one.

    Raises:
        ValueError: it is no YAML, or deeper or larger than any real one.
    """
    builder = _Builder(text)
    try:
        for document in builder.documents():
            yield from _objects(document)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _objects(document: object) -> Iterator[Object]:
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        return
    items = document.get("items")
    if document["kind"].endswith("List") and isinstance(items, list):
        for item in items:
            yield from _objects(item)
    elif isinstance(document.get("metadata"), dict):
        yield document


class _Builder:
    """Builds plain data from the events of libyaml, whose own depth does not grow with the text's.

    An alias counts as all that it stands for.
    """

    def __init__(self, text: str) -> None:
        self._events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self._anchors: dict[str, tuple[object, int]] = {}
        self._count = 0

    def documents(self) -> Iterator[object]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                yield self._value(next(self._events), 0)

    def _value(self, event: yaml.Event, depth: int) -> object:
        assert isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "")
        before = self._count
        self._require_room(1)
        if depth > DEPTH_MAX:
            raise ValueError(f"it is nested deeper than {DEPTH_MAX} levels")
        value: object
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            value = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _alias(self, name: str) -> object:
        if name not in self._anchors:
            raise ValueError(f"nothing before *{name[:40]} has that name")
        value, size = self._anchors[name]
        self._require_room(size)
        return value

    def _sequence(self, depth: int) -> list[object]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, object]:
        fields: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            value = self._value(next(self._events), depth + 1)
            if key == _MERGE:
                for one in value if isinstance(value, list) else [value]:
                    for name, merged in one.items() if isinstance(one, dict) else ():
                        fields.setdefault(name, merged)
            elif isinstance(key, str):
                fields[key] = value
        return fields

    def _require_room(self, added: int) -> None:
        self._count += added
        if self._count > VALUES_MAX:
            raise ValueError(f"it holds more than {VALUES_MAX} values")
