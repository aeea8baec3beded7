"""AppShield itself: who asks and what they may, its version, how it is."""

from datetime import datetime
from importlib.metadata import version

import msgspec
from litestar import get
from litestar.types import ControllerRouterHandler

from appshield.contracts.agents import Agent
from appshield.contracts.streams import AGENTS
from appshield.doors.actions import ACTIONS
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import Namespace
from appshield.gateway.api.frame.rights import anyone, public
from appshield.rights.access import EVERYWHERE

_TAGS = ["AppShield"]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as the cluster knows them, and how they were recognized."""

    name: str
    groups: tuple[str, ...]
    how: str


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller may do in a namespace, or everywhere where that is empty."""

    namespace: str
    actions: tuple[str, ...]


class AboutVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Which AppShield answers."""

    version: str
    api: str = "v1"


class ServiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A process of AppShield that is alive; with a `node` it reaches the volumes there."""

    service: str
    cluster: str
    worker: str
    node: str
    seen_at: datetime


class AppShieldHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How AppShield itself is: `problems` is empty while all is well."""

    services: tuple[ServiceSeen, ...]
    problems: tuple[str, ...]


@get("/me", opt=anyone(), tags=_TAGS)
async def show_me(caller: AsCaller) -> Me:
    """Say who asks."""
    return Me(name=caller.name, groups=caller.groups, how=caller.how)


@get("/me/permissions", opt=anyone(), tags=_TAGS)
async def show_permissions(
    backend: OnBackend, caller: AsCaller, namespace: Namespace = EVERYWHERE
) -> Permissions:
    """Say what the caller may do in a namespace, by the names of actions."""
    allowed = [
        action.name for action in ACTIONS if await backend.access.may(caller, action, namespace)
    ]
    return Permissions(namespace=namespace, actions=tuple(allowed))


@get("/version", opt=anyone(), tags=_TAGS)
async def show_release() -> AboutVersion:
    """Say which AppShield answers."""
    return AboutVersion(version=version("appshield"))


@get("/health", opt=anyone(), tags=_TAGS)
async def show_health(backend: OnBackend) -> AppShieldHealth:
    """Say how AppShield itself is: which of its services are alive, what is wrong."""
    agents = [entry.value async for entry in backend.bus.bucket(AGENTS, Agent).items()]
    services = [
        ServiceSeen(
            service=agent.service,
            cluster=agent.cluster,
            worker=agent.worker,
            node=agent.node,
            seen_at=agent.seen_at,
        )
        for agent in sorted(agents, key=lambda one: (one.service, one.node, one.worker))
    ]
    alive = {agent.service for agent in agents if not agent.node}  # agents of nodes do a part
    missing = [f"no {one} is alive" for one in _NEEDED if one not in alive]
    bus = await backend.bus.health()
    return AppShieldHealth(services=tuple(services), problems=tuple(filter(None, [*missing, bus])))


@get("/healthz", opt=public(), include_in_schema=False)
async def live() -> str:
    """Say that this process answers, and nothing else."""
    return "ok"


_NEEDED = ("watcher", "planner", "snapshotter", "uploader", "restorer")

ROUTES: tuple[ControllerRouterHandler, ...] = (
    show_me,
    show_permissions,
    show_release,
    show_health,
)
OPEN_ROUTES: tuple[ControllerRouterHandler, ...] = (live,)
