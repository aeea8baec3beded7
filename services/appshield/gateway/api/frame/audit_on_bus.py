"""What the REST API tells the audit: reads of data before they begin, and whoever was denied.

Commands need no word from here: the planner tells what became of them, with the caller and the
address that they carry.
"""

import asyncio
import time
import uuid

import structlog
from litestar.types import Scope

from appshield.bus import Bus, trace_id
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef
from appshield.errors import AppShieldError, DeniedError
from appshield.gateway.api.frame.audit import Act
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError
from appshield.gateway.api.frame.damping import Damping
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.rights import Right, right_of
from appshield.service import Clock

TELLER = "gateway"
NOBODY = "nobody known"
_PATHS_MAX = 20
_DENIALS_OF_ONE = 5
_DENIALS_OF_STRANGERS = 60
_WINDOW_S = 60.0
_TELL_WITHIN_S = 2.0


class BusAuditor:
    """Tells the audit over the bus; what it returns from is stored there."""

    def __init__(self, bus: Bus, cluster: str, clock: Clock) -> None:
        self._bus = bus
        self._cluster = cluster
        self._clock = clock

    async def record(self, act: Act) -> None:
        """See `Auditor.record`."""
        caller = act.caller
        await self._bus.publish(
            AuditEvent(
                app=AppRef(cluster=self._cluster, namespace=act.namespace, name=act.name),
                id=str(uuid.uuid4()),
                teller=TELLER,
                at=self._clock.now(),
                action=act.action,
                outcome=act.outcome,
                door="rest",
                actor=caller.name or NOBODY,
                address=caller.address,
                authenticated_by=caller.how if caller.name else "",
                versions=act.versions,
                paths=act.paths[:_PATHS_MAX],
                size_bytes=act.size_bytes,
                vault=act.vault,
                object=act.object,
                reason=act.reason,
                request_id=act.request_id,
                trace_id=trace_id(),
            )
        )


class Denials:
    """Tells of requests that were denied, some of each caller a minute, and how many more."""

    def __init__(self) -> None:
        self._of_one = Damping(times=_DENIALS_OF_ONE, window_s=_WINDOW_S)
        self._of_strangers = Damping(times=_DENIALS_OF_STRANGERS, window_s=_WINDOW_S)

    async def told(self, error: Exception, scope: Scope) -> None:
        """Tell of a denial; the hook that is called with every error of a route."""
        if not isinstance(error, DeniedError | UnauthenticatedError):
            return
        caller, now_s = caller_in(scope), time.monotonic()
        untold = self._of_one.untold(caller.name or caller.address, now_s)
        if untold is not None and not caller.name:
            untold = self._of_strangers.untold("", now_s)
        if untold is None:
            return
        more = f", and {untold} more in the minute before" if untold else ""
        try:
            async with asyncio.timeout(_TELL_WITHIN_S):
                backend: Backend = scope["litestar_app"].state.backend
                await backend.auditor.record(_denied(caller, scope, f"{error.what}{more}"))
        except (AppShieldError, TimeoutError) as problem:
            structlog.get_logger().error("denial not audited", problem=str(problem))


def caller_in(scope: Scope) -> Caller:
    """Return who asks, without a name where nobody was recognized."""
    user, client = scope.get("user"), scope.get("client")
    if isinstance(user, Caller):
        return user
    return Caller(name="", address=client[0] if client else "")


def _denied(caller: Caller, scope: Scope, reason: str) -> Act:
    right = right_of(scope["route_handler"]) if "route_handler" in scope else None
    places = scope.get("path_params") or {}
    return Act(
        caller=caller,
        action=_name(right),
        outcome="denied",
        namespace=str(places.get("namespace", "")),
        name=str(places.get("name", "")),
        object=f"{scope.get('method', 'GET')} {scope['path']}",
        reason=reason,
        request_id=request_id(scope),
    )


def _name(right: Right | None) -> str:
    if right is None:
        return "ask"
    return right.action.name if right.action is not None else right.told_as
