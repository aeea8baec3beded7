"""Apply objects in dependency order and wait until the application is ready."""

from functools import partial

from appshield.contracts.message import StepCommand
from appshield.contracts.restores import ApplyObjects, ObjectsApplied
from appshield.custody import Custody
from appshield.errors import DeadlineError, NotFoundError, RefusedError, RunFailedError
from appshield.kubernetes import AlreadyExistsError, Cluster, Object, ready
from appshield.kubernetes.kinds import CRD
from appshield.manifests.images import replace_images
from appshield.manifests.objects import Reference, reference_of
from appshield.manifests.relocating import link_owners
from appshield.restorer.cluster_wide import is_shared, make_where_absent
from appshield.restorer.marking import is_ours, is_same_content, mark_of, marked
from appshield.restorer.preparing import ensure_namespace
from appshield.restorer.reading import read_version
from appshield.restorer.targets import described, kind_of, standing
from appshield.service import together
from appshield.service.steps import StepContext, order_of, outcome

_AT_ONCE = 16
_SERVED_TIMEOUT_S = 30.0
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


class Applying:
    """Makes the objects of a version."""

    def __init__(self, *, custody: Custody, cluster: Cluster, ready_timeout_s: float) -> None:
        self._custody = custody
        self._cluster = cluster
        self._ready_timeout_s = ready_timeout_s

    async def apply(self, command: StepCommand, context: StepContext) -> ObjectsApplied:
        """Make every object, wave by wave, and wait for the workloads.

        With `existing` an object that is there is changed to what the version says of it; a claim
        stays as it is, for hardly anything of one can be changed. Where objects were lost, what is
        not ready without them is told.

        Raises:
            RefusedError: an object of somebody else is in the way.
            DeadlineError: a workload is not ready in time.
            RunFailedError: a workload will not become ready.
        """
        order = order_of(command, ApplyObjects)
        async with self._custody.held(order.vault, order.app_id, more_follows=True) as held:
            content = await read_version(held, order)
        await context.ensure_wanted()
        await ensure_namespace(self._cluster, content.objects, order.target_namespace)
        names = {one.image: one.placed for one in order.placements}
        made: dict[Reference, str] = {}
        for wave in (replace_images(wave, names) for wave in content.waves):
            await together((self._make(obj, order, made) for obj in wave), at_once=_AT_ONCE)
            context.moved()
            await self._until_served(wave)
        told = await together(
            self._until_ready(obj, context, told=bool(content.lost))
            for obj in content.objects
            if obj["kind"] in _WORKLOADS
        )
        problems = tuple(filter(None, told))
        return outcome(ObjectsApplied, order, objects=len(content.objects), problems=problems)

    async def _make(self, obj: Object, order: ApplyObjects, made: dict[Reference, str]) -> None:
        """Make one object, its owners linked; remember its uid for those that it owns."""
        mark = mark_of(order)
        if obj["kind"] == "Namespace":
            return  # made before
        if is_shared(obj):
            shared = await make_where_absent(self._cluster, obj, order.paths)
            if shared is not None:
                made[reference_of(obj)] = shared["metadata"]["uid"]
            return
        kind = await kind_of(self._cluster, obj)
        if kind is None:
            raise NotFoundError(
                f"{described(obj)} cannot be restored",
                why=f"this cluster does not serve {obj['apiVersion']}",
                next_step="Install what defines that kind, then restore again.",
            )
        try:
            there = await self._cluster.create(kind, marked(link_owners(obj, made), mark))
        except AlreadyExistsError:
            other = await standing(self._cluster, obj)
            ours = other is not None and (is_ours(other, mark) or is_same_content(obj, other))
            if other is None or not (order.existing or ours):
                raise RefusedError(
                    f"{described(obj)} came into the way while restoring",
                    next_step="Delete it and restore again; what is done already is kept.",
                ) from None
            there = other
            if not ours and obj["kind"] != "PersistentVolumeClaim":
                there = await self._cluster.apply(kind, link_owners(obj, made))
        made[reference_of(obj)] = there["metadata"]["uid"]

    async def _until_served(self, wave: tuple[Object, ...]) -> None:
        definitions = [obj for obj in wave if obj["kind"] == "CustomResourceDefinition"]
        for definition in definitions:
            name = definition["metadata"]["name"]
            await self._cluster.wait_for(
                CRD, name, "", _is_ready, timeout_s=_SERVED_TIMEOUT_S, what=f"kind {name} served"
            )
        if definitions:
            self._cluster.refresh()

    async def _until_ready(self, obj: Object, context: StepContext, *, told: bool) -> str:
        """Wait for a workload; return why it is not ready, where that is to be told only."""
        kind = await kind_of(self._cluster, obj)
        if kind is None:
            return ""
        try:
            await self._cluster.wait_for(
                kind,
                obj["metadata"]["name"],
                obj["metadata"].get("namespace", ""),
                partial(_moves_to_ready, context, described(obj)),
                timeout_s=self._ready_timeout_s,
                what=f"{described(obj)} ready",
            )
        except (DeadlineError, RunFailedError) as error:
            if not told:
                raise
            return str(error)
        return ""


def _is_ready(obj: Object | None) -> bool:
    return obj is not None and ready(obj).state == "ready"


def _moves_to_ready(context: StepContext, what: str, obj: Object | None) -> bool:
    """Each change that the watch sees is progress of the step."""
    context.moved()
    if obj is None:
        return False
    found = ready(obj)
    if found.state == "failed":
        raise RunFailedError(
            f"{what} does not become ready",
            why=found.reason,
            next_step="Look at its pods; what is restored stays, and the restore can be repeated.",
        )
    return found.state == "ready"
