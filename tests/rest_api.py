"""The REST API in one process: callers by token and rights by table, over any bus."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
import msgspec
from litestar import Litestar
from litestar.testing import AsyncTestClient

from appshield.bus import Bus
from appshield.errors import NotFoundError, UnavailableError
from appshield.gateway.access.authenticating import Authenticating
from appshield.gateway.api.application import api
from appshield.gateway.api.frame.audit import Act, Auditor
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller, Credentials, UnauthenticatedError
from appshield.gateway.api.frame.clusters import OneCluster
from appshield.gateway.api.frame.logins import LeftFor, LoginMethods, Session
from appshield.gateway.api.known.progress import HeardProgress
from appshield.gateway.api.known.views import BusViews
from appshield.gateway.api.known.watched_views import WatchedViews
from appshield.gateway.api.live.listeners import Feed
from appshield.gateway.measuring import VaultMeasures
from appshield.gateway.opened_versions import OpenedVersions
from appshield.gateway.replaying import ParkedMessages
from appshield.gateway.serving import Server
from appshield.gateway.unprotected_workloads import UnprotectedWorkloads
from appshield.kubernetes import Actor, Cluster
from appshield.language.kinds import GROUP
from appshield.rights.access import EVERYWHERE, Access
from appshield.rights.restoring import ServedKind
from appshield.service import SystemClock
from appshield.vault import VaultAccess

CLUSTER = "test"
ADMIN = "admin"


class TokensByName:
    """Takes a token for the name of its caller; those that nobody gave it are nobody's."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    async def caller(self, credentials: Credentials) -> Caller:
        """Say who that is."""
        if credentials.bearer not in self._names:
            raise UnauthenticatedError(
                "the token is not known", next_step="Send one of the cluster's."
            )
        return Caller(name=credentials.bearer, address=credentials.address)


class NoLogins:
    """Begins no session."""

    def methods(self) -> LoginMethods:
        """Offer nothing."""
        return LoginMethods(login_link=False)

    async def recognize(self, *, code: str, bearer: str, address: str) -> Session:
        """Refuse."""
        raise UnauthenticatedError("nobody logs in here")

    async def leave(self, *, back_to: str) -> LeftFor:
        """Know no provider."""
        raise NotFoundError("nobody logs in at a provider here")

    async def arrive(
        self, answer: Mapping[str, str], *, secret: str, back_to: str, address: str
    ) -> Session:
        """Refuse."""
        raise UnauthenticatedError("nobody logs in here")

    async def begin(self, session: Session) -> str:
        """Begin none."""
        raise UnauthenticatedError("nobody logs in here")

    async def end(self, name: str) -> Session | None:
        """End nothing."""
        return None


class RightsByTable:
    """Allows what a table says: for each name the (verb, resource, namespace) that it has."""

    def __init__(self, table: Mapping[str, frozenset[tuple[str, str, str]]]) -> None:
        self._table = table

    async def allows(
        self,
        caller: Actor,
        verb: str,
        resource: str,
        namespace: str,
        *,
        name: str = "",
        group: str = GROUP,
    ) -> bool:
        """Say whether the table has it, there or everywhere; of other groups as `pods.` + group."""
        if group != GROUP:
            resource = f"{resource}.{group}"
        if caller.name == ADMIN:
            return True
        rights = self._table.get(caller.name, frozenset())
        return bool({(verb, resource, namespace), (verb, resource, EVERYWHERE)} & rights)


class KindsByTable:
    """A cluster that serves some kinds, and has every namespace but `absent`."""

    async def served(self, kind: str) -> ServedKind | None:
        """Return the kind that is named like `Deployment.apps`, None where it is not served."""
        return _SERVED.get(kind)

    async def has_namespace(self, name: str) -> bool:
        """Say whether a namespace is there."""
        return name != "absent"


_SERVED = {
    "ConfigMap": ServedKind(group="", resource="configmaps"),
    "Deployment.apps": ServedKind(group="apps", resource="deployments"),
    "PersistentVolumeClaim": ServedKind(group="", resource="persistentvolumeclaims"),
    "Namespace": ServedKind(group="", resource="namespaces", namespaced=False),
    "ClusterRole.rbac.authorization.k8s.io": ServedKind(
        group="rbac.authorization.k8s.io", resource="clusterroles", namespaced=False
    ),
    "Application.appshield.io": ServedKind(group=GROUP, resource="applications"),
}


class RecordedActs:
    """Keeps what the audit is told; a port of the API."""

    def __init__(self) -> None:
        self.acts: list[Act] = []

    async def record(self, act: Act) -> None:
        """Keep it."""
        self.acts.append(act)


class NoCluster:
    """Stands for a cluster that is away."""

    def own(self) -> Cluster:
        """Have none."""
        raise UnavailableError("the cluster cannot be asked now")

    def in_name_of(self, _caller: Caller) -> Cluster:
        """Have none."""
        return self.own()


async def no_vault(name: str) -> VaultAccess:
    """Know no Vault."""
    raise NotFoundError(f"Vault {name} does not exist")


def rest_backend(
    bus: Bus,
    table: Mapping[str, frozenset[tuple[str, str, str]]] | None = None,
    authenticating: Authenticating | None = None,
    *,
    cluster: Cluster | None = None,
    vaults: Callable[[str], Awaitable[VaultAccess]] = no_vault,
    auditor: Auditor | None = None,
) -> Backend:
    """Build the ports of the API over a bus; callers are recognized by their names, or as is said.

    There is a cluster, and Vaults, where a test gives them.
    """
    table, clusters = table or {}, OneCluster(cluster) if cluster else NoCluster()
    access, clock = Access(RightsByTable(table)), SystemClock()
    return Backend(
        bus=bus,
        cluster=CLUSTER,
        views=BusViews(bus),
        access=access,
        authenticator=authenticating or TokensByName(frozenset({ADMIN, *table})),
        logins=authenticating or NoLogins(),
        clock=clock,
        kinds=KindsByTable(),
        feed=Feed(WatchedViews(bus), access, clock, CLUSTER),
        progress=HeardProgress(clock),
        dead_letters=ParkedMessages(bus, None),
        clusters=clusters,
        contents=OpenedVersions(vaults),
        measures=VaultMeasures(vaults, clock),
        workloads=UnprotectedWorkloads(clusters.own),
        auditor=auditor or RecordedActs(),
        identity_key=b"of these gateways",
    )


def rest_api(
    bus: Bus,
    table: Mapping[str, frozenset[tuple[str, str, str]]] | None = None,
    authenticating: Authenticating | None = None,
    *,
    cluster: Cluster | None = None,
    vaults: Callable[[str], Awaitable[VaultAccess]] = no_vault,
    auditor: Auditor | None = None,
) -> Litestar:
    """Build the API over the ports that `rest_backend` makes of the same."""
    backend = rest_backend(
        bus, table, authenticating, cluster=cluster, vaults=vaults, auditor=auditor
    )
    return api(backend, "0.0.0")


def client_of(application: Litestar, name: str = ADMIN) -> AsyncTestClient[Litestar]:
    """Talk to the API as somebody."""
    client = AsyncTestClient(application)
    if name:
        client.headers["Authorization"] = f"Bearer {name}"
    return client


def problem_of(content: bytes) -> Mapping[str, object]:
    """Read problem details."""
    return msgspec.json.decode(content, type=dict[str, object])


@asynccontextmanager
async def served(application: Litestar) -> AsyncIterator[str]:
    """Serve the API on loopback, in this event loop; gives its address."""
    server, stopping = Server(application, socket.create_server(("127.0.0.1", 0))), asyncio.Event()
    serving = asyncio.create_task(server.serve_until(stopping))
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        stopping.set()
        await serving


@asynccontextmanager
async def talking_to(address: str, name: str = ADMIN) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to an API that is served, as somebody."""
    headers = {"Authorization": f"Bearer {name}"} if name else {}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
        yield client
