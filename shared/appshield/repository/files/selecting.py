"""Choosing what to restore: paths and patterns below the directory that a version holds.

data/base        this entry and, if it is a directory, all that is below it
*.conf           `*` and `?` and `[…]` stand for parts of one name, as in a shell
**/*.conf        `**` stands for any number of directories, also none
"""

import os
import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final

from appshield.errors import InvalidInputError

_ANY_DEPTH: Final = b"**"


class Selection:
    """What is wanted of a directory; paths are bytes, relative, without `.` and `..`.

    With `above` the patterns begin further up: paths are below that directory of theirs.
    """

    def __init__(self, patterns: Iterable[str | bytes], *, above: bytes = b"") -> None:
        self._given = tuple(patterns)
        self._patterns = tuple(_Pattern(os.fsencode(pattern)) for pattern in self._given)
        self._above = above.split(b"/") if above else []

    def wants(self, path: bytes) -> bool:
        """Whether an entry was chosen; all that is below it is then chosen, too."""
        names = self._above + path.split(b"/")
        return any(pattern.matches(names) for pattern in self._patterns)

    def covers(self, path: bytes) -> bool:
        """Whether an entry was chosen, itself or with a directory above it."""
        names = self._above + path.split(b"/")
        heads = [names[:depth] for depth in range(1, len(names) + 1)]
        return any(pattern.matches(head) for pattern in self._patterns for head in heads)

    def may_hold(self, path: bytes) -> bool:
        """Whether something below a directory can have been chosen."""
        names = self._above + path.split(b"/")
        return any(pattern.can_begin_with(names) for pattern in self._patterns)

    def below(self, directory: bytes) -> "Selection":
        """Return the same choice, for paths that begin in a directory of these."""
        return Selection(self._given, above=b"/".join((*self._above, directory)))


class _Pattern:
    def __init__(self, pattern: bytes) -> None:
        parts = pattern.strip(b"/").split(b"/")
        if any(part in {b"", b".", b".."} for part in parts):
            raise InvalidInputError(
                f"{pattern!r} does not say what to restore",
                why="a path is relative to what was saved, without empty, '.' or '..' parts",
            )
        self._parts = tuple(None if part == _ANY_DEPTH else _matcher(part) for part in parts)

    def matches(self, names: list[bytes]) -> bool:
        return len(self._parts) in self._reached(names)

    def can_begin_with(self, names: list[bytes]) -> bool:
        return any(position < len(self._parts) for position in self._reached(names))

    def _reached(self, names: list[bytes]) -> set[int]:
        """Return up to which parts of the pattern these names can have come."""
        positions = self._skipped({0})
        for name in names:
            following: set[int] = set()
            for position in positions:
                if position == len(self._parts):
                    continue
                part = self._parts[position]
                if part is None:
                    following |= {position, position + 1}
                elif part.match(name):
                    following.add(position + 1)
            positions = self._skipped(following)
        return positions

    def _skipped(self, positions: set[int]) -> set[int]:
        """Add what is reached when `**` stands for nothing; at the end it stands for something."""
        found = set(positions)
        for position in positions:
            following = position
            while following < len(self._parts) - 1 and self._parts[following] is None:
                following += 1
                found.add(following)
        return found


def _matcher(part: bytes) -> "re.Pattern[bytes]":
    """Return what matches one name, byte by byte."""
    return re.compile(translate(part.decode("latin-1")).encode("latin-1"), re.DOTALL)
