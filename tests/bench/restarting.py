"""Measure how soon a planner is ready after a restart: `python -m bench.restarting`.

On a real message bus with 10,000 applications, 200,000 versions, an ended run of each application
and some that are under way. Ready is when a backup that was asked for before the planner started
is admitted. The section (b) of `RESULTS-PLANNER.md` is written; fewer applications, for a look, are
asked for with `--applications` and written nowhere.
"""

import argparse
import asyncio
import datetime as dt
import os
import platform
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from appshield.bus import Bus, connect_bus
from appshield.contracts.applications import (
    ApplicationRecord,
    Keep,
    OwnProtection,
    Protection,
)
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.permissions import USERS
from appshield.contracts.requests import RequestBackup
from appshield.contracts.runs import Run, Step, Trigger
from appshield.contracts.sources import StoredSource
from appshield.contracts.streams import APPLICATIONS, CATALOG, RUNS
from appshield.local.embedded.message_bus import EmbeddedBus
from bench.sections import with_section
from bench.services import memory_mib, serving
from bench.watching import RESULTS
from embedded_bus import TESTER
from waiting import wait_until

TITLE: Final = "(b) A planner's restart"
READY_LIMIT_S: Final = 10
MEMORY_LIMIT_MIB: Final = 300
APPLICATIONS_WANTED: Final = 10_000
VERSIONS_EACH: Final = 20
UNDER_WAY: Final = 100
AT_ONCE: Final = 500
READY_DEADLINE_S: Final = 120
CLUSTER: Final = "bench"
NOW: Final = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
NIGHTLY: Final = Protection(
    name="nightly", trigger="schedule", schedule="0 2 * * *", keep=Keep(last=7, daily=14)
)
STEPS: Final = ("open", "take", "store/manifests", "store/volumes/data", "commit", "release")


def app_of(number: int) -> AppRef:
    """Name the place of an application."""
    return AppRef(cluster=CLUSTER, namespace=f"team-{number % 500}", name=f"shop-{number}")


def record(number: int) -> ApplicationRecord:
    """Make the record of an application; a few have a run under way."""
    return ApplicationRecord(
        app_id=f"a-{number:020}",
        app=app_of(number),
        uid=f"uid-{number}",
        vault="primary",
        state="active",
        revision="r1",
        application_type="database/postgresql",
        criticality="gold",
        protections=(replace(NIGHTLY, targets=("primary",)),),
        targets=("primary",),
        own=OwnProtection(protections=(NIGHTLY,), targets=("primary",)),
        highest_version=VERSIONS_EACH,
        last_version=VERSIONS_EACH,
        last_backup_at=NOW,
        active_run=run_id("backup", f"under-way/{number}") if 0 < number <= UNDER_WAY else "",
    )


def versions(number: int) -> Iterable[VersionRecord]:
    """Make the versions of an application."""
    for version in range(1, VERSIONS_EACH + 1):
        sources = tuple(
            StoredSource(name=name, kind="any", tree="0" * 64, bytes_read=1, bytes_stored=1)
            for name in ("manifests", "volumes/data")
        )
        facts = VersionFacts(
            app=app_of(number),
            app_id=f"a-{number:020}",
            uid=f"uid-{number}",
            number=version,
            run=f"b-{version}",
            revision="r1",
            consistency="crash-group",
            cut_at=NOW - dt.timedelta(days=VERSIONS_EACH - version),
            trigger="schedule",
            trigger_name="nightly",
            sources=sources,
        )
        yield VersionRecord(facts=facts, snapshot_id="0" * 64, vault="primary", stored_at=NOW)


def run_of(number: int, *, under_way: bool) -> Run:
    """Make a run of an application: the last one, or one that is not over."""
    identity = f"{'under-way' if under_way else 'ended'}/{number}"
    names = STEPS[:3] if under_way else STEPS
    steps = tuple(
        Step(
            name=name,
            state="running" if under_way and name == names[-1] else "done",
            attempt=1,
            epoch=1,
            started_at=NOW,
            deadline_at=NOW + dt.timedelta(days=365),
            worker="worker",
            finished_at=NOW,
        )
        for name in names
    )
    return Run(
        id=run_id("backup", identity),
        kind="backup",
        app=app_of(number),
        app_id=f"a-{number:020}",
        vault="primary",
        trigger=Trigger(kind="schedule", identity=identity, name="nightly", at=NOW),
        state="running" if under_way else "succeeded",
        epoch=1,
        requested_at=NOW,
        started_at=NOW,
        finished_at=None if under_way else NOW,
        version=VERSIONS_EACH,
        steps=steps,
    )


async def fill(bus: Bus, applications: int) -> None:
    """Write everything that a planner finds."""
    records = bus.bucket(APPLICATIONS, ApplicationRecord)
    catalog, runs = bus.bucket(CATALOG, VersionRecord), bus.bucket(RUNS, Run)
    writes: list[Coroutine[Any, Any, object]] = []

    async def written(*, least: int) -> None:
        if len(writes) >= least:
            await asyncio.gather(*writes)
            writes.clear()

    for number in range(applications):
        writes.append(records.put(f"a-{number:020}", record(number)))
        writes += [
            catalog.put(f"a-{number:020}.{one.facts.number}", one) for one in versions(number)
        ]
        writes.append(_put_run(runs, run_of(number, under_way=False)))
        if 0 < number <= UNDER_WAY:
            writes.append(_put_run(runs, run_of(number, under_way=True)))
        await written(least=AT_ONCE)
        if number % 1000 == 0:
            sys.stderr.write(f"writing: {number} of {applications} applications\n")
    await written(least=1)


async def _put_run(runs: Any, run: Run) -> None:
    await runs.put(run.id, run)


async def measure(folder: Path, applications: int) -> tuple[float, float, float, float]:
    """Return the seconds until ready, of them in the processor, and the memory now and at most."""
    async with (
        EmbeddedBus(folder / "bus", users=(*USERS, TESTER)) as server,
        connect_bus(server.access("tester"), name="bench") as bus,
    ):
        await bus.ensure_topology()
        await fill(bus, applications)
        asked = run_id("backup", "request/bench")
        runs = bus.bucket(RUNS, Run)
        await bus.publish(RequestBackup(app=app_of(0), request_id="bench"))
        started = time.monotonic()
        async with serving("planner", server, folder / "planner.log", cluster=CLUSTER) as pid:

            async def admitted() -> bool:
                return await runs.get(asked) is not None

            await wait_until(admitted, deadline_s=READY_DEADLINE_S, what="ready", every_s=0.05)
            ready_s, cpu_s = time.monotonic() - started, _processor_s(pid)
            now_mib, most_mib = memory_mib(pid)
    return ready_s, cpu_s, now_mib, most_mib


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def section(measured: tuple[float, float, float, float], applications: int) -> str:
    """Write what was measured."""
    ready_s, cpu_s, now_mib, most_mib = measured
    ready = "yes" if ready_s <= READY_LIMIT_S else "NO"
    small = "yes" if most_mib <= MEMORY_LIMIT_MIB else "NO"
    date = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    return f"""\
`PYTHONPATH=tests python -m bench.restarting`, {date}, {os.cpu_count()} cores, \
Python {platform.python_version()}, load before {os.getloadavg()[0]:.1f}. {applications:,} \
applications, {applications * VERSIONS_EACH:,} versions, {applications:,} ended runs and \
{UNDER_WAY} under way. Ready: a backup that was asked for before the start is admitted.

| what | measured | limit | kept |
| --- | --- | --- | --- |
| from the start of the process until it is ready | {ready_s:.1f} s | {READY_LIMIT_S} s | {ready} |
| of that in its processor | {cpu_s:.1f} s | | |
| resident memory, the most until then | {most_mib:.0f} MiB | {MEMORY_LIMIT_MIB} MiB | {small} |
| resident memory when it is ready | {now_mib:.0f} MiB | | |
"""


def main() -> None:
    """Measure, and write the section if nothing less than everything was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=APPLICATIONS_WANTED)
    applications: int = parser.parse_args().applications
    with tempfile.TemporaryDirectory() as folder:
        written = section(asyncio.run(measure(Path(folder), applications)), applications)
    if applications == APPLICATIONS_WANTED:
        title = "# The planner and the watcher, measured\n"
        before = RESULTS.read_text() if RESULTS.exists() else title
        RESULTS.write_text(with_section(before, TITLE, written))
    sys.stdout.write(written)


if __name__ == "__main__":
    main()
