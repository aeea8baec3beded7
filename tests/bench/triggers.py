"""Measure triggers: `python -m bench.triggers`, or only `--only a` or `--only c`.

(a) From the API server's answer to a write to the bus's time stamp of `cmd.snapshot.take`, on the
real API server of the local cluster (`APPSHIELD_BENCH_CLUSTER`, `bench` by default): watcher and
planner are processes, repositories are opened by a worker in this process that does nothing else,
so what the planner orders stays in the stream. (c) A burst, on the same applications: one signal
that concerns every one, with workers in this process that succeed at once, and a watcher with a
slow pace for its requests, which the API server itself counts. Each writes its own section of
`RESULTS-PLANNER.md`.
"""

import argparse
import asyncio
import datetime as dt
import logging
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

import structlog

from appshield.bus import Bus, connect_bus
from appshield.contracts import decode, streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.backups import OpenRepository, TakeSnapshot
from appshield.contracts.message import StepCommand
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import APPLICATIONS, COMMANDS, OUTCOMES, PROJECTIONS, RUNS
from appshield.kubernetes import AlreadyExistsError, Cluster, ClusterAccess, Kind, Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, NAMESPACE
from appshield.kubernetes.requests import Call
from appshield.local.cluster import ClusterSettings, cluster_up
from appshield.planner.lines import DEFAULT_LIMITS
from appshield.service.steps import StepHandler, StepWork
from appshield.watcher.kinds import install_kinds
from bench.measuring import cpu_of
from bench.sections import with_section
from bench.services import serving
from bench.watching import CLUSTER, RESULTS
from embedded_bus import running_bus
from planner_processes import Plant, plant
from planner_world import APP, Workers
from waiting import wait_until

APPLICATIONS_A: Final = 1_000
OBJECTS_PER_APPLICATION: Final = 10
ROUNDS: Final = 200
BURST: Final = 1_000
PRIORITIES: Final = 10
P50_MS: Final = 10
P99_MS: Final = 100
DEADLINE_S: Final = 900.0
PACE_PER_S: Final = 100
PACE_BURST: Final = 20
_AT_ONCE: Final = 32
_DATA: Final = {"data": {"changed": "never"}}
_CHANGED: Final = {
    "name": "changed",
    "on": {"change": {"of": ["configmaps"], "when": "new.data != old.data"}},
}
_BURST: Final = {"name": "burst", "on": {"signal": "burst"}}
_METRICS: Final = Call(method="GET", path="/metrics", doing="read the metrics", accept="text/plain")
_COUNTED: Final = re.compile(
    r'^apiserver_request_total\{(?=[^}]*(?:group="appshield\.io"|resource="events"))'
    r'(?![^}]*verb="(?:WATCH|LIST)")[^}]*\} (\S+)$',
    re.MULTILINE,
)
"""What a watcher asks for again and again: statuses and events."""


async def latency(folder: Path, count: int, rounds: int) -> str:
    """Measure (a); return the section."""
    named = os.environ.get("APPSHIELD_BENCH_CLUSTER", "bench")
    facts = await cluster_up(ClusterSettings.from_environment(os.environ, name=named), _say)
    for limit in ("RUNS_MAX", "RUNS_PER_VAULT_MAX"):  # none of these runs ever ends
        os.environ[f"APPSHIELD_PLANNER_{limit}"] = str(2 * rounds)
    orders: dict[type[StepCommand], StepHandler] = {OpenRepository: Workers().open}
    async with (
        Cluster.connect(ClusterAccess(kubeconfig=str(facts.kubeconfig))) as cluster,
        running_bus(folder / "bus") as server,
        connect_bus(server.access("tester"), name="bench") as bus,
        asyncio.TaskGroup() as tasks,
        AsyncExitStack() as leaving,
    ):
        await _fill(cluster, count)
        await bus.ensure_topology()
        running, stopping = Plant(server, bus, folder, leaving), asyncio.Event()
        work = StepWork(bus, worker="worker", handlers=orders)
        tasks.create_task(bus.consume(streams.UPLOADER_ORDERS, work.handle, stopping=stopping))
        planner = await running.start_planner()
        await running.until_leads(planner)
        log = folder / "watcher.log"
        async with serving(
            "watcher", running.server, log, cluster=CLUSTER, kubeconfig=facts.kubeconfig
        ):
            await _until_remembered(running.bus, count * OBJECTS_PER_APPLICATION)
            await _until_told(running.bus, count)
            written = [await _write(cluster, number) for number in range(rounds)]
            taken = await _taken(running.bus, rounds)
        stopping.set()
    spans_ms = [
        (taken[f"{_place(number)}/shop"] - at).total_seconds() * 1000
        for number, at in enumerate(written)
    ]
    return _section_a(spans_ms, count)


async def _fill(cluster: Cluster, count: int) -> None:
    """Make applications, each in its namespace; a second run finds those of the first."""
    await install_kinds(cluster)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def make(kind: Kind, body: Object, namespace: str = "") -> None:
        try:
            await cluster.create(kind, body, namespace=namespace)
        except AlreadyExistsError:
            return

    async def application(number: int) -> None:
        async with at_once:
            place = _place(number)
            await make(NAMESPACE, _object(NAMESPACE, place, {}))
            for one in range(OBJECTS_PER_APPLICATION):
                await make(CONFIG_MAP, _object(CONFIG_MAP, f"object-{one}", _DATA), place)
            priority = {"priority": number % PRIORITIES}
            spec = {"type": "web", "protect": [_CHANGED, {**_BURST, **priority}]}
            await make(APPLICATION, _object(APPLICATION, "shop", {"spec": spec}), place)

    await asyncio.gather(*map(application, range(count)))


async def _until_remembered(bus: Bus, objects: int) -> None:
    async def look() -> bool:
        return len(await bus.bucket(PROJECTIONS, object).keys()) >= objects

    await wait_until(look, deadline_s=DEADLINE_S, what="all objects are remembered", every_s=1)


async def _until_told(bus: Bus, applications: int) -> None:
    """Wait until the health of all is told: what is measured is a change, not the first sight."""

    async def look() -> bool:
        records = [
            entry.value async for entry in bus.bucket(APPLICATIONS, ApplicationRecord).items()
        ]
        return sum(record.health is not None for record in records) >= applications

    await wait_until(look, deadline_s=DEADLINE_S, what="the health of all is told", every_s=1)


async def _write(cluster: Cluster, number: int) -> dt.datetime:
    """Change an object; return when the API server had answered."""
    change = {"data": {"changed": f"{dt.datetime.now(dt.UTC)}"}}
    await cluster.merge_patch(CONFIG_MAP, "object-0", change, namespace=_place(number))
    answered = dt.datetime.now(dt.UTC)
    await asyncio.sleep(0.05)  # one write at a time: this is no burst
    return answered


async def _taken(bus: Bus, count: int) -> dict[str, dt.datetime]:
    """Return when the bus had stored each order to take a snapshot, by application."""

    async def look() -> dict[str, dt.datetime] | None:
        found: dict[str, dt.datetime] = {}
        async for stored in bus.read(COMMANDS):
            message = decode(stored.body)
            if isinstance(message, TakeSnapshot):
                found.setdefault(str(message.app), stored.time)
        return found if len(found) >= count else None

    return await wait_until(look, deadline_s=DEADLINE_S, what="all orders are given", every_s=1)


async def burst(folder: Path, count: int) -> str:
    """Measure (c); return the section."""
    named = os.environ.get("APPSHIELD_BENCH_CLUSTER", "bench")
    facts = await cluster_up(ClusterSettings.from_environment(os.environ, name=named), _say)
    os.environ["APPSHIELD_WATCHER_API_REQUESTS_PER_S"] = str(PACE_PER_S)
    os.environ["APPSHIELD_WATCHER_API_REQUESTS_BURST"] = str(PACE_BURST)
    async with (
        Cluster.connect(ClusterAccess(kubeconfig=str(facts.kubeconfig))) as cluster,
        plant(folder) as running,
    ):
        await _fill(cluster, count)
        running.workers.gate.set()
        planner = await running.start_planner()
        await running.until_leads(planner)
        log = folder / "watcher.log"
        async with serving(
            "watcher", running.server, log, cluster=APP.cluster, kubeconfig=facts.kubeconfig
        ):
            await _until_told(running.bus, count)
            over = asyncio.Event()
            counting = asyncio.create_task(_counted(cluster, over))
            cpu_s = cpu_of(planner.pid or 0)
            await running.bus.publish_raw("appshield.v1.signal.burst", b"", message_id="burst")
            runs = await _ended(running, count)
            cpu_s = cpu_of(planner.pid or 0) - cpu_s
            over.set()
            paces = await counting
        at_once = await _most_at_once(running.bus)
    return _section_c(runs, cpu_s, at_once, paces)


class Pace(NamedTuple):
    """How many requests the API server counted in a time."""

    requests: int
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether the watcher's settings allow so many."""
        return self.requests <= PACE_BURST + PACE_PER_S * self.seconds


async def _counted(cluster: Cluster, over: asyncio.Event) -> list[Pace]:
    """Read what the API server counts, each second until it is over and nothing more comes."""
    loop, paces = asyncio.get_running_loop(), list[Pace]()
    seen, at = await _requests(cluster), loop.time()
    while not over.is_set() or paces[-1].requests:
        await asyncio.sleep(1)  # what is measured is a second
        before, since = seen, at
        seen, at = await _requests(cluster), loop.time()
        paces.append(Pace(seen - before, at - since))
    return paces


async def _requests(cluster: Cluster) -> int:
    async with cluster.requests.stream(_METRICS, silence_s=30) as reader:
        text = (await reader.read()).decode()
    return sum(int(float(count)) for count in _COUNTED.findall(text))


async def _ended(running: Plant, count: int) -> list[Run]:
    bucket = running.bus.bucket(RUNS, Run)

    async def look() -> list[Run] | None:
        runs = [entry.value async for entry in bucket.items()]
        over = len(runs) == count and all(run.state in FINAL_STATES for run in runs)
        return runs if over else None

    return await wait_until(look, deadline_s=DEADLINE_S, what=f"{count} runs ended", every_s=2)


async def _most_at_once(bus: Bus) -> int:
    """Count how many runs were under way at once, from what the planner told of them."""
    under_way: set[str] = set()
    most = 0
    async for stored in bus.read(OUTCOMES, filters=("appshield.v1.evt.run.>",)):
        told = decode(stored.body)
        run, state = getattr(told, "run", ""), getattr(told, "state", "")
        (under_way.add if state in {"running", "ending"} else under_way.discard)(run)
        most = max(most, len(under_way))
    return most


def out_of_order(runs: Sequence[Run], at_once: int) -> int:
    """Count runs that began before one of a higher priority, but for those that began first."""
    begun = sorted(runs, key=lambda run: run.started_at or run.requested_at)
    priorities = [run.priority for run in begun[at_once:]]
    return sum(now < max(priorities[place:]) for place, now in enumerate(priorities))


def _section_a(spans_ms: Sequence[float], count: int) -> str:
    marks = quantiles(spans_ms, n=100)
    p50, p99 = marks[49], marks[98]
    objects = count * OBJECTS_PER_APPLICATION
    return f"""\
`PYTHONPATH=tests python -m bench.triggers --only a`, {_around()}. {count:,} applications and \
{objects:,} objects watched, `settle` not set; {len(spans_ms)} writes, one after the other, \
when all was read and told.

| from the API server's answer to `cmd.snapshot.take` in the stream | measured | limit | kept |
| --- | --- | --- | --- |
| p50 | {p50:.1f} ms | {P50_MS} ms | {_kept(p50 <= P50_MS)} |
| p99 | {p99:.1f} ms | {P99_MS} ms | {_kept(p99 <= P99_MS)} |
"""


def _section_c(runs: Sequence[Run], cpu_s: float, at_once: int, paces: Sequence[Pace]) -> str:
    most = DEFAULT_LIMITS.per_vault
    lost = sum(run.state != "succeeded" for run in runs)
    wrong = out_of_order(runs, most)
    took = max(run.finished_at or run.requested_at for run in runs) - min(
        run.requested_at for run in runs
    )
    fastest = max(pace.requests / pace.seconds for pace in paces)
    kept = _kept(all(pace.is_kept for pace in paces))
    return f"""\
`PYTHONPATH=tests python -m bench.triggers --only c`, {_around()}. One signal concerns \
{len(runs):,} applications of {PRIORITIES} priorities. The watcher may make {PACE_PER_S} requests \
a second, {PACE_BURST} of them at once.

| what | measured | limit | kept |
| --- | --- | --- | --- |
| runs that did not succeed | {lost} | 0 | {_kept(lost == 0)} |
| most runs at once | {at_once} | {most} | {_kept(at_once <= most)} |
| runs that began before one of a higher priority | {wrong} | 0 | {_kept(wrong == 0)} |
| requests of the watcher in a second, counted by the API server, at most | {fastest:.0f} | \
{PACE_PER_S + PACE_BURST} | {kept} |
| the same in all | {sum(pace.requests for pace in paces):,} | | |
| from the first run asked for to the end of the last | {took.total_seconds():.1f} s | | |
| processor time of the planner | {cpu_s:.1f} s | | |
"""


def _kept(holds: bool) -> str:
    return "yes" if holds else "NO"


def _around() -> str:
    date = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    version = platform.python_version()
    return f"{date}, {os.cpu_count()} cores, Python {version}, load {os.getloadavg()[0]:.1f}"


def _object(kind: Kind, name: str, content: Object) -> Object:
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
    return {**head, **content}


def _place(number: int) -> str:
    return f"bench-triggers-{number:04}"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> None:
    """Measure, and write the sections."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("a", "c"))
    parser.add_argument("--applications", type=int, help="fewer, for a trial: nothing is written")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if asked.only != "c":
        count = asked.applications or APPLICATIONS_A
        with tempfile.TemporaryDirectory() as folder:
            section = asyncio.run(latency(Path(folder), count, min(ROUNDS, count)))
        _show("(a) From a change to the order of a snapshot", section, trial=asked.applications)
    if asked.only != "a":
        with tempfile.TemporaryDirectory() as folder:
            section = asyncio.run(burst(Path(folder), asked.applications or BURST))
        _show("(c) A burst of triggers", section, trial=asked.applications)


def _show(title: str, section: str, *, trial: int | None) -> None:
    """Show a section as soon as it is measured, and keep it unless this is a trial."""
    sys.stdout.write(f"## {title}\n\n{section}\n")
    if not trial:
        before = RESULTS.read_text() if RESULTS.exists() else "# The planner, measured\n"
        RESULTS.write_text(with_section(before, title, section))


if __name__ == "__main__":
    main()
