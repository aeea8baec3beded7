"""`appshield demo`: set everything up, run the main job on a real cluster, and judge it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from appshield.bus import connect_bus
from appshield.cli.continuity import BusContinuity
from appshield.cli.installation import target_of
from appshield.cli.local_cluster import local_facts
from appshield.cli.output import quiet_logs, say
from appshield.cli.progress import Silent
from appshield.cli.reaching import PERSON
from appshield.contracts.agents import Agent
from appshield.contracts.streams import AGENTS
from appshield.errors import AppShieldError, NotFoundError, RunFailedError
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.kubernetes.kinds import NAMESPACE as NAMESPACES
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_up
from appshield.local.connection import Connection, read_connection
from appshield.local.demo import deploying
from appshield.local.demo.application import NAMESPACE, is_ours
from appshield.local.demo.checker import Violation
from appshield.local.demo.images import ShopImages, push_shop_images
from appshield.local.demo.scenario import run_demo
from appshield.local.demo.timeline import Timeline
from appshield.local.home import Home
from appshield.local.up import run_up
from appshield.local.website import keep_built

_ANSWERS_WITHIN_S = 2.0


async def demo(
    *,
    keep: Annotated[
        bool, Parameter(negative="", help="Leave all of it running to play with, until Ctrl-C.")
    ] = False,
) -> None:
    """Set all up and run the main job: back up hot, destroy, restore; judge what came back.

    Ends with exit code 0 only if everything holds. The local cluster stays up for the next time.
    """
    quiet_logs()
    home = Home.from_environment(os.environ)
    _stop_in_order_when_told()
    timeline = Timeline(Console())
    facts = await _local_cluster(home, timeline)
    with timeline.measure("build and push the application's images"):
        images = await push_shop_images(
            facts.registry,
            cache=home.cache / "images",
            report=timeline.say,
            may_build=os.environ.get("APPSHIELD_NO_INSTALL") != "1",
        )
    async with _installation(home, facts, timeline) as connection:
        violations = await _play(home, facts, connection, images, timeline, keep=keep)
        timeline.print()
        _say_verdict(violations)
        if keep:
            await _keep_running(facts)
    if violations:
        raise failure_of(violations, home.logs)


def failure_of(violations: Sequence[Violation], logs: Path) -> RunFailedError:
    """Say what the demo found: that something did not come back, or only that writers waited."""
    if all(violation.rule == "writes waited" for violation in violations):
        return RunFailedError(
            "the demo found that everything came back, and that writers waited for the backup",
            why="a machine that is busy with other things makes them wait, too",
            next_step="Run it again when nothing else runs here",
        )
    return RunFailedError(
        "the demo found that not everything came back",
        why=f"{len(violations)} of its checks do not hold",
        next_step=f"The services' logs are in {logs}",
    )


def _stop_in_order_when_told() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _local_cluster(home: Home, timeline: Timeline) -> ClusterFacts:
    with timeline.measure("bring the local cluster up"):
        found = await local_facts(home, os.environ.get("KUBECONFIG", ""))
        return found or await cluster_up(ClusterSettings.from_environment(os.environ), timeline.say)


@asynccontextmanager
async def _installation(
    home: Home, facts: ClusterFacts, timeline: Timeline
) -> AsyncIterator[Connection]:
    """Run AppShield for the time of the block, or use the one that runs here already."""
    if (running := await _running_here(home, facts)) is not None:
        timeline.say("AppShield runs here already")
        yield running
        return
    stopping, ready = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(
        run_up(
            home,
            target_of(facts),
            environment=os.environ,
            stopping=stopping,
            report=timeline.say,
            ready=ready,
        ),
        name="up",
    )
    try:
        with timeline.measure("bring AppShield up"):
            await _either(work, ready)
        yield read_connection(home)
    finally:
        stopping.set()
        await work


async def _either(work: asyncio.Task[None], ready: asyncio.Event) -> None:
    """Wait until all is ready; raise the error that came instead."""
    waiting = asyncio.create_task(ready.wait(), name="ready")
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def _running_here(home: Home, facts: ClusterFacts) -> Connection | None:
    """Tell how to reach an AppShield of this home that runs against this cluster."""
    with contextlib.suppress(NotFoundError):
        connection = read_connection(home)
        if Path(connection.kubeconfig) != facts.kubeconfig:
            return None
        with contextlib.suppress(AppShieldError):
            access = connection.bus(PERSON)
            async with connect_bus(access, name="demo", deadline_s=_ANSWERS_WITHIN_S) as bus:
                if await bus.bucket(AGENTS, Agent).keys("planner."):
                    return connection
    return None


async def _play(
    home: Home,
    facts: ClusterFacts,
    connection: Connection,
    images: ShopImages,
    timeline: Timeline,
    *,
    keep: bool,
) -> tuple[Violation, ...]:
    access = ClusterAccess(kubeconfig=str(facts.kubeconfig))
    async with (
        Cluster.connect(access) as cluster,
        connect_bus(connection.bus(PERSON), name="demo") as bus,
    ):
        found = await cluster.get(NAMESPACES, NAMESPACE)
        if found is not None and is_ours(found):
            with timeline.measure("remove what an earlier demo left"):
                await deploying.destroy(cluster, NAMESPACE)
        continuity = BusContinuity(bus, cluster, cluster_name=connection.cluster, shown=Silent())
        violations = await run_demo(
            cluster, continuity, images=images, log=_new_log(home), timeline=timeline
        )
        if not keep:
            await cluster.delete(NAMESPACES, NAMESPACE)  # it goes while we end
        return violations


def _new_log(home: Home) -> Path:
    log = home.folder / "demo" / "writes.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    log.unlink(missing_ok=True)
    return log


def _say_verdict(violations: tuple[Violation, ...]) -> None:
    for violation in violations:
        say(f"does not hold: {violation}")
    if not violations:
        say("everything holds: version 1 is back, nothing acknowledged was lost")


async def _keep_running(facts: ClusterFacts) -> None:
    say(f"all of it stays up until Ctrl-C. For kubectl: export KUBECONFIG={facts.kubeconfig}")
    say(
        "In another terminal: appshield apps; appshield versions shop; appshield backup shop --wait"
    )
    say("In a browser: appshield web")
    with contextlib.suppress(asyncio.CancelledError):
        await keep_built(say)
        await asyncio.Event().wait()
