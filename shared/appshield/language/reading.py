"""Documents from text: YAML 1.2 or JSON, one or many in a file, all errors at once.

Never raises anything but `DocumentError`, whatever the text; each of its problems is one line
`file:line:column: field: what is wrong; what would be right`, in the order of the text.
"""

import difflib
from typing import Any

import msgspec

from appshield.language.kinds import API_VERSION, GROUP, Resource, document
from appshield.language.object_reading import find_problems, typed
from appshield.language.problems import DocumentError, Finding, Problem, field_name
from appshield.language.shape import shown
from appshield.language.yaml_source import (
    SIZE_MAX_BYTES,
    Position,
    SourceDocument,
    SourceProblem,
    read_source,
)


class Document(msgspec.Struct, frozen=True):
    """One document, and where it and each part of it was written."""

    resource: Resource
    origin: str
    source: SourceDocument

    @property
    def object(self) -> dict[str, Any]:
        """The document as the API server takes it."""
        return document(self.resource)

    @property
    def line(self) -> int:
        """The line in which it begins."""
        return self.source.position(()).line

    def finding(self, problem: Problem) -> Finding:
        """Say where in the file a problem is."""
        return _finding(problem, self.source, self.origin)


class ForeignDocument(msgspec.Struct, frozen=True):
    """A document of another API group, which is not ours to judge."""

    object: dict[str, Any]
    origin: str
    source: SourceDocument

    @property
    def line(self) -> int:
        """The line in which it begins."""
        return self.source.position(()).line

    @property
    def asking_place(self) -> Position:
        """Where it may ask for protection: its annotations, or else its metadata."""
        return self.source.position(("metadata", "annotations"))

    @property
    def finding(self) -> Finding:
        """Say that it cannot be taken where only our documents can."""
        wrong = f"{shown(self.object.get('apiVersion'))} is not AppShield's"
        problem = Problem(("apiVersion",), wrong, f"write {API_VERSION}")
        return _finding(problem, self.source, self.origin)


class Reading(msgspec.Struct, frozen=True):
    """All that a text holds: what is right, what is somebody else's, and what is wrong."""

    documents: tuple[Document, ...] = ()
    foreign: tuple[ForeignDocument, ...] = ()
    errors: tuple[Finding, ...] = ()


def read_documents(text: str | bytes, origin: str) -> list[Document]:
    """Read every document of a text; `origin` names it in messages, as a rule its file.

    Raises:
        DocumentError: something is wrong, or not of this language; nothing is accepted then.
    """
    reading = read_text(text, origin)
    problems = [*reading.errors, *(one.finding for one in reading.foreign)]
    if problems:
        raise DocumentError(map(str, sorted(problems, key=_in_the_text)))
    return list(reading.documents)


def read_text(text: str | bytes, origin: str) -> Reading:
    """Read a text in which documents of other API groups may stand too; raises nothing."""
    decoded = _decoded(text, origin)
    if isinstance(decoded, Finding):
        return Reading(errors=(decoded,))
    sources, problems = read_source(decoded)
    unreadable = {(problem.position, problem.field) for problem in problems}
    errors = [_located(problem, origin) for problem in problems]
    documents, foreign = [], []
    for source in sources:
        if source.data is None:
            continue
        if _holds_ours(source.data):
            wrong, right = (
                "documents inside of a List are not read",
                "write each by itself, with --- between them",
            )
            problem = Problem(("items",), wrong, right, at_key=True)
            errors.append(_finding(problem, source, origin))
            continue
        if _is_foreign(source.data):
            foreign.append(ForeignDocument(source.data, origin, source))
            continue
        # A value that could not even be read is reported once, not as absent too.
        found = [
            finding
            for finding in (_finding(one, source, origin) for one in find_problems(source.data))
            if (Position(finding.line, finding.column), finding.field) not in unreadable
        ]
        errors += found
        if not problems and not found:
            documents.append(Document(typed(source.data), origin, source))
    if not (documents or foreign or errors):
        errors.append(Finding(origin, 1, 1, "document", "is empty", "write a document"))
    ordered = sorted(dict.fromkeys(errors), key=_in_the_text)
    return Reading(tuple(documents), tuple(foreign), tuple(ordered))


def _in_the_text(finding: Finding) -> tuple[int, int]:
    return finding.line, finding.column


def _is_foreign(data: object) -> bool:
    """Say whether a document names a kind of an API group that is clearly not ours."""
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        return False
    version = data.get("apiVersion")
    group = version.rpartition("/")[0] if isinstance(version, str) else GROUP
    return not difflib.get_close_matches(group[:80], [GROUP], n=1, cutoff=0.8)


def _holds_ours(data: object) -> bool:
    """Say whether a document is a list, of the API's own kind, that holds documents of ours."""
    if not isinstance(data, dict) or data.get("kind") != "List":
        return False
    items = data.get("items")
    return any(
        isinstance(one, dict) and str(one.get("apiVersion")).startswith(f"{GROUP}/")
        for one in (items if isinstance(items, list) else ())
    )


def _finding(problem: Problem, source: SourceDocument, origin: str) -> Finding:
    at = source.position(problem.path, at_key=problem.at_key)
    name = field_name(problem.path)
    return Finding(origin, at.line, at.column, name, problem.wrong, problem.right)


def _located(problem: SourceProblem, origin: str) -> Finding:
    at = problem.position
    return Finding(origin, at.line, at.column, problem.field, problem.wrong, problem.right)


def _decoded(text: str | bytes, origin: str) -> str | Finding:
    """Return the text, refusing what is too large or not UTF-8 before anything parses it."""
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > SIZE_MAX_BYTES:
            wrong = f"has more than {SIZE_MAX_BYTES} bytes"
            return Finding(origin, 1, 1, "document", wrong, "split it: that is the most for a file")
        decoded = data.decode("utf-8-sig")
    except UnicodeError:
        return Finding(origin, 1, 1, "document", "is not UTF-8", "save it in the encoding UTF-8")
    # Without this an editor's line breaks of another system would count as no line at all.
    return decoded.replace("\r\n", "\n").replace("\r", "\n")
