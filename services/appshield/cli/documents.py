"""Documents of the language from files, folders and standard input."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from cyclopts import Parameter

from appshield.errors import InvalidInputError
from appshield.language.kinds import GROUP
from appshield.language.problems import DocumentError
from appshield.language.reading import Document, Reading, read_text
from appshield.language.yaml_source import SIZE_MAX_BYTES

STANDARD_INPUT = "/dev/stdin"
"""What a lone `-` means on the command line."""

Files = Annotated[
    list[str],
    Parameter(
        name=("--file", "-f"),
        help="YAML or JSON, or a folder of them; - is standard input.",
        consume_multiple=True,
        negative="",
    ),
]
"""Given with `-f`, as to kubectl, or without."""

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def read_files(files: list[str]) -> list[Document]:
    """Read the documents of all files.

    Raises:
        DocumentError: lists what is wrong in any of them, other tools' documents included.
        InvalidInputError: a file cannot be read.
    """
    readings = [reading for _, reading in read_each(files)]
    foreign = [one.finding for reading in readings for one in reading.foreign]
    errors = [error for reading in readings for error in reading.errors]
    if errors or foreign:
        raise DocumentError(map(str, [*errors, *foreign]))
    return [document for reading in readings for document in reading.documents]


def read_each(files: Iterable[str]) -> Iterator[tuple[str, Reading]]:
    """Read one file after the other, and of a folder those that speak of AppShield.

    Raises:
        InvalidInputError: a file cannot be read.
    """
    for given in files:
        if given == STANDARD_INPUT:
            yield "standard input", read_text(_bounded(sys.stdin.buffer), "standard input")
        elif Path(given).is_dir():
            for file in _files_below(Path(given)):
                content = _content(file)
                if GROUP.encode() in content:
                    yield str(file), read_text(content, str(file))
        else:
            yield given, read_text(_content(Path(given)), given)


def _files_below(folder: Path) -> list[Path]:
    """List the files of a folder that may hold documents; hidden ones are left alone."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix in _SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return _bounded(opened)
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read", why=error.strerror or "") from error


def _bounded(opened: BinaryIO) -> bytes:
    """Read no more than shows that it is too much, however long the file is."""
    return opened.read(SIZE_MAX_BYTES + 1)


def name_of(obj: dict[str, Any]) -> str:
    """Write an object as `Kind namespace/name`."""
    meta = obj["metadata"]
    place = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{obj['kind']} {place}{meta['name']}"
