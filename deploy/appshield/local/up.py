"""`appshield up`: all of AppShield on one machine, against a cluster.

In order: the embedded message bus and object store (unless others are named), the kinds and the
Vault `primary` in the cluster, then the services, each kept running. Told to stop, it all stops in
the reverse order; what was stored stays.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from appshield.bus import BusAccess, connect_bus
from appshield.contracts.permissions import UserSpec, users_of
from appshield.gateway.access.login_links import LIVES_S, link, new_code
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.local.agent_account import AgentAccount
from appshield.local.bus_users import tell_grants
from appshield.local.connection import Connection, write_connection
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.local.forking.parent import fork_parent
from appshield.local.forking.services import ForkedService, ServiceParent, ServicesTogether
from appshield.local.home import Home
from appshield.local.keeping import keep_running, keep_serving
from appshield.local.programs import (
    Surroundings,
    environment_of,
    environment_of_parent,
    programs_of,
)
from appshield.local.vaults import add_vault, ensure_free_or_ours
from appshield.local.web import until_answered, web_address, web_port
from appshield.watcher.kinds import install_kinds

PRIMARY = "primary"

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """The cluster to protect, and how its node's volumes can be reached from this machine.

    `gate_host` is this machine, as the API server sees it; empty where it cannot reach it. The API
    server shows a certificate there that `gate_client_ca_file` has signed.
    """

    access: ClusterAccess
    node: str = ""
    kubelet_root: str = ""
    holder_image: str = ""
    registry_hosts: str = ""
    gate_host: str = ""
    gate_client_ca_file: str = ""
    name: str = ""


async def run_up(
    home: Home,
    target: Target,
    *,
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    report: Report,
    ready: asyncio.Event | None = None,
    parent: ServiceParent | None = None,
    take_over: bool = False,
    separate: bool = False,
) -> None:
    """Run AppShield until told to stop; `ready` is set when every service is being started.

    `parent` becomes the services, one of our own if none is given. With `separate` each service is
    a process of its own, which it forks. With `take_over` the Vault `primary` may be that of
    another installation and is replaced.

    Raises:
        RefusedError: the cluster's Vault `primary` is another one.
    """
    home.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = (await named(target)).name
    async with (
        _started(parent or service_parent(home, environment)) as services,
        _bus(home, environment, users_of(name, target.node), report) as (users, bus_server),
        _store(home, environment, report) as store,
    ):
        await _install(home, target, store, report, take_over=take_over)
        async with connect_bus(users("installer"), name="installer") as bus:
            await bus.ensure_topology()
            if bus_server is not None:
                await tell_grants(bus, bus_server.granted())
        surroundings = _surroundings(name, target, home, environment)
        web = web_address(environment, surroundings.web_port)
        _tell_others(home, users("person"), surroundings, web)
        environments = {
            program: environment_of(
                program, bus=users(program), surroundings=surroundings, ours=environment
            )
            for program in programs_of(target.node)
        }
        async with asyncio.TaskGroup() as tasks:
            for label, server in (("message bus", bus_server), ("object store", store)):
                if server is not None:
                    kept = keep_serving(label, server, stopping=stopping, report=report)
                    tasks.create_task(kept, name=label)
            for program in _processes(services, environments, home, separate=separate):
                keeping = keep_running(program, pids=home.pids, stopping=stopping, report=report)
                tasks.create_task(keeping, name=program.name)
            tasks.create_task(_keep_account(home, target, stopping, report), name="agents' token")
            report(f"AppShield runs: {', '.join(environments)}; logs in {home.logs}")
            tasks.create_task(_greet(web, home, stopping, report), name="login link")
            if ready is not None:
                ready.set()


def _processes(
    parent: ServiceParent,
    environments: Mapping[str, Mapping[str, str]],
    home: Home,
    *,
    separate: bool,
) -> Sequence[ForkedService | ServicesTogether]:
    """Describe the processes that the services are: one, or as many."""
    if not separate:
        return [ServicesTogether(parent, environments)]
    return [
        ForkedService(name, parent, environment=one, log_file=home.logs / f"{name}.log")
        for name, one in environments.items()
    ]


async def named(target: Target) -> Target:
    """Return the target with the name that its cluster has on the bus."""
    if target.name:
        return target
    async with Cluster.connect(target.access) as cluster:
        return replace(target, name=await cluster.uid())


async def _install(
    home: Home,
    target: Target,
    store: EmbeddedObjectStore | None,
    report: Report,
    *,
    take_over: bool,
) -> None:
    """Put into the cluster what AppShield needs there."""
    async with Cluster.connect(target.access) as cluster:
        if store is not None and not take_over:
            await ensure_free_or_ours(cluster, PRIMARY, store.credentials)
        report("installing AppShield's kinds and the Vault in the cluster")
        await install_kinds(cluster)
        if store is not None:
            await add_vault(
                cluster,
                home,
                name=PRIMARY,
                location=store.location(),
                credentials=store.credentials,
                agent_credentials=store.agent_credentials,
                make_bucket=False,
            )
    if target.node:
        await _account(home, target).install()


async def _keep_account(
    home: Home, target: Target, stopping: asyncio.Event, report: Report
) -> None:
    if target.node:
        await _account(home, target).keep(stopping, report)


def _account(home: Home, target: Target) -> AgentAccount:
    return AgentAccount(target.access, home.agents)


def service_parent(
    home: Home, environment: Mapping[str, str], *, fork: bool = False
) -> ServiceParent:
    """Describe what forks the services.

    With `fork` it is forked at once, from this process, so that they share memory with it, too. It
    must not have a thread or an event loop then.
    """
    log_file, theirs = home.logs / "services.log", environment_of_parent(environment)
    if not fork:
        return ServiceParent(environment=theirs, log_file=log_file)
    log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    forked = fork_parent(log_file, theirs)
    return ServiceParent(environment=theirs, log_file=log_file, forked=forked)


def _surroundings(
    name: str, target: Target, home: Home, environment: Mapping[str, str]
) -> Surroundings:
    """Say what the services of this installation have in common."""
    return Surroundings(
        cluster=name,
        kubeconfig=target.access.kubeconfig,
        context=target.access.context,
        node=target.node,
        kubelet_root=target.kubelet_root,
        holder_image=target.holder_image,
        registry_hosts=target.registry_hosts,
        agents_kubeconfig=str(_account(home, target).kubeconfig),
        gate_host=target.gate_host,
        gate_client_ca_file=target.gate_client_ca_file,
        gate_port=_free_port(target.gate_host) if target.gate_host else 0,
        web_port=web_port(environment),
        login_folder=str(home.logins),
    )


def _free_port(host: str) -> int:
    """Find a port for the gate; the API server is told of it, so it stays while AppShield runs."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _started(parent: ServiceParent) -> AsyncIterator[ServiceParent]:
    """Start what forks the services; it imports them while the servers start."""
    await parent.start()
    try:
        yield parent
    finally:
        await parent.stop()


async def _greet(web: str, home: Home, stopping: asyncio.Event, report: Report) -> None:
    """Say where people look and act, once somebody answers there."""
    if await until_answered(web, stopping):
        report(f"look and act in a browser: {link(web, new_code(home.logins))}")
        report(f"the link works once, for {LIVES_S // 60} minutes; `appshield web` makes another")


def _tell_others(home: Home, person: BusAccess, surroundings: Surroundings, web: str) -> None:
    """Let other commands on this machine find bus and cluster."""
    home.pids.mkdir(exist_ok=True)
    write_connection(
        home,
        Connection(
            nats_url=person.url,
            users_folder=str(Path(person.seed_file).parent) if person.seed_file else "",
            kubeconfig=surroundings.kubeconfig,
            context=surroundings.context,
            cluster=surroundings.cluster,
            web=web,
        ),
    )


@asynccontextmanager
async def _bus(
    home: Home, environment: Mapping[str, str], known: Sequence[UserSpec], report: Report
) -> AsyncIterator[tuple[Callable[[str], BusAccess], EmbeddedBus | None]]:
    """Give the access of each user to the bus that is named, else to the embedded one, and that.

    The embedded one knows the users that are `known` here, and those that were added.
    """
    url = environment.get("APPSHIELD_NATS_URL", "")
    if url:
        seeds = environment.get("APPSHIELD_NATS_USERS", "")
        report(f"using the message bus at {url}")

        def access(user: str) -> BusAccess:
            return BusAccess(url=url, user=user, seed_file=f"{seeds}/{user}.nk" if seeds else "")

        yield access, None
        return
    report("starting the message bus")
    async with EmbeddedBus(home.bus, users=known) as embedded:
        yield embedded.access, embedded


@asynccontextmanager
async def _store(
    home: Home, environment: Mapping[str, str], report: Report
) -> AsyncIterator[EmbeddedObjectStore | None]:
    """Run the embedded object store, unless Vaults elsewhere are to be used alone."""
    if environment.get("APPSHIELD_STORE") == "none":
        report("no object store of our own: add a Vault with `appshield vault add`")
        yield None
        return
    report("starting the object store")
    async with EmbeddedObjectStore(home.store) as embedded:
        yield embedded
