"""Who deletes a document, told to the audit as the API server asks, before it is gone.

On an object that goes nothing can be written, so this is told, and only of an object that is really
there: who finds our port has nothing put on record of what does not exist. That it is gone
is told by the watcher, as the other entry of the same request.
"""

import asyncio
from typing import Protocol

import structlog

from appshield.bus import Bus
from appshield.contracts.audit import AuditEvent
from appshield.doors.documents import document_place, named_document
from appshield.errors import AppShieldError
from appshield.gateway.reviewing import AdmissionRequest
from appshield.service import Clock

_WITHIN_S = 1.2


class Known(Protocol):
    """What is asked of the API server."""

    async def is_there(self, request: AdmissionRequest) -> bool:
        """Say whether the API server has the object that a request is about."""
        ...


class Deletions:
    """Tells who deletes documents; it holds up nobody."""

    def __init__(self, bus: Bus, standing: Known, cluster: str, clock: Clock) -> None:
        self._bus = bus
        self._standing = standing
        self._cluster = cluster
        self._clock = clock

    async def note(self, request: AdmissionRequest) -> None:
        """Put on record that somebody deletes a document; a dry run deletes nothing."""
        if request.dry_run or request.operation != "DELETE":
            return
        try:
            async with asyncio.timeout(_WITHIN_S):
                if await self._standing.is_there(request):
                    await self._bus.publish(self._event(request))
        except (AppShieldError, TimeoutError) as error:
            structlog.get_logger().error("deletion not audited", problem=str(error))

    def _event(self, request: AdmissionRequest) -> AuditEvent:
        kind, namespace, name = request.kind.kind, request.namespace, request.name
        return AuditEvent(
            app=document_place(self._cluster, kind, namespace, name),
            id=f"deletion.{request.uid}",
            teller="gate",
            at=self._clock.now(),
            action="delete-document",
            outcome="begun",
            door="object",
            actor=request.user,
            object=named_document(kind, namespace, name),
            request_id=request.uid_of_object,
        )
