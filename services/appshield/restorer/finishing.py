"""Finish a restore: resume it, remove pods that held volumes, take the marks off what was made.

A cut is made while the application is quiesced, so the volumes may say that it still is.

After a failure the marks stay: the next restore of the same version knows its work by them.
"""

import msgspec
import structlog

from appshield.contracts.message import StepCommand
from appshield.contracts.restores import FinishRestore, RestoreFinished
from appshield.custody import Custody
from appshield.errors import NotFoundError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import POD
from appshield.podvolumes import remove, selector_of
from appshield.podvolumes.hooks import ContainerHooks
from appshield.restorer.marking import RESTORING, is_content, is_ours, mark_of
from appshield.restorer.reading import VersionContent, read_version
from appshield.restorer.targets import WORKLOADS, all_standing, kind_of
from appshield.service import together
from appshield.service.steps import StepContext, order_of, outcome


class Finishing:
    """Ends restores."""

    def __init__(self, *, custody: Custody, cluster: Cluster) -> None:
        self._custody = custody
        self._cluster = cluster
        self._hooks = ContainerHooks(cluster)

    async def finish(self, command: StepCommand, context: StepContext) -> RestoreFinished:
        """Leave nothing but the application, or after a failure what can be gone on with.

        Raises:
            RunFailedError: a resume hook failed.
        """
        order = order_of(command, FinishRestore)
        await self._remove_holders(order)
        context.moved()
        if not (order.failed or order.dry_run):
            async with self._custody.held(order.vault, order.app_id) as held:
                content = await read_version(held, order)
            if any(obj["kind"] in WORKLOADS for obj in content.objects):
                await self._resume(content, order.target_namespace)
            context.moved()
            mark = mark_of(order)
            bearing = [obj for obj in content.objects if not is_content(obj)]
            found = await all_standing(self._cluster, bearing)
            await together(self._unmark(obj, mark) for obj in found if obj is not None)
        return outcome(RestoreFinished, order)

    async def _remove_holders(self, order: FinishRestore) -> None:
        pods = await self._cluster.list(
            POD, namespace=order.target_namespace, label_selector=selector_of(order.run)
        )
        await together(remove(self._cluster, POD, pod) for pod in pods)

    async def _resume(self, content: VersionContent, namespace: str) -> None:
        """Resume every component that is quiesced for a cut, where it runs."""
        application = msgspec.structs.replace(
            content.application, namespace=namespace, objects=tuple(content.objects)
        )
        for part in application.components:
            if part.quiesce is None or part.resume is None or part.strategy == "none":
                continue
            try:
                await self._hooks.run(application, part, part.resume)
            except NotFoundError as error:
                structlog.get_logger().warning("nothing to resume", problem=str(error))

    async def _unmark(self, obj: Object, mark: str) -> None:
        kind = await kind_of(self._cluster, obj)
        if kind is None or not is_ours(obj, mark):
            return
        meta = obj["metadata"]
        patch = {"metadata": {"annotations": {RESTORING: None}}}
        await self._cluster.merge_patch(
            kind, meta["name"], patch, namespace=meta.get("namespace", "")
        )
