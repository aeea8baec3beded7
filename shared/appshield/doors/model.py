"""What an application consists of: its objects, how they hang together, what of it is state. Pure.

Decided by the functions that a backup uses, on one reading of the cluster.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from appshield.application.capturing import is_finished_job
from appshield.application.readiness import obstacles, planning_of
from appshield.application.reading import Reading
from appshield.contracts.sources import VolumeMethod
from appshield.kubernetes import Object, ready
from appshield.language.resolved import ResolvedComponent
from appshield.manifests.objects import Reference, owners_of, reference_of
from appshield.manifests.references import claims_of, references
from appshield.manifests.volumes import LeftOut, Refusal, VolumePlan

Relation = Literal["owns", "refers"]


class ModelObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object that belongs to the application; `id` names it in edges.

    `saved`: versions hold it. `component` is the one whose workload it is. `problem` says what is
    not as it should be, empty while all is well or nobody can tell.
    """

    id: str
    group: str
    kind: str
    namespace: str
    name: str
    why: str
    saved: bool
    component: str
    problem: str


class ModelEdge(msgspec.Struct, frozen=True, kw_only=True):
    """One object owns or refers to another; `how` says by what."""

    source: str
    target: str
    relation: Relation
    how: str


class ModelVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume with data: `method` None where it is not saved, `reason` says why either way."""

    claim: str
    component: str
    method: VolumeMethod | None
    reason: str
    storage_class: str
    size: str
    node: str


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The whole application; `missing` is referred to and not there, `obstacles` hinder backups."""

    objects: tuple[ModelObject, ...]
    edges: tuple[ModelEdge, ...]
    components: tuple[ResolvedComponent, ...]
    volumes: tuple[ModelVolume, ...]
    left_out: tuple[str, ...]
    missing: tuple[str, ...]
    obstacles: tuple[str, ...]


def model_of(reading: Reading) -> Model:
    """Describe an application as it was read."""
    members = {reference_of(one.object): one for one in reading.membership.members}
    planning = planning_of(reading)
    component_of = {
        (part.workload.kind, part.workload.name): part.name
        for part in reading.application.components
    }
    return Model(
        objects=tuple(
            _object(reference, one.object, one.why, component_of)
            for reference, one in members.items()
        ),
        edges=tuple(_edges(members.keys(), reading.membership.objects)),
        components=reading.application.components,
        volumes=(
            *map(_saved, planning.volumes),
            *map(_not_saved, planning.left_out),
            *map(_not_saved, planning.refusals),
        ),
        left_out=tuple(f"{one.reference}: {one.why}" for one in reading.membership.excluded),
        missing=reading.membership.missing,
        obstacles=tuple(obstacles(reading, planning)),
    )


def _saved(volume: VolumePlan) -> ModelVolume:
    return ModelVolume(
        claim=volume.claim,
        component=volume.component,
        method=volume.method,
        reason=volume.reason,
        storage_class=volume.storage_class,
        size=volume.size,
        node=volume.node,
    )


def _not_saved(volume: LeftOut | Refusal) -> ModelVolume:
    return ModelVolume(
        claim=volume.name,
        component=volume.component,
        method=None,
        reason=volume.reason,
        storage_class="",
        size="",
        node="",
    )


def _object(
    reference: Reference, obj: Object, why: str, component_of: dict[tuple[str, str], str]
) -> ModelObject:
    state = ready(obj)
    return ModelObject(
        id=identity(reference),
        group=reference.group,
        kind=reference.kind,
        namespace=reference.namespace,
        name=reference.name,
        why=why,
        saved=not is_finished_job(obj),
        component=component_of.get((reference.kind, reference.name), ""),
        problem="" if state.state == "ready" else state.reason,
    )


def identity(reference: Reference) -> str:
    """Write a reference so that no two objects share it: kind.group/namespace/name."""
    kind = f"{reference.kind}.{reference.group}" if reference.group else reference.kind
    return f"{kind}/{reference.namespace}/{reference.name}"


def _edges(members: Iterable[Reference], objects: Iterable[Object]) -> Iterator[ModelEdge]:
    known = set(members)
    present = list(objects)
    for obj in present:
        here = reference_of(obj)
        for owner, _ in owners_of(obj):
            if owner in known:
                yield _edge(owner, here, "owns", "ownerReferences")
        met = {here}
        for edge in (*references(obj), *claims_of(obj, present)):
            if edge.to in known and edge.to not in met:
                met.add(edge.to)
                yield _edge(here, edge.to, "refers", edge.how)


def _edge(source: Reference, target: Reference, relation: Relation, how: str) -> ModelEdge:
    return ModelEdge(source=identity(source), target=identity(target), relation=relation, how=how)
