"""`appshield validate`: documents of the language, checked before anything else sees them."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from appshield.cli.output import say
from appshield.errors import InvalidInputError
from appshield.language.problems import DocumentError
from appshield.language.reading import Document, read_documents

STANDARD_INPUT = "/dev/stdin"
"""What a lone `-` means on the command line."""

Files = Annotated[
    list[str],
    Parameter(
        name=("--file", "-f"),
        help="YAML or JSON; - is standard input.",
        consume_multiple=True,
        negative="",
    ),
]
"""Given with `-f`, as to kubectl, or without."""


def validate(file: Files) -> None:
    """Check documents: every error at once, each with file, line and what would be right."""
    documents = read_files(file)
    for document in documents:
        say(f"{document.origin}:{document.line}: {name_of(document.object)} is valid")


def read_files(files: list[str]) -> list[Document]:
    """Read the documents of all files.

    Raises:
        DocumentError: lists what is wrong in any of them.
        InvalidInputError: a file cannot be read.
    """
    documents: list[Document] = []
    problems: list[str] = []
    for file in files:
        try:
            documents += read_documents(*_content(file))
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(problems)
    return documents


def _content(file: str) -> tuple[bytes, str]:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read(), "standard input"
    try:
        return Path(file).read_bytes(), file
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read", why=error.strerror or "") from error


def name_of(obj: dict[str, Any]) -> str:
    """Write an object as `Kind namespace/name`."""
    meta = obj["metadata"]
    place = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{obj['kind']} {place}{meta['name']}"
