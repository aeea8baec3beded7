"""`appshield gate`: a version before a pipeline goes on. `appshield down`: no gate any more."""

from typing import Annotated

from cyclopts import Parameter

from appshield.bus import Bus
from appshield.cli.backups import follow
from appshield.cli.options import AppName, Namespace, Output, Wait
from appshield.cli.outcomes import say_outcome
from appshield.cli.output import note, say
from appshield.cli.progress import display
from appshield.cli.reaching import Reach
from appshield.cli.waiting import ended
from appshield.contracts.agents import Agent
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.gates import Operation
from appshield.contracts.streams import AGENTS
from appshield.doors import asking
from appshield.doors.naming import active, wanted
from appshield.doors.records import applications, version_of
from appshield.doors.requesting import ask
from appshield.errors import DamagedError, NotFoundError, RefusedError, UnavailableError


async def gate(
    app: AppName,
    /,
    *,
    namespace: Namespace = "",
    wait: Wait = False,
    before: Annotated[Operation, Parameter(help="What the pipeline is about to do.")] = "rollout",
    about: Annotated[str, Parameter(help="What it changes, for the version's record.")] = "",
    output: Output = "text",
) -> None:
    """Save an application before a pipeline changes it; with --wait exit code 0 lets it go on.

    It passes when a good version exists that was cut after this request, and workloads and claims
    still are as the version holds them. The version stays as the application's gate rule says.
    Exit code 4: the application changed meanwhile, ask again; 7: it could not be saved.
    """
    want, reach = wanted(app, namespace), Reach.here()
    async with reach.bus() as bus:
        asker = await reach.asker(bus)
        record = active(await applications(bus), want, asker.cluster)
        if not asking.gate_rule(record, before):
            note(f"warning: no gate of {record.app} holds a {before}; the version stays for ever")
        run = await ask(bus, asking.gate(record, asker, before, about=about))
        if not wait:
            await follow(bus, run, wait=False, output=output)
            return
        done = await ended(bus, run, display())
        say_outcome(done, output=output)
        version = await version_of(bus, record, done.version or 0)
    if version.damage is not None:
        raise DamagedError(
            f"version {version.facts.number} of {record.app} is damaged",
            next_step=f"`appshield version {record.app} {version.facts.number}` says where.",
        )
    await _ensure_unchanged(reach, record, version)


async def down() -> None:
    """Take the gate's webhooks out of the cluster, so that nothing waits for AppShield any more.

    For an installation that is to stay stopped: applications, versions and all else stay. Without
    this, rollouts and deletes of gated applications stay held in namespaces that carry the label
    appshield.io/gate=fail.
    """
    from appshield.watcher.gate_keeping import remove_gate

    reach = Reach.here()
    if await _runs(reach):
        raise RefusedError(
            "AppShield runs, and would bring its gate back at once",
            next_step="Stop it first (Ctrl-C where `appshield up` runs), or take the gate rules "
            "out of the documents.",
        )
    async with reach.cluster() as cluster:
        removed = await remove_gate(cluster)
    for name in removed:
        say(f"{name} removed")
    if not removed:
        note("there was nothing of the gate in the cluster")


async def _ensure_unchanged(
    reach: Reach, record: ApplicationRecord, version: VersionRecord
) -> None:
    """Raise `RefusedError` when something is not any more as the version holds it."""
    from appshield.gateway.standing import Standing

    try:
        reach.cluster_access()
    except NotFoundError:
        note("warning: without KUBECONFIG the version is not compared with the cluster")
        return
    async with reach.cluster() as cluster:
        now = await Standing(cluster).states_in(record.app.namespace)
    held = version.facts.states
    changed = [name for name, state in now.items() if held.get(name, state) != state]
    if changed:
        raise RefusedError(
            f"version {version.facts.number} of {record.app} does not hold what is there now",
            why=f"changed while it was saved: {', '.join(changed)}",
            next_step="Ask again.",
        )


async def _runs(reach: Reach) -> bool:
    """Say whether a watcher is alive on the bus of this installation."""
    try:
        async with reach.bus() as bus:
            return await _watched(bus)
    except (NotFoundError, UnavailableError):
        return False


async def _watched(bus: Bus) -> bool:
    agents = [entry.value async for entry in bus.bucket(AGENTS, Agent).items()]
    return any(agent.service == "watcher" for agent in agents)
