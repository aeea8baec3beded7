"""The planner's own look at who asks: it comes before whatever a request asks for.

A request is taken at its word only as far as its subject goes, since that is what the server of the
bus has let its sender publish. Doors other than `bus` belong to services that have made sure who
asks; at `bus` it is the sender's own grant that counts.
"""

import structlog

from appshield.bus import Bus, Reject
from appshield.contracts.identities import RunKind, run_id, same_place
from appshield.contracts.message import Request
from appshield.contracts.requests import RequestApprove, RequestRestore
from appshield.contracts.runs import Failure
from appshield.contracts.streams import GRANTS
from appshield.doors import actions
from appshield.doors.grants import Grant, refusal
from appshield.doors.requesting import KINDS
from appshield.doors.wanting import Need
from appshield.planner.minting import asked, new_run
from appshield.planner.queueing import Queue
from appshield.planner.runs import Runs
from appshield.service import Clock

_DENIED = Failure(what="whoever wrote the Restore lacks a right")


class Authorizing:
    """Lets requests pass, or ends them."""

    def __init__(self, *, bus: Bus, runs: Runs, queue: Queue, clock: Clock) -> None:
        self._grants = bus.bucket(GRANTS, Grant)
        self._runs = runs
        self._queue = queue
        self._clock = clock

    async def passes(self, request: Request, subject: str) -> bool:
        """Say whether a request goes on; one that does not has its refusal as a failed run.

        Raises:
            Reject: it says something else than its subject, or is one that becomes no run.
        """
        if subject != request.subject():
            raise Reject(
                f"a request has to be published on {request.subject()}, by what it says: "
                "its subject ends in the place, the door and the actor"
            )
        if request.door == "object" and isinstance(request, RequestRestore) and request.denied:
            await self._refuse(request, "restore", request.refusal or _DENIED)
            return False
        if request.door != "bus":
            return True
        entry = await self._grants.get(request.actor)
        why = refusal(request, entry.value if entry else None)
        if why is None and entry is not None and isinstance(request, RequestApprove):
            why = await self._elsewhere(request, entry.value)
        kind = KINDS.get(type(request))
        if kind is not None:
            await self._ensure_own(request, kind)
        if why is None:
            return True
        structlog.get_logger().warning("refused", actor=request.actor, why=str(why))
        if kind is None:
            raise Reject(str(why))
        await self._refuse(request, kind, why)
        return False

    async def _refuse(self, request: Request, kind: RunKind, why: Failure) -> None:
        now = self._clock.now()
        await self._queue.refuse(new_run(kind, request.app, asked(request, now), now), why)

    async def _elsewhere(self, request: RequestApprove, grant: Grant) -> Failure | None:
        """Say what is missing where a restore goes that somebody approves of."""
        entry = await self._runs.get(request.run)
        restore = entry.value.restore if entry else None
        if restore is None or grant.allows(Need(actions.APPROVE, restore.target_namespace)):
            return None
        return Failure(
            what=f"{grant.name} may not {actions.APPROVE.does} into {restore.target_namespace}",
            why=f"it is {grant.role} in {', '.join(grant.namespaces)}",
        )

    async def _ensure_own(self, request: Request, kind: RunKind) -> None:
        """Make sure that no request takes the identity of somebody else's."""
        entry = await self._runs.get(run_id(kind, f"request/{request.request_id}"))
        if entry is None:
            return
        run = entry.value
        if not same_place(run.app, request.app) or run.trigger.actor != request.actor:
            raise Reject(f"the request id {request.request_id} is that of somebody else's request")
