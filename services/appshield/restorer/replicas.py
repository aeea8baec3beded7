"""The other replicas of a component that was saved with one: they get the same data. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from appshield.capture import CapturedComponent
from appshield.capture.layout import VOLUMES
from appshield.contracts.sources import VolumeTarget
from appshield.kubernetes import Object
from appshield.manifests.references import claims_of


def other_replicas(
    components: Iterable[CapturedComponent], objects: list[Object], stored: list[str]
) -> list[VolumeTarget]:
    """Return a target for each claim of a replica whose data is that of a stored one.

    Args:
        components: those of the version; only strategy `one-replica` counts.
        objects: the version's objects as they will be made, claims included.
        stored: names of the claims whose data the version holds.
    """
    workloads = {
        (part.workload_kind, part.workload_name)
        for part in components
        if part.strategy == "one-replica"
    }
    return [
        target
        for obj in objects
        if (obj["kind"], obj["metadata"]["name"]) in workloads
        for target in _of_workload(obj, objects, stored)
    ]


def _of_workload(
    workload: Object, objects: list[Object], stored: list[str]
) -> Iterator[VolumeTarget]:
    by_template: dict[str, list[str]] = defaultdict(list)
    for edge in claims_of(workload, objects):
        by_template[edge.how].append(edge.to.name)
    namespace = workload["metadata"]["namespace"]
    for claims in by_template.values():
        saved = next((claim for claim in sorted(claims) if claim in stored), None)
        if saved is None:
            continue
        for claim in sorted(claims):
            if claim not in stored:
                yield VolumeTarget(source=f"{VOLUMES}/{saved}", claim=claim, namespace=namespace)
