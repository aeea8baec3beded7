"""Documents from text: YAML 1.2 or JSON, one or many in a file, all errors at once.

Never raises anything but `DocumentError`, whatever the text; each of its problems is one line
`file:line:column: field: what is wrong; what would be right`, in the order of the text.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from appshield.language.kinds import Resource, document
from appshield.language.object_reading import find_problems, typed
from appshield.language.problems import DocumentError, field_name
from appshield.language.yaml_source import (
    SIZE_MAX_BYTES,
    Position,
    SourceDocument,
    SourceProblem,
    read_source,
)


class Document(msgspec.Struct, frozen=True):
    """One document, and where it was written."""

    resource: Resource
    origin: str
    line: int

    @property
    def object(self) -> dict[str, Any]:
        """The document as the API server takes it."""
        return document(self.resource)


def read_documents(text: str | bytes, origin: str) -> list[Document]:
    """Read every document of a text; `origin` names it in messages, as a rule its file.

    Raises:
        DocumentError: something is wrong; nothing of the text is accepted then.
    """
    sources, problems = read_source(_decoded(text, origin))
    written = [source for source in sources if source.data is not None]
    unreadable = {(problem.position, problem.field) for problem in problems}
    for source in written:
        # A value that could not even be read is reported once, not as absent too.
        problems.extend(
            one for one in _problems(source) if (one.position, one.field) not in unreadable
        )
    if not written and not problems:
        start = Position(1, 1)
        problems.append(SourceProblem(start, "document", "is empty", "write a document"))
    if problems:
        lines = dict.fromkeys(
            _line(problem, origin) for problem in sorted(problems, key=lambda one: one.position)
        )
        raise DocumentError(lines)
    return [
        Document(resource=typed(source.data), origin=origin, line=source.position(()).line)
        for source in written
    ]


def _problems(source: SourceDocument) -> Iterator[SourceProblem]:
    for problem in find_problems(source.data):
        position = source.position(problem.path, at_key=problem.at_key)
        yield SourceProblem(position, field_name(problem.path), problem.wrong, problem.right)


def _line(problem: SourceProblem, origin: str) -> str:
    at = problem.position
    return f"{origin}:{at.line}:{at.column}: {problem.field}: {problem.wrong}; {problem.right}"


def _decoded(text: str | bytes, origin: str) -> str:
    """Return the text, refusing what is too large or not UTF-8 before anything parses it."""
    try:
        data = text.encode() if isinstance(text, str) else text
        if len(data) > SIZE_MAX_BYTES:
            wrong = f"has {len(data)} bytes"
            raise DocumentError(
                [f"{origin}:1:1: document: {wrong}; split it, {SIZE_MAX_BYTES} is the most"]
            )
        decoded = data.decode("utf-8-sig")
    except UnicodeError as error:
        raise DocumentError(
            [f"{origin}:1:1: document: is not UTF-8; save it in the encoding UTF-8"]
        ) from error
    # Without this an editor's line breaks of another system would count as no line at all.
    return decoded.replace("\r\n", "\n").replace("\r", "\n")
