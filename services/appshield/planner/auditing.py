"""The planner tells the audit what people and tools asked it for, and what it did by itself.

It tells before the cause is acknowledged, so what is lost on the way is told again, under the same
identity. A wish that cannot be told is not done with: it comes again.
"""

from collections.abc import Awaitable, Callable
from typing import get_args

from appshield.bus import Bus, Delivery, Reject, Retry, trace_id
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Reaction
from appshield.contracts.message import Door, Request
from appshield.contracts.streams import PLANNER_REQUESTS
from appshield.doors.requesting import KINDS, run_asked_for
from appshield.planner import witnessing
from appshield.planner.runs import Runs
from appshield.service import Clock


class Auditing:
    """Tells what became of wishes, and what reactions did."""

    def __init__(self, *, bus: Bus, runs: Runs, clock: Clock) -> None:
        self._bus = bus
        self._runs = runs
        self._clock = clock

    async def handled(
        self,
        delivery: Delivery,
        request: Request,
        handle: Callable[[Request, str], Awaitable[bool]],
    ) -> None:
        """Handle a request and tell what became of it, also where nothing did.

        `handle` takes it with its subject, and says whether whoever asks may.
        """
        try:
            may = await handle(request, delivery.subject)
        except Reject as reject:
            forged = delivery.subject != request.subject()
            asker = asker_in(delivery.subject) if forged else None
            await self._asked(request, refused=reject.why, asker=asker)
            raise
        except Retry:
            raise
        except Exception as error:
            if delivery.deliveries >= PLANNER_REQUESTS.deliver_max:
                await self._asked(request, refused=f"it failed: {type(error).__name__}")
            raise
        await self._asked(request, denied=not may)

    async def reacted(
        self,
        record: ApplicationRecord,
        reaction: Reaction,
        identity: str,
        problem: str = "",
        *,
        action: str = "",
    ) -> None:
        """Tell what a reaction of a policy did; `problem` says why it could not."""
        event = witnessing.reacted(
            record.app, reaction, identity, self._clock.now(), problem=problem, action=action
        )
        await self._bus.publish(event)

    async def _asked(
        self,
        request: Request,
        *,
        refused: str = "",
        denied: bool = False,
        asker: tuple[Door, str] | None = None,
    ) -> None:
        becomes_run = type(request) in KINDS
        run = run_asked_for(request) if becomes_run else getattr(request, "run", "")
        entry = await self._runs.get(run) if run else None
        await self._bus.publish(
            witnessing.asked(
                request,
                entry.value if entry else None,
                self._clock.now(),
                refused=refused,
                denied=denied,
                asker=asker,
                trace_id=trace_id(),
            )
        )


def asker_in(subject: str) -> tuple[Door, str] | None:
    """Say who alone can publish a wish there, None for a subject that does not say. Pure."""
    *_, door, actor = subject.split(".")
    known = next((one for one in get_args(Door) if one == door), None)
    return (known, actor) if known is not None else None
