"""Prepare volumes: the namespace, the claims, and a pod that mounts each on some node."""

import contextlib
import hashlib

from msgspec.structs import replace

from appshield.contracts.message import StepCommand
from appshield.contracts.restores import PrepareVolumes, VolumesPrepared
from appshield.contracts.sources import VolumeTarget
from appshield.custody import Custody
from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import AlreadyExistsError, Cluster, Object
from appshield.kubernetes.kinds import NAMESPACE, POD, PVC
from appshield.manifests.relocating import link_owners
from appshield.podvolumes import holder_pod, is_block, is_placed, is_running
from appshield.restorer.marking import is_ours, mark_of, marked
from appshield.restorer.reading import read_version
from appshield.restorer.stopping import stop_ours, users_of
from appshield.service import together
from appshield.service.steps import StepContext, order_of, outcome


class Preparing:
    """Makes claims and pods that mount them."""

    def __init__(
        self, *, custody: Custody, cluster: Cluster, holder_image: str, timeout_s: float
    ) -> None:
        self._custody = custody
        self._cluster = cluster
        self._image = holder_image
        self._timeout_s = timeout_s

    async def prepare(self, command: StepCommand, context: StepContext) -> VolumesPrepared:
        """Make every claim of the order and tell where each is being mounted.

        Raises:
            RefusedError: a claim is somebody else's, or a pod uses it.
        """
        order = order_of(command, PrepareVolumes)
        if order.dry_run:
            return await self._prepare_to_look(order, context)
        async with self._custody.held(order.vault, order.app_id, more_follows=True) as held:
            content = await read_version(held, order)
        context.moved()
        await context.ensure_wanted()
        await ensure_namespace(self._cluster, content.objects, order.target_namespace)
        claims = {
            obj["metadata"]["name"]: obj
            for obj in content.objects
            if obj["kind"] == "PersistentVolumeClaim"
        }
        mark = mark_of(order)
        await stop_ours(
            self._cluster,
            content.objects,
            mark,
            namespace=order.target_namespace,
            claims={volume.claim for volume in order.volumes},
            timeout_s=self._timeout_s,
        )
        prepared = await together(
            self._prepare_one(order, volume, claims.get(volume.claim), mark, context)
            for volume in order.volumes
        )
        return outcome(VolumesPrepared, order, volumes=tuple(prepared))

    async def _prepare_to_look(
        self, order: PrepareVolumes, context: StepContext
    ) -> VolumesPrepared:
        """Tell where each volume can be read: in a pod that uses it, else in one of ours."""
        prepared = []
        for volume in order.volumes:
            users = await users_of(self._cluster, volume.namespace, {volume.claim})
            running = next((pod for pod in users if is_running(pod)), None)
            if running is None:
                standing = await self._cluster.get(PVC, volume.claim, volume.namespace)
                prepared.append(await self._hold(order, volume, standing, context, read_only=True))
            else:
                prepared.append(_mounted_in(volume, running))
        return outcome(VolumesPrepared, order, volumes=tuple(prepared))

    async def _prepare_one(
        self,
        order: PrepareVolumes,
        volume: VolumeTarget,
        claim: Object | None,
        mark: str,
        context: StepContext,
    ) -> VolumeTarget:
        if volume.present:
            standing = await self._cluster.get(PVC, volume.claim, volume.namespace)
            return await self._hold(order, volume, standing, context, read_only=False)
        if claim is None:
            raise NotFoundError(
                f"the version holds data of volume {volume.claim} but not its claim",
                next_step="Restore another version, or create the claim by hand.",
            )
        await self._make_claim(claim, mark)
        return await self._hold(order, volume, claim, context, read_only=False)

    async def _hold(
        self,
        order: PrepareVolumes,
        volume: VolumeTarget,
        claim: Object | None,
        context: StepContext,
        *,
        read_only: bool,
    ) -> VolumeTarget:
        """Have a volume mounted by a pod of our own."""
        name = f"appshield-{order.run}-{hashlib.sha256(volume.claim.encode()).hexdigest()[:8]}"
        pod = holder_pod(
            name=name,
            namespace=volume.namespace,
            claim=volume.claim,
            image=self._image,
            run=order.run,
            read_only=read_only,
            block=claim is not None and is_block(claim),
        )
        with contextlib.suppress(AlreadyExistsError):  # made by an earlier attempt of this run
            await self._cluster.create(POD, pod)
        placed = await self._cluster.wait_for(
            POD,
            name,
            volume.namespace,
            is_placed,
            timeout_s=self._timeout_s,
            what=f"volume {volume.claim} given a node",
        )
        context.moved()
        return _mounted_in(volume, placed)

    async def _make_claim(self, claim: Object, mark: str) -> None:
        metadata = claim["metadata"]
        try:
            await self._cluster.create(PVC, marked(link_owners(claim, {}), mark))
        except AlreadyExistsError:
            standing = await self._cluster.get(PVC, metadata["name"], metadata["namespace"])
            if standing is None or not is_ours(standing, mark):
                raise RefusedError(
                    f"claim {metadata['namespace']}/{metadata['name']} is somebody else's",
                    next_step="Delete it, or restore into another namespace with --to.",
                ) from None


def _mounted_in(volume: VolumeTarget, pod: Object) -> VolumeTarget:
    metadata = pod["metadata"]
    return replace(
        volume, node=pod["spec"]["nodeName"], pod=metadata["name"], pod_uid=metadata["uid"]
    )


async def ensure_namespace(cluster: Cluster, objects: list[Object], namespace: str) -> None:
    """Make the target namespace if it is missing, as the version has it."""
    if await cluster.get(NAMESPACE, namespace) is not None:
        return
    plain: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    kept = next((obj for obj in objects if obj["kind"] == "Namespace"), plain)
    with contextlib.suppress(AlreadyExistsError):
        await cluster.create(NAMESPACE, kept)
