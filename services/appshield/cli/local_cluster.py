"""`appshield cluster`: a real single-node Kubernetes on this machine; and how `up` finds one."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from appshield.cli.options import Output
from appshield.cli.output import note, say, say_fields, say_json, say_table
from appshield.errors import InvalidInputError, RefusedError
from appshield.local.cluster import (
    ClusterFacts,
    ClusterSettings,
    cluster_down,
    cluster_status,
    cluster_up,
)
from appshield.local.home import Home


async def up() -> None:
    """Install, build and start what is missing; returns when pods with volumes can run."""
    facts = await cluster_up(ClusterSettings.from_environment(os.environ), say)
    say_fields((("kubeconfig", str(facts.kubeconfig)), ("registry", facts.registry)))
    note(f"export KUBECONFIG={facts.kubeconfig}   # for kubectl; `appshield up` finds it by itself")


async def down(
    *,
    purge: Annotated[
        bool, Parameter(negative="", help="Delete its data too: objects, volumes, images.")
    ] = False,
) -> None:
    """Stop the cluster: no process, mount, interface or rule stays; its data does."""
    await cluster_down(ClusterSettings.from_environment(os.environ), say, purge=purge)


def status(*, output: Output = "text") -> int:
    """Show the cluster's components; exit code 4 when it does not run."""
    found = cluster_status(ClusterSettings.from_environment(os.environ))
    code = 0 if found.ready else RefusedError.exit_code
    if output == "json":
        say_json(found)
        return code
    state = "ready" if found.ready else "starting" if found.running else "not running"
    say_fields(
        (("cluster", found.name), ("state", state), ("kubeconfig", str(found.kubeconfig or "")))
    )
    if found.components:
        say()
    say_table(
        ("COMPONENT", "STATE", "PID", "STARTS"),
        [
            (
                one.name,
                "ready" if one.ready else "starting" if one.alive else "down",
                str(one.pid) if one.alive else "",
                str(one.starts),
            )
            for one in found.components
        ],
        empty="`appshield cluster up` starts it",
    )
    return code


async def local_facts(home: Home, kubeconfig: str) -> ClusterFacts | None:
    """Give what is known of a local cluster; None when the kubeconfig belongs to none that runs.

    Without a kubeconfig the one of this home is meant.
    """
    settings = _settings_of(home, kubeconfig)
    if settings is None or not cluster_status(settings).running:
        return None
    return await cluster_up(settings, _unsaid)


def _settings_of(home: Home, kubeconfig: str) -> ClusterSettings | None:
    file = Path(kubeconfig).absolute()
    try:
        if not kubeconfig:
            return ClusterSettings.from_environment(os.environ)
        settings = ClusterSettings(home=file.parent, cache=home.cache, name=file.parent.name)
    except InvalidInputError:  # no local cluster can be there
        return None
    return settings if settings.layout.kubeconfig == file else None


def _unsaid(_: str) -> None:
    """Say nothing: the cluster runs already."""
