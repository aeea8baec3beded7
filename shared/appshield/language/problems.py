"""What is wrong with a document, in the form that people read.

A problem knows the path of its field; whoever knows the source adds where that stands.
"""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from appshield.errors import InvalidInputError

PROBLEMS_SHOWN_MAX = 100

Path: TypeAlias = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong, and what would be right."""

    path: Path
    wrong: str
    right: str
    at_key: bool = False
    """Whether the field's name is wrong, and not its value."""

    def __str__(self) -> str:
        return f"{field_name(self.path)}: {self.wrong}; {self.right}"


class Finding(msgspec.Struct, frozen=True):
    """A problem at its place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    field: str
    wrong: str
    right: str

    def __str__(self) -> str:
        return f"{self.place}: {self.said}"

    @property
    def place(self) -> str:
        """Where it is, as editors understand it."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def said(self) -> str:
        """The field, what is wrong with it, and what would be right."""
        return f"{self.field}: {self.wrong}; {self.right}"


class DocumentError(InvalidInputError):
    """Documents cannot be accepted; `problems` holds a line for each thing that is wrong."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        shown = self.problems[:PROBLEMS_SHOWN_MAX]
        left_out = len(self.problems) - len(shown)
        more = (f"and {left_out} more problems",) if left_out else ()
        super().__init__("\n".join((*shown, *more)))


def field_name(path: Path) -> str:
    """Return `spec.protect[0].on` for its path, and `document` for the whole."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{step[:60]!r}]"
    return text or "document"
