"""Measure the byte path against restic and kopia: `uv run poe bench`. See README.md beside this."""

import argparse
import asyncio
import datetime as dt
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import structlog

from bench import cluster_rows
from bench.cluster import ClusterBench
from bench.machine import facts
from bench.measuring import become_reaper
from bench.memory import MemoryBench, memory_rows
from bench.memory import markdown as memory_markdown
from bench.programs import all_programs, commit
from bench.rows import selected
from bench.running import Bench, describe, run
from bench.samples import Samples, summarize, together
from bench.table import markdown
from go_programs import cache_folder

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS.md"
MEMORY_RESULTS: Final = HERE / "RESULTS-MEMORY.md"
CLUSTER_RESULTS: Final = HERE / "RESULTS-CLUSTER.md"
ROUNDS_NEEDED: Final = 3
RAM_DISK: Final = Path("/dev/shm")
ROOM_NEEDED_BYTES: Final = 12 * 1024**3

NOTES: Final = """\
The facts above are of the run that wrote this. Each row names the run that measured it, its date
and the commit of AppShield; all of a row is of one run.
All programs take turns at each step, in another order each round. Ratios are of medians. The source
is on the disk and read once before each suite (page cache warm). `cold` rows: the cache folder of
the program was removed before; in all other rows it is as the steps before have left it. AppShield
keeps no cache. CPU: user and system time of all processes (wait4, with a reaper for orphans). PSS:
proportional set size of all processes, sampled each 50 ms, or more rarely where that would take
more than a fiftieth of a processor. Stored: all objects of the repository
after the step. Verification: AppShield and restic decode every blob again after encoding it and
verify every blob on restore; kopia verifies on restore. Each restore was compared with its source.
Before each restore of each program, twice its bytes of free memory were touched and given back: a
virtual machine lends free memory to its host, and whoever comes first waits until it is back.
"""


MEMORY_NOTES: Final = """\
Each row is one command in processes of its own, measured once: two workers, and memory treated as a
service does it. PSS: proportional set size of all its processes together, sampled each 50 ms, or
more rarely where that would take more than a fiftieth of a processor.
`million`: 1,001,002 blobs of 1 KiB, and 10,000 new files; `lone`: 300,000 files in one folder; it
may take 64 MiB more than `nested`, the same in folders of 100; `huge`: 2,000,000 files.
Other programs ran on the machine meanwhile, so the times say little.
"""


def main() -> None:
    """Run what the command line asks for."""
    asked = _parser().parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    of_memory = asked.memory or asked.large
    rows = selected([] if of_memory else asked.only)
    remembered = memory_rows(large=asked.large, only=asked.only)
    if not (remembered if of_memory else rows):
        sys.exit(f"no row has all words of {asked.only}")
    cache = cache_folder() / "bench"
    samples = Samples(cache / "samples.jsonl", asked.run_id, asked.scale, commit=commit())
    work = _work_folder(asked.work, cache)
    programs = [] if asked.cluster or of_memory else all_programs(work / "homes")
    known = facts(programs, work)
    try:
        if asked.cluster:
            end_to_end = ClusterBench(cache / "data", work, samples, asked.scale, _say)
            asyncio.run(end_to_end.run(asked.rounds))
        elif of_memory:
            become_reaper()
            MemoryBench(cache, work, samples, asked.scale, _say).run(remembered)
        else:
            become_reaper()
            bench = Bench(cache / "data", work, programs, samples, asked.scale, _say)
            asyncio.run(run(bench, rows, asked.rounds))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    summaries = summarize(samples.read())
    if asked.cluster:
        whole = asked.scale == 1.0 and cluster_rows.is_whole(summaries, ROUNDS_NEEDED)
        parts = (describe(known), cluster_rows.NOTES, cluster_rows.markdown(summaries))
        _write(asked, CLUSTER_RESULTS if whole else None, "\n".join(parts), cache)
        return
    runs = [summaries, *(summarize(samples.read(run)) for run in asked.with_run)]
    if of_memory:
        table = memory_markdown(memory_rows(large=True), together(runs, rounds=1, programs=1))
        text = "\n".join((describe(known), MEMORY_NOTES, table))
        _write(asked, MEMORY_RESULTS if asked.scale == 1.0 else None, text, cache)
        return
    everything = selected([])
    united = together(runs, rounds=ROUNDS_NEEDED, programs=len(programs))
    whole = asked.scale == 1.0 and all(row.name in united for row in everything)
    table = markdown(everything, united if whole else summaries)
    text = "\n".join([describe(known), NOTES, table])
    _write(asked, RESULTS if whole else None, text, cache)


def _write(asked: argparse.Namespace, whole: Path | None, text: str, cache: Path) -> None:
    """Show a table and keep it: the one of a whole run beside this file, others where asked."""
    _say(text)
    target = whole or asked.output or cache / f"{asked.run_id}.md"
    target.write_text(f"# Measured: run {asked.run_id}, scale {asked.scale:g}\n\n{text}")
    _say(f"written to {target}")


def _parser() -> argparse.ArgumentParser:
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    parser = argparse.ArgumentParser(prog="poe bench", description=__doc__)
    add = parser.add_argument
    add(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="rows whose names hold these words, such as s3-mixed or small-backup; repeatable",
    )
    add("--memory", action="store_true", help="the rows about memory, instead of all others")
    add("--large", action="store_true", help="the rows about memory, with 2,000,000 files")
    add("--cluster", action="store_true", help="end to end on a cluster, instead of all others")
    add("--rounds", type=int, default=ROUNDS_NEEDED)
    add("--scale", type=float, default=1.0, help="part of the data, to try the harness itself")
    add("--run-id", default=now, help="go on with a run that was made in part")
    add(
        "--with-run",
        action="append",
        default=[],
        metavar="RUN",
        help="take rows from this run that the one at hand has not measured whole; repeatable",
    )
    add("--work", type=Path, help="where repositories, caches and restored files are")
    add("--output", type=Path, help="where the table of a run goes that is not whole")
    return parser  # fmt: skip


def _work_folder(asked: Path | None, cache: Path) -> Path:
    """Return an empty folder: in memory where there is room, so that no disk disturbs."""
    if asked is None:
        roomy = RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free > ROOM_NEEDED_BYTES
        asked = RAM_DISK if roomy else cache
    work = asked / f"appshield-bench-{os.getpid()}"
    work.mkdir(parents=True)
    return work


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
