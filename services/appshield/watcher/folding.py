"""What is known of an application's objects, folded into one status with its reasons. Pure.

    Missing      an object is not there that the document names, or that belonged to the
                 application at its last snapshot and is still needed
    Degraded     an object of it has failed
    Unknown      nothing of it is known, or a kind is not served of which it had objects
    Progressing  an object of it is on its way
    Healthy      all of its objects are as they should be

The first that is true counts. Pods and others that a controller made count for the object that
controls them. An object that a newer document does without is missed only while its kind stands
for itself (a workload, a claim, a custom resource) or a workload that is there refers to it: names
of ConfigMaps change with every rollout of many tools.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from appshield.capture.layout import manifest_file, volume_source
from appshield.contracts.health import Health, HealthReason, HealthStatus
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.kinds import BUILT_IN_GROUPS, matches_kind
from appshield.manifests.objects import EXCLUDE_LABEL, Reference
from appshield.manifests.selecting import matches_labels
from appshield.watcher.assessing import Assessment

REASONS_MAX = 20
_NAMED_MAX = 3
CHAIN_MAX = 4
"""So many owners are between an object and the one that counts: Pod, ReplicaSet, Deployment."""
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob"})
_STAND_ALONE = frozenset({("apps", one) for one in _WORKLOADS}) | {
    ("batch", "CronJob"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("networking.k8s.io", "Ingress"),
}
_FINITE = frozenset({("batch", "Job"), ("batch", "CronJob")})


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What is kept of an object; `assessment` None: it is, and there is no more to it."""

    uid: str
    labels: dict[str, str]
    controller: Reference | None = None
    assessment: Assessment | None = None
    refers_to: tuple[Reference, ...] = ()
    going: bool = False


class Known(msgspec.Struct, frozen=True):
    """The objects of a namespace and of none, and kinds of which nothing is known."""

    objects: Mapping[Reference, Seen]
    unknown: frozenset[tuple[str, str]] = frozenset()


class Folded(msgspec.Struct, frozen=True):
    """A status, with the first of its reasons and their number."""

    status: HealthStatus
    reasons: tuple[HealthReason, ...] = ()
    reasons_total: int = 0


def fold(application: ResolvedApplication, belonged: Iterable[Reference], known: Known) -> Folded:
    """Say how an application is.

    Args:
        application: its document.
        belonged: its objects at its last snapshot.
        known: the objects of its namespace.
    """
    before = frozenset(belonged)
    members = {
        reference: seen
        for reference, seen in known.objects.items()
        if _belongs(application, reference, seen, before, known)
    }
    missing = sorted(_missing(application, before, members, known), key=_named_first)
    if missing:
        return _folded("Missing", missing)
    told: dict[str, list[HealthReason]] = {"Degraded": [], "Progressing": []}
    for reference, seen in sorted(members.items()):
        if seen.assessment is not None and seen.assessment.state in told:
            reason = HealthReason(object=str(reference), why=seen.assessment.why)
            told[seen.assessment.state].append(reason)
    if told["Degraded"]:
        return _folded("Degraded", told["Degraded"])
    if lost := sorted({(one.group, one.kind) for one in before} & known.unknown):
        why = "the API server does not serve this kind"
        return _folded("Unknown", [HealthReason(object=kind, why=why) for _, kind in lost])
    if not members:
        return _folded("Unknown", [HealthReason(object="", why="it has no objects")])
    if told["Progressing"]:
        return _folded("Progressing", told["Progressing"])
    return Folded("Healthy")


def described(health: Health) -> str:
    """Say in a line how an application is and why."""
    if health.deliberate:
        return health.deliberate
    named = [
        f"{reason.object}: {reason.why}" if reason.object else reason.why
        for reason in health.reasons[:_NAMED_MAX]
    ]
    more = health.reasons_total - len(named)
    listed = "; ".join((*named, *([f"and {more} more"] if more > 0 else [])))
    return listed or "every object is as it should be"


def _folded(status: HealthStatus, reasons: list[HealthReason]) -> Folded:
    return Folded(status, tuple(reasons[:REASONS_MAX]), len(reasons))


def _named_first(reason: HealthReason) -> tuple[bool, str]:
    return (not reason.named, reason.object)


def _belongs(
    application: ResolvedApplication,
    reference: Reference,
    seen: Seen,
    before: frozenset[Reference],
    known: Known,
) -> bool:
    if seen.labels.get(EXCLUDE_LABEL) == "true":
        return False
    if seen.controller is not None and reference.kind != "PersistentVolumeClaim":
        return _made_for_a_member(application, seen, before, known)
    if reference in before or _is_named(application, reference, before):
        return True
    return reference.namespace == application.namespace and _is_selected(
        application, reference, seen
    )


def _made_for_a_member(
    application: ResolvedApplication, seen: Seen, before: frozenset[Reference], known: Known
) -> bool:
    """Say whether what controls an object belongs; what is going, or ends by itself, is not it."""
    if seen.going:
        return False
    for _ in range(CHAIN_MAX):
        controller = seen.controller
        owner = known.objects.get(controller) if controller is not None else None
        if controller is None or owner is None or (controller.group, controller.kind) in _FINITE:
            return False
        if owner.controller is None:
            return _belongs(application, controller, owner, before, known)
        seen = owner
    return False


def _is_selected(application: ResolvedApplication, reference: Reference, seen: Seen) -> bool:
    resources = application.resources
    if matches_kind(resources.exclude, reference.group, reference.kind):
        return False
    if resources.include and not matches_kind(resources.include, reference.group, reference.kind):
        return False
    if resources.selector is None:
        return not resources.objects
    return matches_labels(resources.selector, seen.labels)


def _is_named(
    application: ResolvedApplication, reference: Reference, before: frozenset[Reference]
) -> bool:
    """Say whether the document itself says that an object is the application's."""
    if reference.namespace != application.namespace:
        return False
    if any(
        (one.group, one.kind, one.name) == (reference.group, reference.kind, reference.name)
        for one in application.resources.objects
    ):
        return True
    workloads = [component.workload for component in application.components]
    if any((one.kind, one.name) == (reference.kind, reference.name) for one in workloads):
        return True
    return reference in before and any(
        _is_claim_of(reference, one.name) for one in workloads if one.kind == "StatefulSet"
    )


def _is_claim_of(reference: Reference, workload: str) -> bool:
    made = re.search(rf"-{re.escape(workload)}-[0-9]+$", reference.name)
    return reference.kind == "PersistentVolumeClaim" and made is not None


def _missing(
    application: ResolvedApplication,
    before: frozenset[Reference],
    members: Mapping[Reference, Seen],
    known: Known,
) -> Iterator[HealthReason]:
    needed = {target for seen in members.values() for target in seen.refers_to}
    for reference in _expected(application, before):
        kind = (reference.group, reference.kind)
        if reference in known.objects or kind in known.unknown:
            continue
        named = _is_named(application, reference, before)
        alone = kind in _STAND_ALONE or reference.group not in BUILT_IN_GROUPS
        if named or alone or reference in needed:
            excluded = matches_kind(application.resources.exclude, *kind)
            if not excluded:
                yield HealthReason(
                    object=str(reference),
                    why="it is not there",
                    named=named,
                    path=_path_of(reference),
                )


def _path_of(reference: Reference) -> str:
    """Say where an object lies in a version; a claim is brought back with its data."""
    if (reference.group, reference.kind) == ("", "PersistentVolumeClaim"):
        return volume_source(reference.name)
    return manifest_file(reference.group, reference.kind, reference.name)


def _expected(
    application: ResolvedApplication, before: frozenset[Reference]
) -> Iterator[Reference]:
    namespace = application.namespace
    yield from before
    named = [
        Reference(one.group, one.kind, namespace, one.name) for one in application.resources.objects
    ]
    for component in application.components:
        workload = component.workload
        if workload.kind in _WORKLOADS:
            group = "batch" if workload.kind == "CronJob" else "apps"
            named.append(Reference(group, workload.kind, namespace, workload.name))
    yield from (one for one in named if one not in before)
