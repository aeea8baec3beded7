"""What was measured, kept line by line, so that a run may be made in several goes.

A run has an id. Samples of different runs never meet in one row.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

from bench.measuring import Measured


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One command of one program in one round of one run."""

    run: str
    scale: float
    round: int
    row: str
    program: str
    measured: Measured
    date: str = ""
    commit: str = ""


class Samples:
    """The samples of one run, in a file; `commit` is what of AppShield is measured."""

    def __init__(self, file: Path, run: str, scale: float, *, commit: str = "") -> None:
        self._file = file
        self._run = run
        self._scale = scale
        self._commit = commit

    def add(self, number: int, row: str, program: str, measured: Measured) -> None:
        """Keep one more."""
        sample = Sample(
            run=self._run, scale=self._scale, round=number, row=row, program=program,
            measured=measured, date=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", commit=self._commit,
        )  # fmt: skip
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(sample) + b"\n")

    def read(self, run: str | None = None) -> list[Sample]:
        """Return those of this run, or of another of the same scale."""
        if not self._file.exists():
            return []
        lines = self._file.read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=Sample) for line in lines]
        return [s for s in found if (s.run, s.scale) == (run or self._run, self._scale)]

    def has(self, number: int, row: str, programs: Iterable[str]) -> bool:
        """Tell whether a row was measured in this round already, with all programs."""
        seen = {s.program for s in self.read() if (s.round, s.row) == (number, row)}
        return seen.issuperset(programs)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What one program took for one row: the least and the middle of all rounds."""

    rounds: int
    wall_s: tuple[float, float]
    cpu_s: tuple[float, float]
    pss_peak_bytes: int
    stored_bytes: int | None
    server_cpu_s: float | None
    measured: str = ""
    """Run, date and commit."""


def summarize(samples: Iterable[Sample]) -> Mapping[str, Mapping[str, Summary]]:
    """Return the summaries by row and program.

    A row that was measured again in the same round counts once, as measured last.
    """
    last: dict[tuple[str, str], dict[int, Sample]] = defaultdict(dict)
    for sample in samples:
        last[sample.row, sample.program][sample.round] = sample
    rows: dict[str, dict[str, Summary]] = defaultdict(dict)
    for (row, program), rounds in last.items():
        rows[row][program] = _summary(list(rounds.values()))
    return rows


def together(
    runs: Sequence[Mapping[str, Mapping[str, Summary]]], *, rounds: int, programs: int
) -> Mapping[str, Mapping[str, Summary]]:
    """Return each row as the first of these runs has it that has measured it whole."""
    rows: dict[str, Mapping[str, Summary]] = {}
    for summaries in runs:
        for row, found in summaries.items():
            if len(found) == programs and all(one.rounds >= rounds for one in found.values()):
                rows.setdefault(row, found)
    return rows


def _summary(samples: list[Sample]) -> Summary:
    measured = [sample.measured for sample in samples]
    walls = [one.wall_s for one in measured]
    cpus = [one.cpu_s for one in measured]
    stored = [one.stored_bytes for one in measured if one.stored_bytes is not None]
    server = [one.server_cpu_s for one in measured if one.server_cpu_s is not None]
    return Summary(
        rounds=len(measured),
        wall_s=(min(walls), median(walls)),
        cpu_s=(min(cpus), median(cpus)),
        pss_peak_bytes=max(one.pss_peak_bytes for one in measured),
        stored_bytes=round(median(stored)) if stored else None,
        server_cpu_s=median(server) if server else None,
        measured=_told(samples),
    )


def _told(samples: Iterable[Sample]) -> str:
    """Return which run measured something, when, and what: several dates or commits if so."""
    columns = zip(*((s.run, s.date, s.commit) for s in samples), strict=True)
    return ", ".join(" and ".join(filter(None, dict.fromkeys(column))) or "?" for column in columns)
