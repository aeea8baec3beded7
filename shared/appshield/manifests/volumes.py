"""Which volumes hold the application's data, and how each of them is read.

Every claim that a member mounts or is gets one of three answers, each with a reason: a plan, a
refusal (the backup must not go on without it), or that it is left out on purpose.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from appshield.contracts.sources import VolumeMethod
from appshield.language.component_spec import Strategy
from appshield.language.resolved import DATABASE_PREFIX, ResolvedApplication, ResolvedComponent
from appshield.manifests.mounts import Mount, component_of, first_replicas, mounts
from appshield.manifests.objects import (
    EXCLUDE_LABEL,
    Object,
    Reference,
    annotations_of,
    by_reference,
    labels_of,
    mapping,
    metadata,
    name_of,
    namespace_of,
)
from appshield.manifests.selecting import described, matches_labels
from appshield.manifests.workloads import describes_pods

_DEFAULT_CLASS = "snapshot.storage.kubernetes.io/is-default-class"
_EXTERNAL_SOURCES = ("nfs", "iscsi", "fc", "cephfs", "rbd", "glusterfs", "local")


class VolumePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one claim is read.

    `component` is empty where no component names the workload. `node`, `pod` and `pod_uid` are of
    the running pod that mounts it, empty where none does; a live volume always has them.
    """

    claim: str
    component: str
    method: VolumeMethod
    reason: str
    volume: str
    driver: str = ""
    storage_class: str = ""
    snapshot_class: str = ""
    volume_mode: str = "Filesystem"
    size: str = ""
    node: str = ""
    pod: str = ""
    pod_uid: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that cannot be saved as the document stands; `name` is its claim or its name."""

    name: str
    component: str
    reason: str


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that is not saved on purpose."""

    name: str
    component: str
    reason: str


class VolumePlanning(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for every volume, each part sorted by name."""

    volumes: tuple[VolumePlan, ...]
    refusals: tuple[Refusal, ...]
    left_out: tuple[LeftOut, ...]


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one claim when its answer is decided."""

    name: str
    claim: Object | None
    is_member: bool
    mounts: tuple[Mount, ...]
    component: ResolvedComponent | None
    is_first_replica: bool

    @property
    def component_name(self) -> str:
        return self.component.name if self.component else ""

    @property
    def reader(self) -> Mount | None:
        """The running pod through which the volume can be reached."""
        return next((mount for mount in self.mounts if mount.node), None)


def volume_plan(
    application: ResolvedApplication,
    members: Iterable[Object],
    pods: Iterable[Object],
    *,
    claims: Iterable[Object],
    volumes: Iterable[Object],
    snapshot_classes: Iterable[Object],
    objects: Iterable[Object],
) -> VolumePlanning:
    """Decide about every volume of the application.

    Args:
        application: the resolved document.
        members: its objects, as `membership.select` found them.
        pods: the pods of its namespace.
        claims: the PersistentVolumeClaims of its namespace.
        volumes: the PersistentVolumes of the cluster.
        snapshot_classes: the VolumeSnapshotClasses of the cluster.
        objects: all that was read, members or not: through it pods lead to members.
    """
    known = by_reference(members)
    claims = list(claims)
    all_mounts = mounts(
        application, list(known.values()), list(pods), claims, by_reference(objects)
    )
    by_name = {name_of(volume): volume for volume in volumes}
    classes = snapshot_class_by_driver(snapshot_classes)
    answers: list[VolumePlan | Refusal | LeftOut] = list(_without_claims(application, all_mounts))
    answers += [
        _answer(application, found, by_name, classes)
        for found in _find(application, known, all_mounts, claims)
    ]
    answers += _not_single(application, answers, all_mounts)
    return VolumePlanning(
        volumes=tuple(one for one in answers if isinstance(one, VolumePlan)),
        refusals=tuple(one for one in answers if isinstance(one, Refusal)),
        left_out=tuple(one for one in answers if isinstance(one, LeftOut)),
    )


def _not_single(
    application: ResolvedApplication,
    answers: Iterable[VolumePlan | Refusal | LeftOut],
    all_mounts: list[Mount],
) -> list[Refusal]:
    """Refuse a component whose data and log must be of one instant and lie on several volumes."""
    saved = {one.claim for one in answers if isinstance(one, VolumePlan)}
    refusals = []
    for part in application.components:
        mine = [one for one in all_mounts if one.component is part and one.claim in saved]
        names = sorted({one.volume for one in mine})
        if len(names) > 1 and part.single_volume and not part.allow_live:
            reason = (
                f"its data and its log must be on one volume and may be on {', '.join(names)}, "
                "whose snapshots are not of one instant; put both on one, exclude volumes that "
                "hold neither, use strategy dump, or say allowLive: true"
            )
            refusals.append(Refusal(name=part.name, component=part.name, reason=reason))
    return refusals


def snapshot_class_by_driver(snapshot_classes: Iterable[Object]) -> dict[str, str]:
    """Return the class to use for each driver: the default one, else the first by name."""
    ordered = sorted(
        snapshot_classes,
        key=lambda one: (annotations_of(one).get(_DEFAULT_CLASS) != "true", name_of(one)),
    )
    found: dict[str, str] = {}
    for one in ordered:
        found.setdefault(str(one.get("driver") or ""), name_of(one))
    return found


def _find(
    application: ResolvedApplication,
    known: Mapping[Reference, Object],
    all_mounts: list[Mount],
    claims: Iterable[Object],
) -> Iterator[_Found]:
    objects = {
        name_of(claim): claim
        for claim in claims
        if namespace_of(claim) in {"", application.namespace}
    }
    member_names = {
        reference.name for reference in known if reference.kind == "PersistentVolumeClaim"
    }
    first = first_replicas(application, all_mounts)
    for name in sorted(member_names | {mount.claim for mount in all_mounts if mount.claim}):
        its_mounts = tuple(mount for mount in all_mounts if mount.claim == name)
        yield _Found(
            name=name,
            claim=objects.get(name),
            is_member=name in member_names,
            mounts=its_mounts,
            component=next((one.component for one in its_mounts if one.component), None),
            is_first_replica=name not in first.others,
        )


def _without_claims(
    application: ResolvedApplication, all_mounts: list[Mount]
) -> Iterator[Refusal | LeftOut]:
    """Answer for volumes that stand in a pod's description itself."""
    seen: set[tuple[Reference, str]] = set()
    for mount in all_mounts:
        if mount.claim or (mount.workload, mount.volume) in seen:
            continue
        seen.add((mount.workload, mount.volume))
        component = component_of(application, mount.workload)
        name = component.name if component else ""
        place = f"{mount.volume} of {mount.workload}"
        if mount.source == "emptyDir":
            yield LeftOut(name=place, component=name, reason="is scratch space of its pod")
        elif component and mount.volume in component.excluded_volumes:
            yield LeftOut(name=place, component=name, reason="the document excludes it")
        elif not describes_pods(mount.workload):
            reason = "is a hostPath of the node, mounted by what an operator makes"
            yield LeftOut(name=place, component=name, reason=reason)
        else:
            yield Refusal(
                name=place,
                component=name,
                reason="is a hostPath of the node, which is not the application's alone; use a "
                "PersistentVolumeClaim, or exclude it in the component's volumes",
            )


def _answer(
    application: ResolvedApplication,
    found: _Found,
    volumes: Mapping[str, Object],
    classes: Mapping[str, str],
) -> VolumePlan | Refusal | LeftOut:
    if reason := _left_out(found):
        return LeftOut(name=found.name, component=found.component_name, reason=reason)
    volume_name = str(mapping(found.claim, "spec").get("volumeName") or "")
    volume = volumes.get(volume_name)
    reason = _unusable(found, volume)
    if not reason and volume is not None:
        plan = _plan(found, volume, classes)
        reason = _forbidden(application, found, plan)
        if not reason:
            return plan
    return Refusal(name=found.name, component=found.component_name, reason=reason)


def _left_out(found: _Found) -> str:
    """Return why a claim is left out on purpose, or nothing."""
    if found.claim is not None and labels_of(found.claim).get(EXCLUDE_LABEL) == "true":
        return f"the label {EXCLUDE_LABEL} keeps it out"
    if not found.is_member and found.claim is not None:
        return "does not belong to the application"
    return "" if found.component is None else _left_out_by(found.component, found)


def _left_out_by(component: ResolvedComponent, found: _Found) -> str:
    names = {found.name, *(name for mount in found.mounts for name in mount.names)}
    if names & set(component.excluded_volumes):
        return "the document excludes it"
    wanted = component.volume_selector
    if wanted is not None and not matches_labels(wanted, labels_of(found.claim or {})):
        return f"its labels do not match {described(wanted)}"
    if component.data_of:
        return f"a restore fills it with the data of {component.data_of}"
    return _left_out_by_strategy(component.strategy, found)


def _left_out_by_strategy(strategy: Strategy, found: _Found) -> str:
    if strategy == "none":
        return "strategy none saves no data"
    if strategy == "dump":
        return "strategy dump saves the output of a command instead"
    if strategy == "one-replica" and not found.is_first_replica:
        return "strategy one-replica saves another replica"
    return ""


def _unusable(found: _Found, volume: Object | None) -> str:
    """Return why there is nothing that could be read, or nothing."""
    if found.claim is None:
        return "the claim does not exist; create it or correct the workload that names it"
    phase = mapping(found.claim, "status").get("phase") or "Pending"
    if phase == "Bound" and volume is None:
        return (
            "the volume that the claim is bound to does not exist (any more); "
            f"see `kubectl describe pvc {found.name}`, make the claim anew, or exclude it"
        )
    if phase != "Bound":
        return (
            f"the claim is not bound (its phase is {phase}); see `kubectl describe pvc "
            f"{found.name}` for what it waits for, or exclude it"
        )
    if "hostPath" in mapping(volume, "spec"):
        return (
            "its volume is a hostPath of the node, which no snapshot or agent may read; move it "
            "to a storage class with a driver, or exclude it"
        )
    return ""


def _plan(found: _Found, volume: Object, classes: Mapping[str, str]) -> VolumePlan:
    spec: dict[str, Any] = mapping(volume, "spec")
    driver = str(mapping(spec, "csi").get("driver") or "")
    wanted = found.component.volume_method if found.component else "auto"
    snapshot_class = classes.get(driver, "") if driver else ""
    method: VolumeMethod = "snapshot" if snapshot_class and wanted != "files" else "live"
    if method == "snapshot":
        reason = f"{driver} makes snapshots with class {snapshot_class}"
    elif wanted == "files":
        reason = "the document asks for files"
    elif driver:
        reason = f"there is no VolumeSnapshotClass for its driver {driver}"
    else:
        source = next((one for one in _EXTERNAL_SOURCES if one in spec), "an old kind of volume")
        reason = f"{source} has no snapshots"
    reader = found.reader
    return VolumePlan(
        claim=found.name,
        component=found.component_name,
        method=method,
        reason=reason,
        volume=name_of(volume),
        driver=driver,
        storage_class=str(spec.get("storageClassName") or ""),
        snapshot_class=snapshot_class if method == "snapshot" else "",
        volume_mode=str(spec.get("volumeMode") or "Filesystem"),
        size=str(mapping(spec, "capacity").get("storage") or ""),
        node=reader.node if reader else "",
        pod=name_of(reader.pod) if reader and reader.pod else "",
        pod_uid=str(metadata(reader.pod).get("uid") or "") if reader and reader.pod else "",
    )


def _forbidden(application: ResolvedApplication, found: _Found, plan: VolumePlan) -> str:
    """Return why a plan must not be carried out, or nothing."""
    component = found.component
    if plan.method == "snapshot":
        return ""
    if component and component.volume_method == "snapshot":
        return f"the document asks for a snapshot, and {plan.reason}; use method auto or files"
    is_database = (
        component.is_database if component else application.type.startswith(DATABASE_PREFIX)
    )
    allowed = component is not None and component.allow_live
    if is_database and not allowed:
        return (
            f"a database would be read while it writes ({plan.reason}); use a driver with "
            "snapshots, a dump, or say allowLive: true in its component"
        )
    if plan.volume_mode == "Block" and not allowed:
        return (
            f"a block volume would be read while it is written ({plan.reason}); use a driver with "
            "snapshots, exclude it, or say allowLive: true in its component"
        )
    if not plan.pod:
        return f"no running pod mounts it, and {plan.reason}; start its workload or exclude it"
    return ""
