"""Measure how fast policies are matched and combined: `python -m bench.policies`.

The planner's own code is measured, over a bus in memory: documents as they were read become what is
in force for each application. Times are processor time of this one process, which has one thread;
each is the best of three. Results and limits go to `RESULTS-POLICIES.md` beside this file.
"""

import asyncio
import datetime as dt
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationObserved, ApplicationRecord
from appshield.contracts.identities import application_id
from appshield.kubernetes import Object
from appshield.language.describing import visible_annotations
from appshield.language.resolved import ResolvedApplication
from appshield.planner.leading import Leadership
from appshield.planner.observing import remembered
from appshield.planner.policies import Policies
from appshield.watcher.reading import observe, observe_policy
from appshield.watcher.surroundings import Surroundings
from memory_bus import MemoryBus

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "RESULTS-POLICIES.md"
CLUSTER: Final = "bench"
ROUNDS: Final = 3
APPLICATIONS: Final = 10_000
POLICIES: Final = 200
CRITICALITIES: Final = ("bronze", "silver", "gold", "platinum")
TYPES: Final = 50
"""Types times criticalities: the distinct values that applications share."""


class Row(NamedTuple):
    """What was measured, the seconds that it took, and those that it may take."""

    what: str
    took_s: float
    limit_s: float | None


def application(number: int) -> Object:
    """Return an application with a rule of its own; types and criticalities repeat."""
    return _object(
        "Application",
        {"name": f"app-{number}", "namespace": f"team-{number % 100}"},
        {
            "type": f"type-{number % TYPES}/server",
            "criticality": CRITICALITIES[number // TYPES % len(CRITICALITIES)],
            "protect": [{"name": "mine", "on": {"schedule": "0 1 * * *"}}],
        },
    )


def policy(number: int, match: str) -> Object:
    """Return a policy with two rules."""
    rules = [
        {"name": "nightly", "on": {"schedule": "30 2 * * *"}, "keep": {"last": 1 + number}},
        {"name": f"every-{number}", "on": {"schedule": "0 * * * *"}},
    ]
    return _object("Policy", {"name": f"policy-{number}"}, {"match": match, "protect": rules})


def shared_match(number: int) -> str:
    """Ask for what applications share: five of a hundred of them match."""
    first = number % TYPES
    wanted = [f"'type-{(first + step) % TYPES}/server'" for step in range(5)]
    criticality = CRITICALITIES[number % len(CRITICALITIES)]
    return f"app.type in [{', '.join(wanted)}] && app.criticality in ['{criticality}', 'x']"


def distinct_match(number: int) -> str:
    """Ask for the name as well, which no two applications share."""
    return f"{shared_match(number)} && !app.name.endsWith('-{number}')"


class ForEver(Leadership):
    """A lease that nobody else takes, and that need not be renewed."""

    def held(self) -> bool:
        """Say yes."""
        return True


class Installation:
    """A planner's knowledge of applications and policies, and nothing else of it."""

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self.records: dict[str, ApplicationRecord] = {}

    @classmethod
    async def empty(cls) -> "Installation":
        """Make one that knows nothing yet."""
        bus = MemoryBus("planner")
        return cls(Policies(bus, ForEver(bus, "bench")))

    async def take_in(self, policy: Object) -> None:
        """Take in a policy, and bring every application in line that it concerns."""
        fact = observe_policy(policy, CLUSTER)
        await self.policies.take_in(fact)
        for record in self.policies.concerned(fact, list(self.records.values())):
            self.records[record.app_id] = self.policies.in_force(record)

    def see(self, fact: ApplicationObserved) -> None:
        """Take in an application."""
        app_id = application_id(CLUSTER, fact.uid)
        seen = remembered(self.records.get(app_id), fact, app_id)
        self.records[app_id] = self.policies.in_force(seen)


async def measure(count: int, policies: int) -> list[Row]:
    """Measure every row."""
    describe = partial(Surroundings().describe, asked=_all_annotations)
    documents = [application(number) for number in range(count)]
    started = time.process_time()
    facts = [observe(document, CLUSTER, describe) for document in documents]
    rows = [Row("reading and checking the documents of all applications", _since(started), None)]
    for name, match, limit_s in (
        ("all from cold, at most 200 distinct values", shared_match, 5.0),
        ("all from cold, every application differs", distinct_match, 40.0),
    ):
        written = [policy(number, match(number)) for number in range(policies)]
        taken = []
        for _ in range(ROUNDS):
            installation = await Installation.empty()
            started = time.process_time()
            for document in written:
                await installation.take_in(document)
            for fact in facts:
                installation.see(fact)
            taken.append(_since(started))
        rows.append(Row(name, min(taken), limit_s))
        rows += await _changes(installation, facts, match)
    return rows


async def _changes(
    installation: Installation, facts: list[ApplicationObserved], match: Callable[[int], str]
) -> list[Row]:
    """Measure one changed application, and one changed policy that concerns some or all."""
    one, some, all_ = [], [], []
    for number in range(ROUNDS):
        changed = replace(facts[number], application_type=f"type-{number}/changed")
        started = time.process_time()
        installation.see(changed)
        one.append(_since(started))
        started = time.process_time()
        await installation.take_in(policy(7, match(8 + number)))
        some.append(_since(started))
        everybody = f"app.name != 'no-{number}' && app.type != ''"
        started = time.process_time()
        await installation.take_in(policy(9, everybody))
        all_.append(_since(started))
        await installation.take_in(policy(9, match(9)))
    return [
        Row("one changed application", min(one), 0.010),
        Row("one changed policy, for some applications", min(some), 0.400),
        Row("one changed policy, for every application", min(all_), 0.400),
    ]


def _all_annotations(application: ResolvedApplication) -> dict[str, str]:
    return visible_annotations(application.annotations)


def _since(started: float) -> float:
    return time.process_time() - started


def table(rows: list[Row], count: int, policies: int) -> str:
    """Write the results down."""
    facts = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M UTC}, Python {platform.python_version()}, "
        f"cel-expr-python {version('cel-expr-python')}, msgspec {version('msgspec')}. Processor "
        f"time of one thread, the best of {ROUNDS}; written by `python -m bench.policies`."
    )
    lines = [
        f"# Measured: {count:,} applications, {policies} policies",
        "",
        facts,
        "",
        "| what | took | may take |",
        "| --- | --- | --- |",
    ]
    for row in rows:
        limit = "" if row.limit_s is None else f"{row.limit_s * 1000:,.0f} ms"
        lines.append(f"| {row.what} | {row.took_s * 1000:,.1f} ms | {limit} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, show, and say with the exit code whether everything is within its limit."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    rows = asyncio.run(measure(APPLICATIONS, POLICIES))
    text = table(rows, APPLICATIONS, POLICIES)
    sys.stdout.write(text)
    RESULTS.write_text(text)
    sys.exit(any(row.limit_s is not None and row.took_s > row.limit_s for row in rows))


def _object(kind: str, metadata: dict[str, str], spec: dict[str, Any]) -> Object:
    identity = {"uid": f"{kind}-{metadata['name']}", "resourceVersion": "1"}
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": kind,
        "metadata": metadata | identity | {"generation": 1},
        "spec": spec,
    }


if __name__ == "__main__":
    main()
