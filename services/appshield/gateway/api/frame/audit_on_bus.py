"""What the REST API tells the audit: reads of data before they begin, and whoever was denied.

Commands need no word from here: the planner tells what became of them, with the caller and the
address that they carry.
"""

import asyncio
import uuid

import structlog
from litestar.types import Scope
from msgspec.structs import replace

from appshield.bus import Bus, trace_id
from appshield.contracts.audit import AuditEvent
from appshield.contracts.identities import AppRef
from appshield.errors import AppShieldError, DeniedError
from appshield.gateway.api.frame.audit import Act, Auditor
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.rights import Right, right_of
from appshield.gateway.api.frame.tries import Tried, Tries
from appshield.service import Clock

TELLER = "gateway"
NOBODY = "nobody known"
_PATHS_MAX = 20
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
                cause=act.cause,
                reason=act.reason,
                request_id=act.request_id,
                trace_id=trace_id(),
            )
        )


class Denials:
    """Tells of requests that were denied: who and what at once, how often more a minute later."""

    def __init__(self, window_s: float = _WINDOW_S) -> None:
        self._tries = Tries()
        self._window_s = window_s
        self._closing: set[asyncio.Task[None]] = set()

    async def told(self, error: Exception, scope: Scope) -> None:
        """Tell of a denial; the hook that is called with every error of a route."""
        if not isinstance(error, DeniedError | UnauthenticatedError):
            return
        act = _denied(caller_in(scope), scope, error.what)
        caller = act.caller
        known = bool(caller.name)
        what = f"{act.object} {act.reason}"
        tried = self._tries.begun(caller.name or caller.address, what, known=known)
        if tried is None:
            return
        auditor = scope["litestar_app"].state.backend.auditor
        closing = asyncio.create_task(self._close(tried, act, auditor), name="denials of a minute")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await _tell(auditor, act)

    async def _close(self, tried: Tried, act: Act, auditor: Auditor) -> None:
        await asyncio.sleep(self._window_s)
        more = self._tries.closed(tried, known=bool(act.caller.name))
        if not more:
            return
        what = "the same" if tried.what else "this and other things"
        who = "" if tried.who else " by this one and others"
        again = f"{what} was denied {more} times more{who} within {self._window_s:g} s"
        await _tell(auditor, replace(act, reason=f"{act.reason}; {again}"))


async def _tell(auditor: Auditor, act: Act) -> None:
    try:
        async with asyncio.timeout(_TELL_WITHIN_S):
            await auditor.record(act)
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
