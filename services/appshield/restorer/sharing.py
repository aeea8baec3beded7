"""Claims that a restore fills with data saved elsewhere: other replicas, other components. Pure.

A component that was saved with one replica comes back with all of them; one that names another
component (`dataOf`) gets the data of that one. What is filled is matched by the name of the
volume's template.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from appshield.capture import CapturedComponent
from appshield.capture.layout import volume_source
from appshield.contracts.sources import VolumeTarget
from appshield.kubernetes import Object
from appshield.manifests.references import claims_of


def shared_data(
    components: Sequence[CapturedComponent], objects: list[Object], stored: list[str]
) -> list[VolumeTarget]:
    """Return a target for each claim that gets the data of another one.

    Args:
        components: those of the version.
        objects: the version's objects as they will be made, claims included.
        stored: names of the claims whose data the version holds.
    """
    by_name = {part.name: part for part in components}
    found: list[VolumeTarget] = []
    for part in components:
        origin = by_name.get(part.data_of) if part.data_of else part
        if origin is not None and (part.data_of or part.strategy == "one-replica"):
            saved = _saved(_claims(origin, objects), stored)
            found += _targets(_claims(part, objects), saved, stored)
    return found


def _claims(part: CapturedComponent, objects: list[Object]) -> list[tuple[Object, str, str]]:
    """List the claims of a component's replicas: the workload, the template, the claim."""
    return [
        (obj, edge.how, edge.to.name)
        for obj in objects
        if (obj["kind"], obj["metadata"]["name"]) == (part.workload_kind, part.workload_name)
        for edge in sorted(claims_of(obj, objects), key=lambda one: one.to)
    ]


def _saved(claims: Iterable[tuple[Object, str, str]], stored: list[str]) -> dict[str, str]:
    """Return the claim with data for each template: the first one."""
    saved: dict[str, str] = {}
    for _, template, claim in claims:
        if claim in stored:
            saved.setdefault(template, claim)
    return saved


def _targets(
    claims: Iterable[tuple[Object, str, str]], saved: Mapping[str, str], stored: list[str]
) -> Iterator[VolumeTarget]:
    for workload, template, claim in claims:
        if template in saved and claim not in stored:
            yield VolumeTarget(
                source=volume_source(saved[template]),
                claim=claim,
                namespace=workload["metadata"]["namespace"],
            )
