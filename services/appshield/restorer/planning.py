"""Plan a restore: what would be made or changed, or what is in the way. Touches nothing."""

from collections.abc import Iterator

from msgspec.structs import replace

from appshield.capture import CapturedComponent
from appshield.capture.layout import dump_source, volume_source
from appshield.contracts.message import StepCommand
from appshield.contracts.restores import PlanRestore, RestorePlanned
from appshield.contracts.sources import DumpTarget, VolumeTarget
from appshield.custody import Custody
from appshield.errors import InvalidInputError, RefusedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import PVC
from appshield.restorer.cluster_wide import absent, is_shared
from appshield.restorer.feeding import loads_from_volumes
from appshield.restorer.marking import is_ours, mark_of
from appshield.restorer.reading import VersionContent, read_version
from appshield.restorer.sharing import shared_data
from appshield.restorer.stopping import ensure_unused
from appshield.restorer.targets import (
    described,
    ensure_free,
    ensure_namespace_lives,
    present_of,
)
from appshield.service.steps import StepContext, order_of, outcome

_LOST_TOLD_MAX = 50


class Planning:
    """Plans restores."""

    def __init__(self, *, custody: Custody, cluster: Cluster) -> None:
        self._custody = custody
        self._cluster = cluster

    async def plan(self, command: StepCommand, context: StepContext) -> RestorePlanned:
        """Read the version and the target; refuse a target that is not free, or is in use.

        Raises:
            RefusedError: objects are there and `existing` was not asked for; or a pod runs that
                uses a volume which is to be written.
            NotFoundError: the version holds nothing at one of the paths.
            InvalidInputError: the paths contradict each other.
        """
        order = order_of(command, PlanRestore)
        more = not order.dry_run
        async with self._custody.held(order.vault, order.app_id, more_follows=more) as held:
            context.moved()
            content = await read_version(held, order)
        context.moved()
        dumps = dumps_to_load(content, order)
        await ensure_namespace_lives(self._cluster, order.target_namespace)
        self._cluster.refresh()
        own = [obj for obj in content.objects if not is_shared(obj)]
        present: list[Object] = []
        if order.existing:
            present = await present_of(self._cluster, own, mark_of(order))
        else:
            await ensure_free(self._cluster, own, mark_of(order))
        shared, told = await absent(self._cluster, content.objects, order.paths)
        volumes = [await self._looked_at(target, order) for target in _volumes(content, order)]
        if not order.dry_run:
            written = {volume.claim for volume in volumes if volume.present}
            await ensure_unused(self._cluster, order.target_namespace, written)
        return outcome(
            RestorePlanned,
            order,
            objects=tuple(described(obj) for obj in (*shared, *own)),
            present=tuple(described(obj) for obj in present),
            volumes=tuple(volumes),
            dumps=dumps,
            warnings=(*told, *content.warnings),
            lost=content.lost[:_LOST_TOLD_MAX],
            lost_total=len(content.lost),
            images=content.images,
        )

    async def _looked_at(self, target: VolumeTarget, order: PlanRestore) -> VolumeTarget:
        found = await self._cluster.get(PVC, target.claim, target.namespace)
        present = found is not None and not is_ours(found, mark_of(order))
        return replace(target, present=present)


def _volumes(content: VersionContent, order: PlanRestore) -> tuple[VolumeTarget, ...]:
    own = (
        VolumeTarget(source=volume_source(claim), claim=claim, namespace=order.target_namespace)
        for claim in content.volumes
    )
    stored = list(content.volumes)
    return (*own, *shared_data(content.application.components, content.objects, stored))


def dumps_to_load(content: VersionContent, order: PlanRestore) -> tuple[DumpTarget, ...]:
    """Choose the load commands to run.

    Of dumps those that paths name, else those that are a component's only data; without being named
    none is loaded onto data that is there. Without a dump, restored volumes hold what the command
    of a restored workload reads. Pure.

    Raises:
        InvalidInputError: a dump and a volume of one component are both chosen.
        RefusedError: a dump would go into a component that runs already, unasked.
    """
    named = bool(order.paths)
    made = {(obj["kind"], obj["metadata"]["name"]) for obj in content.objects}
    chosen = [
        part
        for part in content.application.components
        if part.name in content.dumps
        and (named or (part.strategy == "dump" and not order.existing))
    ]
    restored = set(content.volumes)
    for part in chosen:
        both = [
            one.claim
            for one in content.application.volumes
            if one.component == part.name and one.claim in restored
        ]
        if both:
            raise InvalidInputError(
                f"the dump and the volume {both[0]} of component {part.name} are both chosen",
                why="one of them is the data; the other would be loaded over it",
                next_step="Choose one of them with --path.",
            )
        if (part.workload_kind, part.workload_name) not in made and not order.existing:
            raise RefusedError(
                f"the dump of {part.name} would be loaded into what runs already",
                next_step="Ask for that with --existing, or restore its manifests with it.",
            )
    return tuple(
        DumpTarget(
            source=dump_source(part.name), component=part.name, namespace=order.target_namespace
        )
        for part in (*chosen, *_loaded_from_volumes(content, made))
    )


def _loaded_from_volumes(
    content: VersionContent, made: set[tuple[str, str]]
) -> Iterator[CapturedComponent]:
    for part in content.application.components:
        is_made = (part.workload_kind, part.workload_name) in made
        if is_made and content.volumes and loads_from_volumes(part):
            yield part
