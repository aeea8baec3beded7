"""Take a snapshot: read, promise, quiesce, cut, resume, and only then make it readable.

    read the application ─► refuse what cannot be saved ─► stage what a resume would need
    promise to resume ─► quiesce ─► cut every volume ─► resume, whatever happened
    read again, and again if it changed ─► stage ─┬─► tell the sources
    expose each snapshot ─────────────────────────┘

The application waits from the first quiesce hook until every snapshot is cut, and not longer.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from appshield.application.capturing import capture, kinds_of, profiles_of
from appshield.application.readiness import plan_of
from appshield.application.reading import Reading, read_application
from appshield.bus import Bucket
from appshield.capture import CapturedApplication
from appshield.capture.layout import MANIFESTS, dump_source, volume_source
from appshield.contracts.backups import DocumentRevision, SnapshotTaken, TakeSnapshot
from appshield.contracts.health import MemberRef, Members
from appshield.contracts.message import StepCommand
from appshield.contracts.sources import AnySource, DumpSource, ManifestsSource, VolumeSource
from appshield.errors import UnavailableError
from appshield.kubernetes import Cluster
from appshield.manifests.consistency import consistency
from appshield.manifests.objects import reference_of
from appshield.manifests.states import states
from appshield.manifests.volumes import VolumePlan, VolumePlanning
from appshield.podvolumes.components import container_of, running_pods
from appshield.podvolumes.hooks import chosen_pods
from appshield.service import SystemClock, both, run_blocking, together
from appshield.service.steps import StepContext, order_of, outcome
from appshield.snapshotter.archiving import image_sources
from appshield.snapshotter.cutting import Cut, SnapshotWanted, cut
from appshield.snapshotter.exposing import Exposing
from appshield.snapshotter.quiescing import Quiescing, Shelves, quiesced_parts
from appshield.snapshotter.releasing import Releasing

_READS_MAX = 4
_WARNINGS_MAX = 40
_MEMBERS_MAX = 8_000
_WARNING_CHARACTERS_MAX = 300


class PointInTime(msgspec.Struct, frozen=True, kw_only=True):
    """What the cut gave: the snapshots, when, how long the application waited."""

    cuts: tuple[Cut, ...]
    at: datetime
    quiesced_ms: int
    quiesced: tuple[str, ...]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The application as two readings agree on it: staged under `sha256`, with its states."""

    captured: CapturedApplication
    sha256: str
    states: dict[str, str]
    profiles: tuple[DocumentRevision, ...]


class Taking:
    """Takes snapshots."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        quiescing: Quiescing,
        releasing: Releasing,
        shelves: Shelves,
        exposing: Exposing,
        members: Bucket[Members],
        cut_timeout_s: float,
    ) -> None:
        self._cluster = cluster
        self._members = members
        self._quiescing = quiescing
        self._releasing = releasing
        self._shelves = shelves
        self._exposing = exposing
        self._cut_timeout_s = cut_timeout_s
        self._clock = SystemClock()

    async def take(self, command: StepCommand, context: StepContext) -> SnapshotTaken:
        """Cut a point in time of the application and make its sources readable.

        Raises:
            RefusedError: something of it cannot be saved as the document stands.
            RunFailedError: a hook or a snapshot failed.
        """
        order = order_of(command, TakeSnapshot)
        before, _ = await both(
            read_application(self._cluster, order.app),
            self._quiescing.release(order.app_id, order.run),
        )
        planning = plan_of(before)
        if planning.volumes:
            # what an earlier attempt cut holds another moment, and would be no point in time
            await self._releasing.remove_objects(order.run, order.app.namespace, context.moved)
        captured = capture(before, planning.volumes)
        context.moved()
        point = await self._cut(order, captured, planning.volumes, context)
        context.moved()
        settled, (volumes, _) = await both(
            self._settled(order, before, captured, planning),
            both(
                self._volumes(order, before, planning.volumes, point.cuts, context),
                self._members.put(order.app_id, members_of(order, before)),
            ),
        )
        context.moved()
        captured, sha256 = settled.captured, settled.sha256
        dumps = await self._dumps(order, captured, sha256)
        images = await image_sources(self._cluster, before, captured, sha256)
        return outcome(
            SnapshotTaken,
            order,
            sources=(_manifests(captured, sha256), *volumes, *dumps, *images),
            consistency=consistency(
                before.application,
                planning.volumes,
                quiesced=point.quiesced,
                dumped=[dump.component for dump in dumps],
            ),
            revision=captured.revision,
            cut_at=point.at,
            quiesced_ms=point.quiesced_ms,
            skipped=tuple(f"{left.name}: {left.reason}" for left in planning.left_out),
            warnings=bounded(captured.warnings),
            states=settled.states,
            kinds=kinds_of(captured.objects),
            profiles=settled.profiles,
        )

    async def _cut(
        self,
        order: TakeSnapshot,
        captured: CapturedApplication,
        plan: Sequence[VolumePlan],
        context: StepContext,
    ) -> PointInTime:
        """Quiesce, cut, and resume whatever happens in between."""
        staged = ""
        if quiesced_parts(captured.components):
            staged = await self._staged(order, captured)
        await context.ensure_wanted()
        async with self._quiescing.quiesced(
            order, captured, staged, block_s=self._cut_timeout_s
        ) as quiesced:
            cuts = await cut(
                self._cluster,
                run=order.run,
                namespace=order.app.namespace,
                wanted=[
                    SnapshotWanted(volume.claim, volume.snapshot_class)
                    for volume in plan
                    if volume.method == "snapshot"
                ],
                timeout_s=self._cut_timeout_s,
            )
        return PointInTime(
            cuts=tuple(cuts),
            at=max((one.at for one in cuts), default=self._clock.now()),
            quiesced_ms=quiesced.lasted_ms,
            quiesced=quiesced.components if quiesced.whole else (),
        )

    async def _settled(
        self,
        order: TakeSnapshot,
        reading: Reading,
        captured: CapturedApplication,
        planning: VolumePlanning,
    ) -> Settled:
        """Stage the manifests, read again unless all of them are known to be of one moment.

        Where something was cut or quiesced since the first reading, that moment is over.
        """
        nothing_done = not planning.volumes and not quiesced_parts(captured.components)
        if not (nothing_done and reading.of_one_moment):
            reading, captured = await self._agreed(order, captured, planning)
        return Settled(
            captured=captured,
            sha256=await self._staged(order, captured),
            states=states(reading.membership.objects),
            profiles=profiles_of(reading),
        )

    async def _agreed(
        self, order: TakeSnapshot, captured: CapturedApplication, planning: VolumePlanning
    ) -> tuple[Reading, CapturedApplication]:
        """Read the manifests until two readings agree."""
        for _ in range(_READS_MAX):
            reading = await read_application(self._cluster, order.app)
            _ensure_same_volumes(plan_of(reading), planning)
            again = capture(reading, planning.volumes)
            same = again.encode() == captured.encode()
            captured = again
            if same:
                break
        else:
            warning = "the objects kept changing while they were read"
            captured = msgspec.structs.replace(captured, warnings=(*captured.warnings, warning))
        return reading, captured

    async def _staged(self, order: TakeSnapshot, captured: CapturedApplication) -> str:
        """Put what was captured where the uploader finds it; return its digest."""
        shelf = await self._shelves.shelf(order.vault, order.app_id)
        content = captured.encode()
        return await run_blocking(lambda _: shelf.stage(order.run, content))

    async def _volumes(
        self,
        order: TakeSnapshot,
        reading: Reading,
        plan: Sequence[VolumePlan],
        cuts: Sequence[Cut],
        context: StepContext,
    ) -> list[VolumeSource]:
        claims = {claim["metadata"]["name"]: claim for claim in reading.claims}
        by_claim = {one.claim: one for one in cuts}

        async def source(volume: VolumePlan) -> VolumeSource:
            if volume.claim not in by_claim:
                return _live(volume, order.app.namespace)
            exposed = await self._exposing.expose(
                order.run, by_claim[volume.claim], claims[volume.claim], volume.node
            )
            context.moved()
            return VolumeSource(
                name=volume_source(volume.claim),
                node=exposed.node,
                method="snapshot",
                pod_namespace=self._exposing.namespace,
                pod=exposed.pod,
                pod_uid=exposed.pod_uid,
                claim=exposed.exposed_claim,
                original_claim=volume.claim,
                component=volume.component,
                reason=volume.reason,
            )

        return await together(source(volume) for volume in plan)

    async def _dumps(
        self, order: TakeSnapshot, captured: CapturedApplication, sha256: str
    ) -> list[DumpSource]:
        found = []
        for part in captured.components:
            if part.dump is None or part.strategy == "none":
                continue
            pods = await running_pods(self._cluster, order.app.namespace, part)
            pod = chosen_pods(pods, part.dump)[0]
            found.append(
                DumpSource(
                    name=dump_source(part.name),
                    component=part.name,
                    pod_namespace=order.app.namespace,
                    pod=pod["metadata"]["name"],
                    container=container_of(pod, part.dump),
                    staged_sha256=sha256,
                )
            )
        return found


def members_of(order: TakeSnapshot, reading: Reading) -> Members:
    """Name the objects of the application, no more than a message can hold."""
    named = [reference_of(obj) for obj in reading.membership.objects[:_MEMBERS_MAX]]
    return Members(
        app=order.app,
        app_id=order.app_id,
        run=order.run,
        objects=tuple(
            MemberRef(group=one.group, kind=one.kind, namespace=one.namespace, name=one.name)
            for one in named
        ),
    )


def bounded(warnings: Sequence[str]) -> tuple[str, ...]:
    """Cut warnings to what fits into a message; all of them stay in the version."""
    lines = [warning[:_WARNING_CHARACTERS_MAX] for warning in warnings[:_WARNINGS_MAX]]
    if len(warnings) > _WARNINGS_MAX:
        lines.append(f"and {len(warnings) - _WARNINGS_MAX} more")
    return tuple(lines)


def _ensure_same_volumes(now: VolumePlanning, then: VolumePlanning) -> None:
    """A claim that came or went while the point in time was cut makes it no point in time.

    Raises:
        UnavailableError: the volumes are others now; cutting again may find them at rest.
    """
    others = {volume.claim for volume in now.volumes} ^ {volume.claim for volume in then.volumes}
    if others:
        raise UnavailableError(
            "the application's volumes changed while it was saved",
            why=f"{', '.join(sorted(others))} came or went",
            next_step="It is tried again.",
        )


def _manifests(captured: CapturedApplication, sha256: str) -> AnySource:
    return ManifestsSource(
        name=MANIFESTS,
        sha256=sha256,
        objects=len(captured.objects),
        images=len(captured.images),
    )


def _live(volume: VolumePlan, namespace: str) -> VolumeSource:
    return VolumeSource(
        name=volume_source(volume.claim),
        node=volume.node,
        method="live",
        pod_namespace=namespace,
        pod=volume.pod,
        pod_uid=volume.pod_uid,
        claim=volume.claim,
        original_claim=volume.claim,
        component=volume.component,
        reason=volume.reason,
    )
