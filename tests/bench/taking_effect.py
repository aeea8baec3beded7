"""Measure when a changed document takes effect: `python -m bench.taking_effect`.

On a local cluster of its own (API server and etcd as everywhere) and NATS, with AppShield as
`appshield up` runs it: from the moment at which the API server has answered a change with 2xx, to
the planner's word that it decides by it, whatever happens (`in force`), to the record of the last
application that says so, which nobody waits for (`in every record`), to the status on the object
(`status`), and to what a user waits for (`acts`): of a rule that waits for changes, that a change
of the last application is told; of a gate, that the API server refuses a rollout of it.
Results go to `RESULTS-EFFECT.md` beside this file.
"""

import argparse
import asyncio
import datetime as dt
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import structlog

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.requests import RequestPause
from appshield.contracts.streams import APPLICATIONS, POLICIES
from appshield.kubernetes import Kind, Object, Reflector
from appshield.kubernetes.kinds import APPLICATION, DEPLOYMENT, NAMESPACE, POLICY
from appshield.language.object_reading import read_object
from appshield.language.resolving import revision
from appshield.local.cluster import ClusterSettings, cluster_down, cluster_up
from bench.appshield_process import RunningAppShield, running
from bench.probe import DEADLINE_S, TRY_EVERY_S, Probe
from installation import Installation
from waiting import wait_until

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS-EFFECT.md"
COUNTS: Final = (1, 500, 5000)
ROUNDS: Final = 20
POLICY_ROUNDS: Final = 5
ACTING_ROUNDS: Final = 3
NAMESPACES: Final = 50
SOME: Final = 20
"""A policy for some concerns one application of so many."""
LIMIT_S: Final = 1.0
_AT_ONCE: Final = 16


class Row(NamedTuple):
    """Seconds of each round, for one kind of change; `cpu_s` of all processes until recorded."""

    what: str
    applications: int
    in_force_s: tuple[float, ...]
    recorded_s: tuple[float, ...]
    status_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    acts_s: tuple[float, ...] = ()


class Seen:
    """Keeps when each thing was seen to be so."""

    def __init__(self) -> None:
        self._moments: dict[tuple[str, object], float] = {}
        self._news = asyncio.Condition()

    async def note(self, name: str, what: object) -> None:
        """Note that something is so, now."""
        async with self._news:
            self._moments.setdefault((name, what), time.perf_counter())
            self._news.notify_all()

    async def at(self, name: str, what: object) -> float:
        """Wait until something is so, and return since when."""
        async with asyncio.timeout(DEADLINE_S), self._news:
            await self._news.wait_for(lambda: (name, what) in self._moments)
            return self._moments[name, what]


class Statuses:
    """The sink of a watch: notes which content the status of an object is about."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def replace(self, objects: list[Object]) -> None:
        """See `WatchSink`."""
        for obj in objects:
            await self.changed(obj)
        await self._seen.note("every status", "known")

    async def changed(self, obj: Object) -> None:
        """See `WatchSink`."""
        status, name = obj.get("status") or {}, obj["metadata"]["name"]
        if obj["kind"] == APPLICATION.kind:
            await self._seen.note(f"status of {name}", status.get("revision"))
        elif any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in status.get("conditions", [])
        ):
            await self._seen.note(f"status of {name}", status.get("observedGeneration"))

    async def deleted(self, obj: Object) -> None:
        """See `WatchSink`."""


async def _note_applications(bus: Bus, seen: Seen, stopping: asyncio.Event) -> None:
    async for change in bus.bucket(APPLICATIONS, ApplicationRecord).watch(stopping=stopping):
        if change.is_marker:
            await seen.note("every record", "known")
        elif change.value is not None:
            await seen.note(f"force of {change.value.app.name}", change.value.revision)
            await seen.note(f"record of {change.value.app.name}", change.value.revision)


async def _note_policies(bus: Bus, seen: Seen, stopping: asyncio.Event) -> None:
    async for change in bus.bucket(POLICIES, PolicyRecord).watch(stopping=stopping):
        record = change.value
        if change.is_marker:
            await seen.note("every record", "known")
        if record is not None and record.in_force_since is not None:
            await seen.note(f"force of {record.app.name}", record.generation)
        if record is not None and record.settled:
            await seen.note(f"record of {record.app.name}", record.generation)


@asynccontextmanager
async def watched(installation: Installation, kind: Kind) -> AsyncIterator[Seen]:
    """Watch what the planner writes about one kind, and its objects, for the time of the block.

    What is there is read before: what is changed first would wait for that.
    """
    seen, stopping = Seen(), asyncio.Event()
    note = _note_applications if kind == APPLICATION else _note_policies
    reflector = Reflector(installation.cluster, kind, sink=Statuses(seen))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(note(installation.bus, seen, stopping))
        tasks.create_task(reflector.run(stopping))
        try:
            await seen.at("every record", "known")
            await seen.at("every status", "known")
            yield seen
        finally:
            stopping.set()


async def measure(appshield: RunningAppShield, count: int) -> list[Row]:
    """Measure every kind of change among so many applications."""
    installation = appshield.installation
    await _make_up_to(installation, count)
    async with watched(installation, APPLICATION) as seen:
        changes = [
            await _taken(appshield, seen, APPLICATION, _application(0, number))
            for number in range(1, ROUNDS + 1)
        ]
    rows = [_row("one Application", count, changes)]
    async with watched(installation, POLICY) as seen:
        for what, scope, match in (
            ("a Policy for one in twenty", "some", f"app.criticality == 'c-{SOME - 1}'"),
            ("a Policy for all", "all", "app.type == 'web'"),
        ):
            name = f"{scope}-{count}"
            try:
                changes = [
                    await _taken(appshield, seen, POLICY, _policy(name, match, number))
                    for number in range(POLICY_ROUNDS)
                ]
            finally:
                await installation.cluster.delete(POLICY, name)
            rows.append(_row(what, count, changes))
        rows += [await _acting(appshield, seen, count, kind) for kind in ("change", "gate")]
    return rows


async def _acting(appshield: RunningAppShield, seen: Seen, count: int, kind: str) -> Row:
    """Measure how soon a policy for all acts that says what happens at changes."""
    changes, acts = [], []
    for number in range(ACTING_ROUNDS):
        name = f"{kind}-{count}-{number}"
        installation = appshield.installation
        probe = Probe(installation, _last(installation, count), f"{name}/acts")
        try:
            taken, acts_s = await _acted(appshield, seen, _acting_policy(name, kind), probe, kind)
        finally:
            await installation.cluster.delete(POLICY, name)
            await probe.until_quiet(kind)
        changes.append(taken)
        acts.append(acts_s)
    return _row(f"a Policy for all with a {kind}", count, changes)._replace(acts_s=tuple(acts))


async def _acted(
    appshield: RunningAppShield, seen: Seen, body: Object, probe: Probe, kind: str
) -> tuple[tuple[float, float, float, float], float]:
    """Apply a policy, and try until it acts; return what `_taken` does, and when it acted."""
    answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def acts() -> float:
        since = await answered
        await (probe.refused() if kind == "gate" else probe.told())
        return time.perf_counter() - since

    acting = asyncio.create_task(acts())
    taken = await _taken(appshield, seen, POLICY, body, answered)
    return taken, await acting


async def _taken(
    appshield: RunningAppShield,
    seen: Seen,
    kind: Kind,
    body: Object,
    tell_answered: asyncio.Future[float] | None = None,
) -> tuple[float, float, float, float]:
    """Change a document; return what `Row` has of one round."""
    before_s = appshield.cpu_s()
    applied = await appshield.installation.cluster.apply(kind, body)
    answered = time.perf_counter()
    if tell_answered is not None:
        tell_answered.set_result(answered)
    name = applied["metadata"]["name"]
    wanted: object = applied["metadata"]["generation"]
    if kind == APPLICATION:
        wanted = revision(read_object(applied).spec)
    in_force = await seen.at(f"force of {name}", wanted)
    recorded = await seen.at(f"record of {name}", wanted)
    cpu_s = appshield.cpu_s() - before_s
    status = await seen.at(f"status of {name}", wanted)
    return in_force - answered, recorded - answered, status - answered, cpu_s


async def _make_up_to(installation: Installation, count: int) -> None:
    """Make the applications that are missing, and wait until the planner knows all of them."""
    cluster = installation.cluster
    for number in range(NAMESPACES):
        await cluster.apply(
            NAMESPACE,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _place(number)}},
        )
    there = [obj["metadata"]["name"] for obj in await cluster.list(APPLICATION)]
    known = sum(name.startswith("app-") for name in there)
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def make(number: int) -> None:
        async with at_once:
            await cluster.apply(APPLICATION, _application(number, 0))

    await asyncio.gather(*map(make, range(known, count)))

    async def all_known() -> bool:
        objects = await cluster.list(APPLICATION)
        return all((obj.get("status") or {}).get("revision") for obj in objects)

    await wait_until(all_known, deadline_s=1800, what=f"{count} applications known", every_s=2)
    await _make_last(installation, count)


async def _make_last(installation: Installation, count: int) -> None:
    """Make one more, which is brought in line last; it has a Deployment, and makes no runs."""
    cluster, app = installation.cluster, _last(installation, count)
    place = app.namespace
    await cluster.apply(
        NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}
    )
    labels = {"app": "web"}
    container = {"name": "main", "image": "registry.example/nothing:1"}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    meta = {"name": "web", "namespace": place}
    await cluster.apply(
        DEPLOYMENT,
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec},
    )
    meta = {"name": app.name, "namespace": place}
    app_spec = {"type": "web", "criticality": "last"}
    await cluster.apply(APPLICATION, _object("Application", meta, app_spec))
    await installation.known(app)
    pause = RequestPause(app=app, request_id=f"pause-{count}", door="local", reason="measured")
    await installation.bus.publish(pause)


def _last(installation: Installation, count: int) -> AppRef:
    return installation.app(f"effect-last-{count}", "last")


def _application(number: int, changed: int) -> Object:
    meta = {"name": f"app-{number}", "namespace": _place(number)}
    rule = {"name": "mine", "on": {"schedule": "0 1 * * *"}}
    spec = {"type": "web", "criticality": f"c-{number % SOME}", "protect": [rule]}
    if changed:
        spec["targets"] = [f"vault-{changed}"]
    return _object("Application", meta, spec)


def _policy(name: str, match: str, changed: int) -> Object:
    rule = {"name": "nightly", "on": {"schedule": f"{changed} 2 * * *"}, "keep": {"last": 3}}
    return _object("Policy", {"name": name}, {"match": match, "protect": [rule]})


def _acting_policy(name: str, kind: str) -> Object:
    change = {"of": ["deployments"], "when": "new.spec.template != old.spec.template"}
    on = {"change": change} if kind == "change" else {"gate": {"before": ["rollout"]}}
    rule = {"name": "acts", "on": on}
    return _object("Policy", {"name": name}, {"match": "app.type == 'web'", "protect": [rule]})


def _object(kind: str, metadata: dict[str, str], spec: dict[str, Any]) -> Object:
    return {"apiVersion": "appshield.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _place(number: int) -> str:
    return f"effect-{number % NAMESPACES}"


def _row(what: str, count: int, changes: list[tuple[float, float, float, float]]) -> Row:
    in_force_s, recorded_s, status_s, cpu_s = zip(*changes, strict=True)
    return Row(what, count, in_force_s, recorded_s, status_s, cpu_s)


def table(rows: list[Row], load: float) -> str:
    """Write the results down."""
    told = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M UTC}, {os.cpu_count()} cores, load {load:.1f} "
        "before. Median and longest of all rounds, from the API server's answer; written by "
        "`python -m bench.taking_effect`. `in force`: whatever the planner decides about an "
        "application that it concerns, it decides by it, also one that takes over; `in every "
        "record`: the record of each such application says so, which nobody waits for; "
        "`status`: the object says so; `acts`: of the last application, which has a Deployment, a "
        "change is told that its new rule waits for, or a rollout refused by its new gate; both "
        f"are tried every {TRY_EVERY_S * 1000:g} ms. `CPU`: median of what all processes of "
        "AppShield and the message bus took until it was in every record."
    )
    head = "changed | applications | in force | longest | in every record | longest"
    lines = [
        "# Measured: when a changed document takes effect",
        "",
        told,
        "",
        f"| {head} | status | longest | acts | longest | CPU | may take |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        shown = [
            *_median_and_longest(row.in_force_s),
            *_median_and_longest(row.recorded_s),
            *_median_and_longest(row.status_s),
            *_median_and_longest(row.acts_s),
            _milliseconds(median(row.cpu_s)),
            f"{LIMIT_S:g} s",
        ]
        lines.append(f"| {row.what} | {row.applications:,} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _median_and_longest(spans_s: tuple[float, ...]) -> tuple[str, str]:
    if not spans_s:
        return "", ""
    return _milliseconds(median(spans_s)), _milliseconds(max(spans_s))


def _milliseconds(span_s: float) -> str:
    return f"{span_s * 1000:,.0f} ms"


async def run(counts: list[int], name: str) -> list[Row]:
    """Measure with ever more applications, on a cluster that is deleted afterwards."""
    settings = ClusterSettings.from_environment(os.environ, name=name)
    rows = []
    try:
        cluster = await cluster_up(settings, _say)
        with tempfile.TemporaryDirectory() as folder:
            async with running(cluster, settings, Path(folder)) as appshield:
                for count in counts:
                    rows += await measure(appshield, count)
                    _say(table(rows[-5:], os.getloadavg()[0]))
    finally:
        await cluster_down(settings, _say, purge=True)
    return rows


def main() -> None:
    """Measure, show, and say with the exit code whether everything was in time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--applications", type=int, action="append", help="how many; repeat it")
    asked = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    load = os.getloadavg()[0]
    name = os.environ.get("APPSHIELD_TEST_CLUSTER", "bench")
    rows = asyncio.run(run(asked.applications or list(COUNTS), name))
    text = table(rows, load)
    _say(text)
    if not asked.applications:
        RESULTS.write_text(text)
    sys.exit(any(max((*row.in_force_s, *row.acts_s)) > LIMIT_S for row in rows))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
