"""Pausing an application: nothing that changes it or its versions begins by itself meanwhile.

Triggers and reactions do not act, no version expires. What is asked for by hand is done, versions
are copied to where they are to be, and repositories are checked.
"""

import structlog
from msgspec.structs import replace

from appshield.bus import Bus, Reject
from appshield.contracts.applications import ApplicationRecord, Pause, PauseChanged
from appshield.contracts.requests import RequestPause
from appshield.planner.registry import Registry
from appshield.service import Clock


class Pausing:
    """Pauses applications and lets them go on."""

    def __init__(self, *, bus: Bus, registry: Registry, clock: Clock) -> None:
        self._bus = bus
        self._registry = registry
        self._clock = clock

    async def admit(self, request: RequestPause) -> None:
        """Admit a wish to pause an application, or to let it go on.

        Raises:
            Reject: there is no such application.
        """
        records = self._registry.histories_of(request.app)
        active = next((record for record in records if record.state == "active"), None)
        if active is None:
            raise Reject(f"application {request.app} is unknown and cannot be paused or resumed")
        await self.change(active, request)

    async def change(self, record: ApplicationRecord, request: RequestPause) -> None:
        """Pause an application or let it go on; one that is paused already stays as it is."""
        if request.paused == (record.paused is not None):
            return
        await self._bus.publish(
            PauseChanged(
                app=record.app,
                request=request.request_id,
                paused=request.paused,
                actor=request.actor,
                reason=request.reason,
            )
        )
        pause = Pause(at=self._clock.now(), actor=request.actor, reason=request.reason)
        await self._registry.write(replace(record, paused=pause if request.paused else None))
        structlog.get_logger().info(
            "paused" if request.paused else "not paused any more",
            app=str(record.app),
            actor=request.actor,
        )
