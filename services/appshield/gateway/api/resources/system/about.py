"""AppShield itself: who asks and what they may, its version, how it is."""

from importlib.metadata import version

import msgspec
from litestar import get
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import ACTIONS
from appshield.doors.own_health import AppShieldHealth, own_health
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
    return await own_health(backend.bus)


@get("/healthz", opt=public(), include_in_schema=False)
async def live() -> str:
    """Say that this process answers, and nothing else."""
    return "ok"


ROUTES: tuple[ControllerRouterHandler, ...] = (
    show_me,
    show_permissions,
    show_release,
    show_health,
)
OPEN_ROUTES: tuple[ControllerRouterHandler, ...] = (live,)
