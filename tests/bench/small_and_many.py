"""Measure backups that have hardly any data: `python -m bench.small_and_many`, as root.

(e) From the moment before a backup request is published to the stream's time of `backup.stored`,
warm services, an application without volumes; and the wall time of the command line for the same.
(f) 5,000 Secrets of 1 KiB and 200 ConfigMaps: a backup, and a restore into an empty namespace.

On a local cluster of its own, with AppShield as `appshield up` runs it. Results go to the sections
(e) and (f) of `RESULTS-PLANNER.md` beside this file.
"""

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple
from uuid import uuid4

import structlog

from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestRestore
from appshield.contracts.runs import Run
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, SECRET
from appshield.local.cluster import ClusterSettings, cluster_down, cluster_up
from appshield.service import together
from bench.appshield_process import RunningAppShield, running
from bench.cluster import percentile, plain_application, stored_after_s, timeline
from bench.machine import facts
from bench.sections import with_section
from cluster_application import NAME, document, namespace_of_its_own
from installation import Installation

RESULTS: Final = Path(__file__).parent / "RESULTS-PLANNER.md"
TITLE: Final = "# The planner and the watcher, measured\n"
REQUESTS: Final = 100
COMMANDS: Final = 10
SECRETS: Final = 5_000
CONFIG_MAPS: Final = 200
SECRET_BYTES: Final = 1_024
_AT_ONCE: Final = 16


class Row(NamedTuple):
    """What was measured, the seconds that it took, and those that it may take."""

    what: str
    took_s: float
    limit_s: float


async def measure(letters: str, settings: ClusterSettings, work: Path) -> dict[str, list[Row]]:
    """Measure what the letters name."""
    found = {}
    cluster = await cluster_up(settings, _say)
    async with running(cluster, settings, work) as appshield:
        if "e" in letters:
            found["e"] = await _one_small(appshield)
        if "f" in letters:
            found["f"] = await _many_objects(appshield.installation)
    return found


async def _one_small(appshield: RunningAppShield) -> list[Row]:
    installation = appshield.installation
    async with plain_application(installation) as app:
        waited = [await stored_after_s(installation, app) for _ in range(5 + REQUESTS)][5:]
        words = ("backup", f"{app.namespace}/{app.name}", "--wait")
        walls = [await appshield.command(*words) for _ in range(COMMANDS)]
    return [
        Row(f"request to `backup.stored`, p50 of {REQUESTS}", median(waited), 0.15),
        Row("request to `backup.stored`, p99", percentile(waited, 99), 0.5),
        Row(f"`appshield backup --wait`, p50 of {COMMANDS}", median(walls), 0.5),
    ]


async def _many_objects(installation: Installation) -> list[Row]:
    async with _crowded(installation) as app:
        backup = await installation.back_up(app)
        _said(backup)
        async with namespace_of_its_own(installation, "restored") as target:
            request = RequestRestore(
                app=app, request_id=uuid4().hex, version=1, target_namespace=target
            )
            restore = await installation.ended(await installation.ask(request))
            _said(restore)
            found = await installation.cluster.list(SECRET, namespace=target)
            assert len(found) == SECRETS, f"{len(found)} Secrets came back"
    return [
        Row("backup", _took_s(backup), 3.0),
        Row("restore into an empty namespace", _took_s(restore), 12.0),
    ]


@asynccontextmanager
async def _crowded(installation: Installation) -> AsyncIterator[AppRef]:
    """Make an application of very many small objects, for the time of the block."""
    async with namespace_of_its_own(installation, "crowded") as namespace:
        cluster = installation.cluster
        await together(
            (cluster.create(SECRET, _secret(number), namespace=namespace))
            for number in range(SECRETS)
        )
        await together(
            (cluster.create(CONFIG_MAP, _config_map(number), namespace=namespace))
            for number in range(CONFIG_MAPS)
        )
        await cluster.create(APPLICATION, document(namespace, components=[]))
        app = AppRef(cluster=installation.cluster_name, namespace=namespace, name=NAME)
        await installation.known(app)
        yield app


def _secret(number: int) -> Object:
    content = secrets.token_hex(SECRET_BYTES // 2)
    body: Object = {"apiVersion": "v1", "kind": "Secret", "stringData": {"content": content}}
    return {**body, "metadata": {"name": f"secret-{number}"}}


def _config_map(number: int) -> Object:
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"number": str(number)}}
    return {**body, "metadata": {"name": f"settings-{number}"}}


def _took_s(run: Run) -> float:
    assert run.state == "succeeded", run.failure
    assert run.finished_at is not None
    return (run.finished_at - run.requested_at).total_seconds()


def table(rows: list[Row]) -> str:
    """Write the rows of one section."""
    lines = ["| what | took | may take |", "| --- | --- | --- |"]
    lines += [f"| {row.what} | {row.took_s:.3f} s | {row.limit_s:g} s |" for row in rows]
    machine = "; ".join(f"{name}: {value}" for name, value in facts((), Path.cwd()).items())
    return "\n".join(lines) + f"\n\n{machine}. Written by `python -m bench.small_and_many`.\n"


ABOUT: Final = {
    "e": "one backup of an application without volumes",
    "f": f"{SECRETS:,} Secrets of 1 KiB and {CONFIG_MAPS} ConfigMaps",
}


def main() -> None:
    """Measure, show, and say with the exit code whether everything is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("letters", nargs="?", default="ef", help="which sections: e, f or ef")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file of results")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    found = asyncio.run(_run(given.letters))
    for letter, rows in found.items():
        text = table(rows)
        sys.stdout.write(f"({letter}) {ABOUT[letter]}\n\n{text}\n")
        before = given.output.read_text() if given.output.exists() else TITLE
        given.output.write_text(with_section(before, f"({letter}) {ABOUT[letter]}", text))
    sys.exit(any(row.took_s > row.limit_s for rows in found.values() for row in rows))


async def _run(letters: str) -> dict[str, list[Row]]:
    name = os.environ.get("APPSHIELD_TEST_CLUSTER", "bench")
    settings = ClusterSettings.from_environment(os.environ, name=name)
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="appshield-bench-") as folder:
        try:
            return await measure(letters, settings, Path(folder))
        finally:
            await cluster_down(settings, _say, purge=True)


def _said(run: Run) -> None:
    _say(f"{run.kind}: {timeline(run)}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
