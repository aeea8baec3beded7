"""`appshield up`: run all of AppShield on this machine, against a cluster."""

import asyncio
import os
import signal
from typing import Annotated

from cyclopts import Parameter

from appshield.cli.local_cluster import local_facts
from appshield.cli.output import quiet_logs, say
from appshield.errors import NotFoundError
from appshield.kubernetes import ClusterAccess
from appshield.local.cluster import ClusterFacts
from appshield.local.forking.services import ServiceParent
from appshield.local.home import Home
from appshield.local.up import Target, named, run_up, service_parent
from appshield.local.website import keep_built


def up(
    *,
    context: Annotated[str, Parameter(help="The context of the kubeconfig to use.")] = "",
    kubeconfig: Annotated[str, Parameter(help="The kubeconfig file to use.")] = "",
    take_over: Annotated[
        bool,
        Parameter(negative="", help="Replace the Vault `primary` of another installation."),
    ] = False,
    separate: Annotated[
        bool,
        Parameter(
            negative="",
            help="Run each service as a process of its own: twice the memory, but one can be "
            "stopped, watched or limited alone.",
        ),
    ] = False,
) -> None:
    """Run AppShield on this machine until Ctrl-C: message bus, object store, services.

    The cluster is the one that --kubeconfig or --context names, else $KUBECONFIG, else the local
    cluster that `appshield cluster up` made.
    """
    quiet_logs()
    home = Home.from_environment(os.environ)
    target = asyncio.run(_reached(home, kubeconfig=kubeconfig, context=context))
    # between two loops: the services share the memory of what is imported and was used by now
    parent = service_parent(home, os.environ, fork=True)
    asyncio.run(_run(home, target, parent, take_over=take_over, separate=separate))


async def _reached(home: Home, *, kubeconfig: str, context: str) -> Target:
    """Find the cluster and ask it who it is."""
    return await named(await find_target(home, kubeconfig=kubeconfig, context=context))


async def _run(
    home: Home, target: Target, parent: ServiceParent, *, take_over: bool, separate: bool
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    building = asyncio.create_task(keep_built(say), name="web interface")
    try:
        await run_up(
            home,
            target,
            environment=os.environ,
            stopping=stopping,
            report=say,
            parent=parent,
            take_over=take_over,
            separate=separate,
        )
    finally:
        building.cancel()
        await asyncio.wait({building})
    say("stopped; what was stored stays")


async def find_target(home: Home, *, kubeconfig: str, context: str) -> Target:
    """Find the cluster to protect, and how its volumes can be reached.

    Raises:
        NotFoundError: nothing names a cluster and no local one runs.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    if not context and (facts := await local_facts(home, named)) is not None:
        say(f"using the local cluster (node {facts.node_name})")
        return target_of(facts)
    if not named and not context:
        raise NotFoundError(
            "there is no cluster to protect",
            why="neither --kubeconfig, --context nor KUBECONFIG names one, and no local one runs",
            next_step="Start a local one with `appshield cluster up`, or name yours.",
        )
    say(f"using the cluster of {' '.join(part for part in (named, context) if part)}")
    say("its volumes cannot be reached from here: run agents on its nodes for these")
    return Target(access=ClusterAccess(kubeconfig=named, context=context))


def target_of(facts: ClusterFacts) -> Target:
    """Describe a local cluster, whose volumes this machine can reach."""
    return Target(
        access=ClusterAccess(kubeconfig=str(facts.kubeconfig)),
        node=facts.node_name,
        kubelet_root=str(facts.kubelet_root),
        holder_image=facts.pause_image,
        registry_hosts=str(facts.registry_hosts),
        gate_host=facts.host,
        gate_client_ca_file=str(facts.webhook_certificate),
    )
