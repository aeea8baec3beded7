"""What happened when, and how long it took: said while it happens, and as a table at the end."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.console import Console
from rich.table import Table


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One measured step; `started_s` counts from the beginning of the timeline."""

    name: str
    started_s: float
    duration_s: float


class Timeline:
    """Measures steps and keeps them, with figures about the whole.

    On a terminal a step that runs is shown by a moving line; elsewhere each step is one plain line
    when it ends.
    """

    def __init__(self, console: Console) -> None:
        self.events: list[Event] = []
        self.figures: list[tuple[str, str]] = []
        self._console = console
        self._began_s = time.monotonic()

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure what is done in the context; also when it fails."""
        began_s = time.monotonic()
        shown = self._console.is_terminal
        waiting = self._console.status(name) if shown else contextlib.nullcontext()
        try:
            with waiting:
                yield
        finally:
            duration_s = time.monotonic() - began_s
            started_s = began_s - self._began_s
            self.events.append(Event(name=name, started_s=started_s, duration_s=duration_s))
            self.say(f"{name} ({duration_s:.1f} s)")

    def figure(self, name: str, value: str) -> None:
        """Keep a figure for the end."""
        self.figures.append((name, value))

    def say(self, text: str) -> None:
        """Say one line now, after the seconds since the beginning."""
        elapsed_s = time.monotonic() - self._began_s
        self._plain(f"{elapsed_s:6.1f}  {text}")

    def print(self) -> None:
        """Say all steps with start and duration, and the figures."""
        if self._console.is_terminal:
            self._console.print(self._steps())
            self._console.print(self._table(("what", "value"), self.figures))
            return
        for event in self.events:
            self._plain(f"{event.started_s:8.1f} s {event.duration_s:8.1f} s  {event.name}")
        for name, value in self.figures:
            self._plain(f"{name}: {value}")

    def _steps(self) -> Table:
        rows = [
            (event.name, f"{event.started_s:.1f} s", f"{event.duration_s:.1f} s")
            for event in self.events
        ]
        return self._table(("step", "began after", "took"), rows)

    def _table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
        table = Table()
        for column in columns:
            table.add_column(column)
        for row in rows:
            table.add_row(*row)
        return table

    def _plain(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def bytes_text(size_bytes: int) -> str:
    """Return a size for people: `12.3 MB`, in powers of ten."""
    size, units = float(size_bytes), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"
