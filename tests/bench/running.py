"""Running rows: each round opens fresh targets, and the three programs take turns at each step.

The source is read whole before a suite and after each change of it: its pages are warm. Free memory
is touched before each restore, which fills much of it. What was restored is compared with the
source, byte by byte, after the clock has stopped.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.data_sets import DATA_SETS, DataSet, changed, digest, ensure_made
from bench.machine import touch_free_memory
from bench.measuring import Measured, measure
from bench.programs import Command, Program
from bench.rows import SUITES, Row, Step, Suite, steps_to_run
from bench.samples import Samples
from bench.targets import Target, opened

_COLD: Final[frozenset[Step]] = frozenset({"unchanged-cold", "restore-cold"})
_RESTORE: Final[frozenset[Step]] = frozenset({"restore", "restore-cold"})
_ON_ORIGINAL: Final[frozenset[Step]] = frozenset({"first"})


class WrongRestoreError(Exception):
    """A program brought back something else than it was given."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where things are, and who is told."""

    data: Path
    work: Path
    programs: Sequence[Program]
    samples: Samples
    scale: float
    report: Callable[[str], None]


async def run(bench: Bench, rows: Sequence[Row], rounds: int) -> None:
    """Measure rows, every one of them once in each round; not again what the run has already."""
    names = [program.name for program in bench.programs]
    sources: dict[str, Path] = {}
    for number in range(rounds):
        left = [row for row in rows if not bench.samples.has(number, row.name, names)]
        for suite in SUITES:
            if not steps_to_run(suite, left):
                continue
            data_set = DATA_SETS[suite.data_set].scaled(bench.scale)
            if suite.data_set not in sources:
                made = await asyncio.to_thread(ensure_made, bench.data, data_set)
                sources[suite.data_set] = made
            await _run_suite(bench, suite, left, number, sources[suite.data_set])


async def _run_suite(
    bench: Bench, suite: Suite, rows: Sequence[Row], number: int, source: Path
) -> None:
    data_set = DATA_SETS[suite.data_set].scaled(bench.scale)
    turn = number % len(bench.programs)
    programs = [*bench.programs[turn:], *bench.programs[:turn]]
    for group in [[one] for one in programs] if suite.alone else [programs]:
        async with _target(bench, suite) as target:
            repeated = _Round(bench, target, group, source, data_set, number)
            await asyncio.to_thread(repeated.run, suite, rows)


@asynccontextmanager
async def _target(bench: Bench, suite: Suite) -> AsyncIterator[Target]:
    """Give an empty target, and remove what the programs leave elsewhere, too."""
    try:
        async with opened(suite.target, bench.work) as target:
            yield target
    finally:
        for leftover in ("homes", "restored"):
            await asyncio.to_thread(shutil.rmtree, bench.work / leftover, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Round:
    """One suite in one round, with the programs that share the target."""

    bench: Bench
    target: Target
    programs: Sequence[Program]
    source: Path
    data_set: DataSet
    number: int

    def run(self, suite: Suite, rows: Sequence[Row]) -> None:
        """Take all steps that are needed; keep what was asked for."""
        for program in self.programs:
            program.prepare(self.target, program.name)
        wanted = {row.step: row for row in suite.rows() if row in rows}
        steps = steps_to_run(suite, rows)
        with ExitStack() as changes:
            expected = digest(self.source)  # reads all of it: its pages are warm
            for step in steps:
                if step == "changed":
                    changes.enter_context(changed(self.source, self.data_set))
                    expected = digest(self.source)
                for program in self.programs:
                    measured = self._step(step, program, expected)
                    if row := wanted.get(step):
                        self._keep(row, program, measured)

    def _step(self, step: Step, program: Program, expected: str) -> Measured:
        if step in _COLD:
            program.forget(program.name)
        if step in _RESTORE:
            return self._restore(program, expected)
        measured = self._measure(program.backup(self.target, program.name, self.source))
        return msgspec.structs.replace(
            measured, stored_bytes=self.target.stored_bytes(program.name)
        )

    def _restore(self, program: Program, expected: str) -> Measured:
        into = self.bench.work / "restored"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        touch_free_memory(2 * self.data_set.size_bytes)
        command = program.restore(self.target, program.name, self.source, into)
        measured = self._measure(command)
        if digest(into) != expected:
            raise WrongRestoreError(f"{program.name} restored {self.data_set.name} wrong")
        shutil.rmtree(into)
        return measured

    def _measure(self, command: Command) -> Measured:
        words, environment = command
        before_s = self.target.server_cpu_s()
        output = self.bench.work / "output.log"
        measured = measure(words, environment=environment, output=output)
        after_s = self.target.server_cpu_s()
        if before_s is None or after_s is None:
            return measured
        return msgspec.structs.replace(measured, server_cpu_s=after_s - before_s)

    def _keep(self, row: Row, program: Program, measured: Measured) -> None:
        self.bench.samples.add(self.number, row.name, program.name, measured)
        self.bench.report(
            f"round {self.number + 1}  {row.name:26} {program.name:10}"
            f"{measured.wall_s:8.2f} s wall {measured.cpu_s:8.2f} s CPU "
            f"{measured.pss_peak_bytes / 1024**2:6.0f} MiB"
        )


def describe(facts: Mapping[str, str]) -> str:
    """Write facts as a list."""
    return "".join(f"- {name}: {value}\n" for name, value in facts.items())
