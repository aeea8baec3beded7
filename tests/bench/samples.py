"""What was measured, kept line by line, so that a run may be made in several goes.

A run has an id. Samples of different runs never meet in one table.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
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


class Samples:
    """The samples of one run, in a file."""

    def __init__(self, file: Path, run: str, scale: float) -> None:
        self._file = file
        self._run = run
        self._scale = scale

    def add(self, number: int, row: str, program: str, measured: Measured) -> None:
        """Keep one more."""
        sample = Sample(
            run=self._run, scale=self._scale, round=number, row=row, program=program,
            measured=measured,
        )  # fmt: skip
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(sample) + b"\n")

    def read(self) -> list[Sample]:
        """Return those of this run and scale."""
        if not self._file.exists():
            return []
        lines = self._file.read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=Sample) for line in lines]
        return [s for s in found if (s.run, s.scale) == (self._run, self._scale)]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What one program took for one row: the least and the middle of all rounds."""

    rounds: int
    wall_s: tuple[float, float]
    cpu_s: tuple[float, float]
    pss_peak_bytes: int
    stored_bytes: int | None
    server_cpu_s: float | None


def summarize(samples: Iterable[Sample]) -> Mapping[str, Mapping[str, Summary]]:
    """Return the summaries by row and program.

    A row that was measured again in the same round counts once, as measured last.
    """
    last: dict[tuple[str, str], dict[int, Measured]] = defaultdict(dict)
    for sample in samples:
        last[sample.row, sample.program][sample.round] = sample.measured
    rows: dict[str, dict[str, Summary]] = defaultdict(dict)
    for (row, program), rounds in last.items():
        rows[row][program] = _summary(list(rounds.values()))
    return rows


def _summary(measured: list[Measured]) -> Summary:
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
    )
