"""The rows of the table: what is measured, and how fast it has to be. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from bench.targets import TargetName

Step = Literal["first", "changed", "unchanged", "unchanged-cold", "restore", "restore-cold"]
"""In the order in which they follow each other on one repository. `cold`: without a cache."""

GOAL: Final = 0.5
CPU_REQUIRED: Final = 0.9
KOPIA_REQUIRED: Final = 1.0

_ALL: Final[tuple[Step, ...]] = (
    "first", "changed", "unchanged", "unchanged-cold", "restore", "restore-cold",
)  # fmt: skip
_WALL_REQUIRED: Final = {
    "s3-mixed-first": 0.60,
    "s3-small-first": 0.70,
    "s3-single-first": 0.60,
    "s3-mixed-changed": 0.70,
    "s3-small-changed": 0.70,
    "s3-mixed-unchanged": 0.60,
    "s3-small-unchanged": 0.60,
    "s3-mixed-restore": 0.70,
    "s3-small-restore": 0.55,
    "s3-single-restore": 0.60,
    "folder-mixed-first": 0.55,
}


class Row(msgspec.Struct, frozen=True):
    """One operation on one data set in one kind of target."""

    target: TargetName
    data_set: str
    step: Step

    @property
    def name(self) -> str:
        """What the row is called on the command line and in the table."""
        return f"{self.target}-{self.data_set}-{self.step}"

    @property
    def wall_required(self) -> float | None:
        """The largest allowed ratio of wall times to restic; None where only the goal is set."""
        return _WALL_REQUIRED.get(self.name)

    @property
    def kopia_required(self) -> float | None:
        """The largest allowed ratio of wall times to kopia; None where it is only reported."""
        return KOPIA_REQUIRED if self.step in {"first", "restore"} else None


class Suite(msgspec.Struct, frozen=True):
    """Rows that share a repository of each program.

    With `alone` a program's repository is gone before the next program's is made: three of a large
    data set would not leave room for the page cache.
    """

    target: TargetName
    data_set: str
    steps: tuple[Step, ...] = _ALL
    alone: bool = False

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order in which they are measured."""
        return (Row(self.target, self.data_set, step) for step in self.steps)


SUITES: Final[Sequence[Suite]] = tuple(
    suite
    for target in ("s3", "folder")
    for suite in (
        Suite(target, "mixed"),
        Suite(target, "small"),
        Suite(target, "single", ("first", "restore"), alone=True),
    )
)


def selected(patterns: Sequence[str]) -> list[Row]:
    """Return the rows whose names hold all words of one of the patterns; all without a pattern.

    Words are separated by `-`; `backup` means `first`. So `small-backup` selects the first backup
    of the small files in every kind of target.
    """
    rows = [row for suite in SUITES for row in suite.rows()]
    if not patterns:
        return rows
    wanted = [{"first" if w == "backup" else w for w in p.split("-")} for p in patterns]
    return [row for row in rows if any(words <= set(row.name.split("-")) for words in wanted)]


def steps_to_run(suite: Suite, rows: Sequence[Row]) -> list[Step]:
    """Return the steps of a suite that some rows need: those themselves, and what comes before.

    A first backup comes before everything; nothing else is needed by a later step.
    """
    wanted = {row.step for row in rows if row in set(suite.rows())}
    return [step for step in suite.steps if step in wanted or (wanted and step == "first")]
