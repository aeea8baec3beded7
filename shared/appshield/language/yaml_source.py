"""YAML text to plain data, with the position of every value and a limit on everything.

Reads the events of ruamel's parser and builds dicts, lists and scalars itself: YAML 1.2's core
schema (`on`, `no` and `0777` are texts or decimal numbers, not booleans and octals), keys are texts
as in JSON, a duplicate key is a problem, an alias counts as all that it stands for. So depth, size
and anchor bombs are refused while they are read, before anything large exists.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from appshield.language.problems import Path, field_name

SIZE_MAX_BYTES = 1 << 20
DEPTH_MAX = 64
VALUES_MAX = 20_000
PROBLEMS_MAX = 100

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?")
_UNBOUNDED = re.compile(r"[-+]?[0-9][0-9.]*([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_CORE_TAG = "tag:yaml.org,2002:"


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in a text; both count from 1."""

    line: int
    column: int


class SourceDocument(msgspec.Struct):
    """One document of a text: its plain data, and where each part of it stands."""

    start: Position
    data: Any = None
    values: dict[Path, Position] = msgspec.field(default_factory=dict)
    keys: dict[Path, Position] = msgspec.field(default_factory=dict)

    def position(self, path: Path, *, at_key: bool = False) -> Position:
        """Return where the value (or its key) stands, or else the nearest part around it."""
        if at_key and path in self.keys:
            return self.keys[path]
        while path:
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return self.values.get((), self.start)


class SourceProblem(msgspec.Struct, frozen=True):
    """Something that is wrong with the text itself."""

    position: Position
    field: str
    wrong: str
    right: str


class _StopReadingError(Exception):
    """The text cannot be read on from here; the problem says why."""

    def __init__(self, problem: SourceProblem) -> None:
        super().__init__(problem.wrong)
        self.problem = problem


class _Node(msgspec.Struct, frozen=True):
    """A value, how many values it is made of, and how deep they go."""

    data: Any
    count: int = 1
    height: int = 1


def read_source(text: str) -> tuple[list[SourceDocument], list[SourceProblem]]:
    """Return every document that could be read, and all that is wrong with the text."""
    builder = _Builder(YAML(typ="safe", pure=True).parse(text))
    try:
        builder.read()
    except _StopReadingError as stop:
        builder.problems.append(stop.problem)
    except YAMLError as error:
        builder.problems.append(_syntax_problem(error, text))
    except (ValueError, LookupError, AttributeError, TypeError, AssertionError) as error:
        # ruamel's scanner trips over a few malformed directives and escapes in other ways.
        wrong = f"is not YAML (the parser stopped with {type(error).__name__})"
        builder.problems.append(SourceProblem(Position(1, 1), "document", wrong, "correct it"))
    return builder.documents, builder.problems


class _Builder:
    """Builds documents from events; stops at the first thing that makes the rest unreadable."""

    def __init__(self, events: Iterator[Event]) -> None:
        self.documents: list[SourceDocument] = []
        self.problems: list[SourceProblem] = []
        self._events = events
        self._anchors: dict[str, _Node] = {}
        self._count = 0
        self._document = SourceDocument(Position(1, 1))

    def read(self) -> None:
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                self._document = SourceDocument(_position(event))
                self._document.data = self._node(next(self._events), ()).data
                self.documents.append(self._document)

    def _node(self, event: Event, path: Path) -> _Node:
        self._document.values[path] = _position(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, path)
        self._require_room(event, path, added=1)
        if isinstance(event, MappingStartEvent):
            node = self._mapping(event, path)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(event, path)
        else:
            assert isinstance(event, ScalarEvent)
            node = _Node(self._scalar(event, path))
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _require_room(self, event: Event, path: Path, *, added: int, height: int = 1) -> None:
        self._count += added
        if len(path) + height > DEPTH_MAX:
            self._stop(event, path[:3], "is nested too deep", f"use at most {DEPTH_MAX} levels")
        if self._count > VALUES_MAX:
            self._stop(event, path, "is one value too many", f"use at most {VALUES_MAX} a file")
        if len(self.problems) >= PROBLEMS_MAX:
            self._stop(event, path, "is as far as this was read", "correct the other problems")

    def _alias(self, event: AliasEvent, path: Path) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._report(event, path, f"no value before this is named &{event.anchor}", "name one")
            return _Node(None)
        self._require_room(event, path, added=node.count, height=node.height)
        return node

    def _sequence(self, event: SequenceStartEvent, path: Path) -> _Node:
        self._check_tag(event, path, "seq")
        items: list[Any] = []
        count, height = 1, 0
        while not isinstance(inner := next(self._events), SequenceEndEvent):
            node = self._node(inner, (*path, len(items)))
            items.append(node.data)
            count, height = count + node.count, max(height, node.height)
        return _Node(items, count, height + 1)

    def _mapping(self, event: MappingStartEvent, path: Path) -> _Node:
        self._check_tag(event, path, "map")
        fields: dict[str, Any] = {}
        count, height = 1, 0
        while not isinstance(key_event := next(self._events), MappingEndEvent):
            key = self._key(key_event, path)
            inner = (*path, key)
            if key in fields:
                first = self._document.keys[inner]
                wrong = f"is written twice, first in line {first.line}"
                self._report(key_event, inner, wrong, "keep one of them")
            else:
                self._document.keys[inner] = _position(key_event)
            node = self._node(next(self._events), inner)
            fields.setdefault(key, node.data)
            count, height = count + node.count, max(height, node.height)
        return _Node(fields, count, height + 1)

    def _key(self, event: Event, path: Path) -> str:
        if not isinstance(event, ScalarEvent):
            self._stop(event, path, "has a key that is not a text", "write a name before the colon")
        return _joined(str(event.value))

    def _scalar(self, event: ScalarEvent, path: Path) -> object:
        text = _joined(str(event.value))
        if event.tag is not None:
            self._check_tag(event, path, "str")
            return text
        if event.style not in {None, ""}:
            return text
        try:
            return _core_value(text)
        except OverflowError:
            self._report(event, path, "this number has no exact value", "put it in quotes")
            return None

    def _check_tag(self, event: Event, path: Path, name: str) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) not in {"!", _CORE_TAG + name}:
            self._report(event, path, f"the tag {str(tag)[:40]} is not known here", "remove it")

    def _report(self, event: Event, path: Path, wrong: str, right: str) -> None:
        self.problems.append(SourceProblem(_position(event), field_name(path), wrong, right))

    def _stop(self, event: Event, path: Path, wrong: str, right: str) -> NoReturn:
        raise _StopReadingError(SourceProblem(_position(event), field_name(path), wrong, right))


def _joined(text: str) -> str:
    """Put one character in place of each pair of escapes that JSON writes for it."""
    if text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _position(event: Event) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _core_value(text: str) -> object:
    """Return what a plain scalar means in YAML 1.2's core schema.

    Raises:
        OverflowError: a number that JSON cannot carry.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    if _UNBOUNDED.fullmatch(text):
        raise OverflowError
    return text


def _syntax_problem(error: YAMLError, text: str) -> SourceProblem:
    right = "correct the YAML (indent with spaces, quote texts that hold : or #)"
    if isinstance(error, ReaderError):
        before = text[: error.position]
        position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return SourceProblem(position, "document", "holds a character that YAML forbids", right)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    said = getattr(error, "problem", None) or getattr(error, "context", None) or "is not YAML"
    return SourceProblem(position, "document", str(said).splitlines()[0][:200], right)
