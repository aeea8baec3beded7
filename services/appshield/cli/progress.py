"""How a run that is waited for is shown: bars on a terminal, plain lines elsewhere.

Both go to standard error, so that standard output holds the result alone.
"""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from appshield.cli.output import duration_text, note, size_text
from appshield.contracts.runs import FINAL_STATES, Progress, Run, Step

if TYPE_CHECKING:
    from rich.progress import TaskID

_LINE_EVERY_S = 5.0


class Display(Protocol):
    """Shows a run while it is waited for."""

    def __enter__(self) -> "Display":
        """Begin to show."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen in order."""
        ...

    def run_changed(self, run: Run) -> None:
        """Show the run's new state and steps."""
        ...

    def progressed(self, progress: Progress) -> None:
        """Show how far a step has come."""
        ...


def display() -> Display:
    """Choose what suits standard error."""
    return Bars() if sys.stderr.isatty() else Lines()


class Silent:
    """Shows nothing."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def run_changed(self, run: Run) -> None:
        """Show nothing."""

    def progressed(self, progress: Progress) -> None:
        """Show nothing."""


class Lines:
    """One line for each change; for a step that takes long one every few seconds."""

    def __init__(self) -> None:
        self._state = ""
        self._steps: dict[str, tuple[str, int]] = {}
        self._told_at: dict[str, float] = {}

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def run_changed(self, run: Run) -> None:
        """Write what is new, in the order in which it came about."""
        ends = run.state in FINAL_STATES or run.state == "ending"
        changes = (self._state_lines, self._step_lines)
        for lines in reversed(changes) if ends else changes:
            for line in lines(run):
                note(line)

    def _state_lines(self, run: Run) -> list[str]:
        if run.state == self._state:
            return []
        self._state = run.state
        return [headline(run)]

    def _step_lines(self, run: Run) -> list[str]:
        changed = [s for s in run.steps if self._steps.get(s.name) != (s.state, s.attempt)]
        self._steps.update({step.name: (step.state, step.attempt) for step in changed})
        return [f"  {step_text(step)}" for step in changed]

    def progressed(self, progress: Progress) -> None:
        """Write how far a step has come, now and then; one that moves no bytes is only there."""
        if not (progress.bytes_done or progress.bytes_total):
            return
        now = time.monotonic()
        if now - self._told_at.setdefault(progress.step, now) < _LINE_EVERY_S:
            return
        self._told_at[progress.step] = now
        total = f" of {size_text(progress.bytes_total)}" if progress.bytes_total else ""
        note(f"  {progress.step}: {size_text(progress.bytes_done)}{total}")


class Bars:
    """A bar for each step that moves bytes: how many, how fast, and when it will be done."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress

        self._lines = Lines()
        self._bars = RichProgress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def run_changed(self, run: Run) -> None:
        """Add bars for steps that run, take those away that do not."""
        running = {step.name for step in run.steps if step.state == "running"}
        for name in running - self._tasks.keys():
            self._tasks[name] = self._bars.add_task(name, total=None, visible=False)
        for name in self._tasks.keys() - running:
            self._bars.remove_task(self._tasks.pop(name))
        self._lines.run_changed(run)

    def progressed(self, progress: Progress) -> None:
        """Move a step's bar."""
        moves = progress.bytes_done or progress.bytes_total
        if moves and (task := self._tasks.get(progress.step)) is not None:
            self._bars.update(
                task,
                completed=progress.bytes_done,
                total=progress.bytes_total or None,
                visible=True,
            )


def headline(run: Run) -> str:
    """Write a run's state in one line."""
    version = f", version {run.version}" if run.version is not None else ""
    about = f" of {run.app}" if run.kind != "catalog" else f" of Vault {run.vault}"
    if run.state == "ending" and run.kind == "backup" and run.snapshot_id:
        return f"{run.id}: version {run.version} exists; removing what the backup needed"
    if run.state == "awaiting-approval":
        return f"{run.id}: {run.kind}{about}{version} waits for `appshield approve {run.id}`"
    return f"{run.id}: {run.kind}{about} {run.state}{version}"


def step_text(step: Step) -> str:
    """Write a step's state in one line."""
    again = f" (attempt {step.attempt})" if step.attempt > 1 else ""
    where = f" on {step.node}" if step.node else ""
    text = f"{step.name}: {step.state}{where}{again}"
    if step.state != "running":
        text += f" after {duration_text(step.started_at, step.finished_at)}"
    return f"{text}: {step.failure}" if step.failure else text
