"""What went wrong with single files while the rest went on, and how a caller is told.

A directory that is saved hot changes under the reader, and a version may be damaged in one file:
neither is a reason to lose the others, and neither is ever silent.
"""

import errno
from collections.abc import Sequence
from typing import Literal

import msgspec

ProblemKind = Literal[
    "vanished",  # listed, and gone when it was its turn: left out
    "replaced",  # became something else between two looks: left out
    "shrank",  # ended before the size it had when it was opened: stored with its true size
    "grew",  # became longer: stored up to the size that it had when it was opened
    "changed",  # written to or otherwise changed while it was read: stored as it was read
    "unreadable",  # the system refused to read it: left out
    "mount",  # on another file system: a directory is kept empty, anything else is left out
    "attribute",  # an owner, extended attribute or hard link could not be kept; content is there
    "parent",  # the earlier version cannot be read here: everything below was read again
    "damaged",  # the version's content does not verify: not restored
    "failed",  # the system refused to write it: not restored
    "more",  # further problems were counted, not listed
]

_LINE_CHARACTERS_MAX = 200

LISTED_PROBLEMS = 10_000
"""How many problems are kept: a volume in motion must not be able to fill the memory."""


class FileProblem(msgspec.Struct, frozen=True):
    """What happened to one entry; `path` is relative to the directory that was worked on."""

    path: bytes
    kind: ProblemKind
    detail: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.detail}"


class Problems:
    """Collects problems in order, within bounds."""

    def __init__(self) -> None:
        self._listed: list[FileProblem] = []
        self._unlisted = 0

    def add(self, path: bytes, kind: ProblemKind, detail: str) -> None:
        """Note a problem; beyond `LISTED_PROBLEMS` it is only counted."""
        if len(self._listed) < LISTED_PROBLEMS:
            self._listed.append(FileProblem(path, kind, detail))
        else:
            self._unlisted += 1

    def add_error(self, path: bytes, error: OSError) -> None:
        """Note that an entry could not be read, with the kind that the error number means."""
        self.add(path, *kind_of_error(error))

    def listed(self) -> tuple[FileProblem, ...]:
        """Return what was noted; a last problem of kind `more` says how many are not listed."""
        if not self._unlisted:
            return tuple(self._listed)
        more = FileProblem(b"", "more", f"{self._unlisted} further problems are not listed")
        return (*self._listed, more)


def kind_of_error(error: OSError) -> tuple[ProblemKind, str]:
    """Return what an error means for the entry that could not be read, and how it is told."""
    return _READ_ERRORS.get(error.errno or 0, ("unreadable", error.strerror or "?"))


def told(problems: Sequence[FileProblem], *, most: int = 50) -> tuple[str, ...]:
    """Write problems for a message: a bounded number of bounded lines, and how many there are."""
    lines = [str(problem)[:_LINE_CHARACTERS_MAX] for problem in problems[:most]]
    if len(problems) > most:
        lines.append(f"and {len(problems) - most} more")
    return tuple(lines)


_READ_ERRORS: dict[int, tuple[ProblemKind, str]] = {
    errno.ENOENT: ("vanished", "it was deleted before it was read"),
    errno.ELOOP: ("replaced", "a symbolic link took its place while the directory was read"),
    errno.ENOTDIR: ("replaced", "something else took the directory's place while it was read"),
    errno.ENXIO: ("replaced", "a socket or device took its place while the directory was read"),
    errno.ESTALE: ("replaced", "something else took its place while the directory was read"),
    errno.EXDEV: ("mount", "another file system is mounted here; its content is not part of this"),
}


def shown(path: bytes) -> str:
    """Return a path for people: one line, printable, undecodable bytes as escapes."""
    text = path.decode("utf-8", "backslashreplace") or "."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
