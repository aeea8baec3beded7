"""`appshield ls`, `find` and `dump`: what is in a version, without restoring it."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import Parameter

from appshield.cli.contents import named, read, tell_data_read
from appshield.cli.options import AppName, History, Namespace, Output
from appshield.cli.output import note, say, say_json_line, size_text
from appshield.doors.browsing import listed
from appshield.doors.contents import Opened
from appshield.errors import InvalidInputError, NotFoundError
from appshield.repository.browsing import Entry, dump, find_entries, list_entries
from appshield.repository.files.problems import shown

Number = Annotated[int, Parameter(name="VERSION", help="The number of the version.")]


async def ls(
    app: AppName,
    version: Number,
    path: Annotated[str, Parameter(name="PATH", help="Where in the version; its root.")] = "",
    /,
    *,
    recursive: Annotated[
        bool, Parameter(name=("--recursive", "-r"), negative="", help="And all below.")
    ] = False,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """List what is in a version: volumes/<claim>/..., dumps/<component>, manifests/<kind>/..."""
    of = await named(app, namespace, history, (version,))
    await tell_data_read(of, path, what="names")

    def listing(opened: Opened) -> None:
        entries = list_entries(
            opened.reader, opened.roots[0], os.fsencode(path), recursive=recursive
        )
        say_entries(entries, version, output)

    await read(of, listing)


async def find(
    app: AppName,
    pattern: Annotated[
        str, Parameter(name="PATTERN", help="Like '*.conf', or with a / for the whole path.")
    ],
    /,
    *,
    version: Annotated[int | None, Parameter(help="Only in this version, not in each one.")] = None,
    namespace: Namespace = "",
    history: History = "",
    output: Output = "text",
) -> None:
    """Find files by name in one version or in all, the newest first."""
    of = await named(app, namespace, history, None if version is None else (version,))
    if not of.versions:
        raise NotFoundError(f"application {of.record.app} has no version yet")
    await tell_data_read(of, pattern, what="names")

    def finding(opened: Opened) -> int:
        found = 0
        for one, root in reversed(list(zip(of.versions, opened.roots, strict=True))):
            entries = list(find_entries(opened.reader, root, pattern))
            if entries and output == "text":
                say(f"version {one.facts.number}:")
            say_entries(entries, one.facts.number, output)
            found += len(entries)
        return found

    if not await read(of, finding):
        raise NotFoundError(f"nothing in {of.record.app} is called {pattern}")


async def dump_path(
    app: AppName,
    version: Number,
    path: Annotated[str, Parameter(name="PATH", help="A file, or a folder.")],
    /,
    *,
    file: Annotated[
        Path | None, Parameter(name=("--file", "-o"), help="Write here, not to standard output.")
    ] = None,
    namespace: Namespace = "",
    history: History = "",
) -> None:
    """Write one file of a version to standard output, or a folder as a tar archive.

    It is verified chunk by chunk. A file that is written with -o is whole or not there.
    """
    of = await named(app, namespace, history, (version,))
    await tell_data_read(of, path)
    if file is None and sys.stdout.isatty() and "." not in path.rpartition("/")[2]:
        note("writing to a terminal; -o FILE writes to a file")

    def dumping(opened: Opened) -> None:
        node = opened.reader.find(opened.roots[0], os.fsencode(path))
        with output_into(file) as to:
            dump(opened.reader, node, to)

    await read(of, dumping)


@contextlib.contextmanager
def output_into(file: Path | None) -> Iterator[BinaryIO]:
    """Give standard output, or a new file that appears under its name once it is whole."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with _as_it_is(file) if _is_special(file) else _once_whole(file.resolve()) as opened:
            yield opened
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be written", why=error.strerror or "") from error


def _is_special(file: Path) -> bool:
    """Whether there is a device or a pipe of this name, which nothing may take the place of."""
    return file.exists() and not file.is_file()


def _as_it_is(file: Path) -> BinaryIO:
    return file.open("wb")


@contextlib.contextmanager
def _once_whole(file: Path) -> Iterator[BinaryIO]:
    descriptor, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            yield opened
        Path(made).replace(file)
    finally:
        Path(made).unlink(missing_ok=True)


def say_entries(entries: Iterable[Entry], version: int, output: str) -> None:
    """Write entries one a line; no name in a backup forges a line, or steers the terminal."""
    for entry in entries:
        told = listed(entry, version)
        if output == "json":
            say_json_line(told)
            continue
        target = f" -> {shown(entry.node.linktarget)}" if told.target else ""
        owner = f"{told.uid}:{told.gid}"
        when = told.modified_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        size = size_text(told.size_bytes) if entry.node.kind == "file" else ""
        say(f"{told.mode}  {owner:<11}  {size:>9}  {when}  {shown(entry.path)}{target}")
