"""Glass that was broken while nobody answered at the gate, put on record afterwards.

The gate tells who breaks it while it is asked. While AppShield is dead the API server lets pass
what carries the annotation, and nobody is told. So what a gate protects is kept: what each workload
says, and the reason that it carries. What says something else when it is seen again and carries a
reason, or is gone and carried one, passed by that. It is told in any case; the writer of the audit
leaves out what the gate has told of the same change.

Who it was the API server has not told anybody: there is only the tool that wrote the annotation, as
it calls itself. An object that was annotated and deleted while AppShield was away leaves no trace.
"""

import asyncio
from typing import Final

import msgspec
import structlog

from appshield.bus import Bucket, Bus, Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.audit import AuditEvent
from appshield.contracts.gates import Operation, change_passed
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import CURSORS
from appshield.gate import BREAK_GLASS
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, NAMESPACE, PVC, STATEFUL_SET
from appshield.manifests.objects import annotations_of, labels_of, mapping, metadata
from appshield.manifests.states import template_of
from appshield.service import Clock
from appshield.watcher.gated_applications import GatedApplications
from appshield.watcher.informers import Informers

TELLER: Final = "watcher"
UNKNOWN: Final = "unknown (nobody answered at the gate)"
KINDS: Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, PVC, NAMESPACE)
"""What waits at gates."""
_REASON_MAX: Final = 400
_OURS: Final = ("app.kubernetes.io/managed-by", "appshield")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A cursor: an object at a gate, as it was seen last.

    `says` is a digest of its pod template, `glass` the reason that it carries, `tool` what wrote
    that; `going` is one that is deleted and still there.
    """

    uid: str
    kind: str
    namespace: str
    name: str
    generation: int
    says: str
    glass: str
    tool: str
    going: bool = False


class BrokenGlass:
    """Follows what gates protect, and tells what passed by a broken glass."""

    metadata_only = False

    def __init__(
        self,
        *,
        bus: Bus,
        records: Watchable[ApplicationRecord],
        informers: Informers,
        cluster_name: str,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._gated = GatedApplications(records, cluster_name)
        self._informers = informers
        self._clock = clock
        self._prefix = f"_glass.{cluster_name.replace('.', '_')}."
        self._cursors: Bucket[Standing] = bus.bucket(CURSORS, Standing)
        self._known: dict[str, Standing] = {}

    async def keep_told(self, stopping: asyncio.Event) -> None:
        """Tell what passed until told to stop; nothing is watched while nothing is gated."""
        entries = self._cursors.items(self._prefix)
        self._known = {entry.value.uid: entry.value async for entry in entries}
        async for _ in self._gated.changes(stopping):
            for kind in KINDS:
                if self._gated.any:
                    self._informers.follow(kind, self)
                    self._informers.read_again(kind)
                else:
                    self._informers.unfollow(kind, self)

    def keep(self, kind: Kind, obj: Object) -> Standing | None:
        """See `Follower`; None where no gate is."""
        meta = metadata(obj)
        place = str(meta["name"] if kind == NAMESPACE else meta.get("namespace", ""))
        if not self._gated.is_gated(place) or labels_of(obj).get(_OURS[0]) == _OURS[1]:
            return None
        glass = str(annotations_of(obj).get(BREAK_GLASS) or "").strip()
        return Standing(
            uid=str(meta["uid"]),
            kind=kind.kind,
            namespace=place,
            name=str(meta["name"]),
            generation=int(meta.get("generation") or 0),
            says=template_of(obj),
            glass=glass[:_REASON_MAX],
            tool=_tool(obj) if glass else "",
            going="deletionTimestamp" in meta,
        )

    async def replace(self, kind: Kind, kept: list[Standing | None]) -> None:
        """See `Follower`: what is known and not in the set is gone."""
        present = {one.uid for one in kept if one is not None}
        for one in kept:
            await self.changed(kind, one)
        for known in [one for one in self._known.values() if one.kind == kind.kind]:
            if known.uid not in present:
                await self.deleted(kind, known if self._gated.is_gated(known.namespace) else None)
                await self._forget(known.uid)

    async def changed(self, _kind: Kind, kept: Standing | None) -> None:
        """See `Follower`: of an object that is seen for the first time nothing is told."""
        known = self._known.get(kept.uid) if kept is not None else None
        if kept is None or known == kept:
            return
        if known is not None and kept.glass and not known.going:
            if kept.going:
                await self._tell(kept, "delete")
            elif known.says != kept.says:
                await self._tell(kept, "rollout")
        await self._cursors.put(f"{self._prefix}{kept.uid}", kept)
        self._known[kept.uid] = kept

    async def deleted(self, _kind: Kind, kept: Standing | None) -> None:
        """See `Follower`."""
        known = self._known.get(kept.uid) if kept is not None else None
        if kept is None or known is None:
            return
        if kept.glass and not known.going:
            await self._tell(kept, "delete")
        await self._forget(kept.uid)

    async def unknown(self, _kind: Kind) -> None:
        """See `Follower`: nobody says that anything is gone."""

    async def _forget(self, uid: str) -> None:
        if uid in self._known:
            await self._cursors.delete(f"{self._prefix}{uid}")
            del self._known[uid]

    async def _tell(self, one: Standing, operation: Operation) -> None:
        for app in self._gated.of(one.namespace, operation):
            await self._bus.publish(self._event(app, one, operation))
            structlog.get_logger().warning(
                "glass was broken", app=str(app), about=f"{one.kind} {one.name}", reason=one.glass
            )

    def _event(self, app: AppRef, one: Standing, operation: Operation) -> AuditEvent:
        change = change_passed(one.uid, operation, one.generation)
        tool = f" with {one.tool}" if one.tool else ""
        return AuditEvent(
            app=app,
            id=f"{change}.{app.name}",
            teller=TELLER,
            at=self._clock.now(),
            action="break-glass",
            outcome="allowed",
            door="gate",
            actor=UNKNOWN,
            object=f"{operation} of {one.kind} {one.name}",
            cause=one.glass,
            reason=f"found afterwards; the annotation was written{tool}",
            request_id=change,
        )


def _tool(obj: Object) -> str:
    """Name the tool that wrote the annotation, as it calls itself."""
    for manager in metadata(obj).get("managedFields") or ():
        fields = mapping(mapping(mapping(manager, "fieldsV1"), "f:metadata"), "f:annotations")
        if f"f:{BREAK_GLASS}" in fields:
            return str(manager.get("manager", ""))[:100]
    return ""
