"""Plan a restore: what would be made, or what is in the way. Touches nothing."""

from appshield.capture.layout import DUMPS, VOLUMES
from appshield.contracts.message import StepCommand
from appshield.contracts.restores import PlanRestore, RestorePlanned
from appshield.contracts.sources import DumpTarget, VolumeTarget
from appshield.custody import Custody, HeldRepository
from appshield.kubernetes import Cluster
from appshield.repository import Reader
from appshield.restorer.cluster_wide import absent, is_shared
from appshield.restorer.feeding import loads_from_volumes
from appshield.restorer.marking import mark_of
from appshield.restorer.reading import VersionContent, read_version
from appshield.restorer.sharing import shared_data
from appshield.restorer.targets import described, ensure_free, ensure_namespace_lives
from appshield.service import Cancelled, run_blocking
from appshield.service.steps import StepContext, order_of, outcome


class Planning:
    """Plans restores."""

    def __init__(self, *, custody: Custody, cluster: Cluster) -> None:
        self._custody = custody
        self._cluster = cluster

    async def plan(self, command: StepCommand, context: StepContext) -> RestorePlanned:
        """Read the version and the target; refuse a target that is not free."""
        order = order_of(command, PlanRestore)
        async with self._custody.held(order.vault, order.app_id) as held:
            context.moved()
            content = await read_version(held, order)
            sources = await run_blocking(lambda _: _sources(held, content, _))
        context.moved()
        await ensure_namespace_lives(self._cluster, order.target_namespace)
        self._cluster.refresh()
        own = [obj for obj in content.objects if not is_shared(obj)]
        await ensure_free(self._cluster, own, mark_of(order))
        shared, told = await absent(self._cluster, content.objects)
        return outcome(
            RestorePlanned,
            order,
            objects=tuple(described(obj) for obj in (*shared, *own)),
            volumes=_volumes(content, sources[VOLUMES], order.target_namespace),
            dumps=_dumps(content, sources[DUMPS], order.target_namespace),
            warnings=(*told, *content.warnings),
        )


def _volumes(
    content: VersionContent, stored: list[str], namespace: str
) -> tuple[VolumeTarget, ...]:
    own = (
        VolumeTarget(source=f"{VOLUMES}/{name}", claim=name, namespace=namespace) for name in stored
    )
    return (*own, *shared_data(content.application.components, content.objects, stored))


def _dumps(content: VersionContent, stored: list[str], namespace: str) -> tuple[DumpTarget, ...]:
    """Choose the load commands to run.

    Of dumps those that are a component's only data; without a dump the volumes hold what the
    command reads.
    """
    return tuple(
        DumpTarget(source=f"{DUMPS}/{part.name}", component=part.name, namespace=namespace)
        for part in content.application.components
        if (part.name in stored and part.strategy == "dump") or loads_from_volumes(part)
    )


def _sources(held: HeldRepository, content: VersionContent, _: Cancelled) -> dict[str, list[str]]:
    reader = Reader(held.repository)
    found: dict[str, list[str]] = {VOLUMES: [], DUMPS: []}
    for node in reader.read_tree(content.root):
        name = node.name.decode(errors="replace")
        if name in found and node.subtree is not None:
            found[name] = [entry.name.decode() for entry in reader.read_tree(node.subtree)]
    return found
