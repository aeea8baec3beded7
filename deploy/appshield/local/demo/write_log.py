"""The log of the writer: what was begun and what was acknowledged, kept outside the cluster.

One JSON document a line. A write is noted before its first byte leaves, and again when its
acknowledgement has come; what came back is what the service says it stored.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from appshield.errors import DamagedError, RefusedError, UnavailableError

Stream = Literal["rows", "files"]
STREAMS: tuple[Stream, ...] = ("rows", "files")


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begin"):
    """A write is about to be sent; `sha256` is of its bytes, `at_s` wall clock in seconds."""

    stream: Stream
    n: int
    sha256: str
    at_s: float


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, tag="ack"):
    """The service has answered that the write is durable; `monotonic_s` is for measuring gaps."""

    stream: Stream
    n: int
    sha256: str
    at_s: float
    monotonic_s: float


Entry = Begun | Acknowledged


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One write with its two moments (wall clock, seconds); not acknowledged when that is None."""

    n: int
    sha256: str
    begun_s: float
    acknowledged_s: float | None = None


class WriteLog:
    """Appends entries to a new file; each is with the operating system when `append` returns.

    Raises RefusedError when the file exists: numbers begin at 1 again in every log.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError as error:
            raise RefusedError(
                f"the log of writes {path} exists already", next_step="Name another file"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, entry: Entry) -> None:
        """Add one line. Raises UnavailableError when the file takes no more."""
        try:
            self._file.write(msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            raise UnavailableError(
                f"the log of writes {self._file.name} cannot be written", why=str(error.strerror)
            ) from error


def read_log(path: Path) -> tuple[Entry, ...]:
    """Return all entries of a log, in order.

    Raises:
        DamagedError: a line is no entry.
    """
    try:
        return tuple(msgspec.json.decode(line, type=Entry) for line in _lines(path))
    except msgspec.DecodeError as error:
        raise DamagedError(f"the log of writes {path} is damaged", why=str(error)) from error


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def writes_of(entries: Iterable[Entry], stream: Stream) -> tuple[Write, ...]:
    """Return the writes of one stream in the order in which they were begun."""
    writes: dict[int, Write] = {}
    for entry in entries:
        if entry.stream != stream:
            continue
        if isinstance(entry, Begun):
            writes[entry.n] = Write(n=entry.n, sha256=entry.sha256, begun_s=entry.at_s)
        else:
            begun = writes[entry.n]
            writes[entry.n] = msgspec.structs.replace(begun, acknowledged_s=entry.at_s)
    return tuple(writes.values())


def longest_gap_s(
    entries: Iterable[Entry], stream: Stream, *, since_s: float, to_s: float
) -> float:
    """Return the longest time without an acknowledgement between two monotonic moments.

    A gap that begins before or ends after the window counts whole; one that has not ended counts
    to the end of the window.
    """
    acks = (entry for entry in entries if isinstance(entry, Acknowledged))
    moments = sorted(entry.monotonic_s for entry in acks if entry.stream == stream)
    before = [moment for moment in moments if moment <= since_s][-1:] or [since_s]
    inside = [moment for moment in moments if since_s < moment < to_s]
    after = [moment for moment in moments if moment >= to_s][:1] or [to_s]
    edges = [*before, *inside, *after]
    return max(later - earlier for earlier, later in pairwise(edges))
