"""Which objects belong to an application, and why each one does or does not.

First the roots: the workloads that components name, and what the selector (or, without one, the
namespace) chooses. Then, with `follow`, whatever those refer to, what is made for them, and whoever
owns them, until no more comes; that way also leads to what belongs to the whole cluster (rights,
definitions, classes), of which nothing is a root. Objects that the cluster makes by itself are
never stored: their maker is, and remakes them. Through what a custom resource's operator makes for
it the walk goes on, so that the claims and secrets belong that hold its state. The result depends
on the objects only, not on their order.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import msgspec

from appshield.language.resolved import ResolvedApplication, ResolvedResources
from appshield.manifests.dependants import Dependants
from appshield.manifests.generated import MADE_BY_NAME, generated, generated_kind
from appshield.manifests.kinds import (
    BUILT_IN_GROUPS,
    CLUSTER_KINDS,
    FOLLOWED_KINDS,
    RBAC,
    matches_kind,
)
from appshield.manifests.objects import (
    EXCLUDE_LABEL,
    MANAGED_BY_LABEL,
    OWN_GROUP,
    OWN_MANAGER,
    Object,
    Reference,
    by_reference,
    controller_of,
    group_of,
    kind_of,
    labels_of,
    metadata,
    namespace_of,
    owners_of,
)
from appshield.manifests.references import claims_of, references
from appshield.manifests.selecting import described, matches_labels

_RIGHTS = ((RBAC, "ClusterRole"), (RBAC, "ClusterRoleBinding"))
_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
_SNAPSHOT_CLASS = ("snapshot.storage.k8s.io", "VolumeSnapshotClass")


class Member(msgspec.Struct, frozen=True):
    """An object that belongs to the application."""

    object: Object
    why: str


class Excluded(msgspec.Struct, frozen=True):
    """An object that was looked at and does not belong."""

    reference: Reference
    why: str


class Membership(msgspec.Struct, frozen=True):
    """The decision about every object, and references that lead nowhere; all in a fixed order."""

    members: tuple[Member, ...]
    excluded: tuple[Excluded, ...]
    missing: tuple[str, ...]

    @property
    def objects(self) -> tuple[Object, ...]:
        """The members without the reasons."""
        return tuple(member.object for member in self.members)


class ListedKind(Protocol):
    """What has to be known about a kind that the API server can list."""

    @property
    def group(self) -> str:
        """The API group, empty for the core one."""

    @property
    def kind(self) -> str:
        """The kind, such as Deployment."""

    @property
    def plural(self) -> str:
        """The plural, such as deployments."""

    @property
    def namespaced(self) -> bool:
        """Whether its objects live in namespaces."""


AnyKind = TypeVar("AnyKind", bound=ListedKind)


def kinds_needed(application: ResolvedApplication, served: Iterable[AnyKind]) -> list[AnyKind]:
    """Return the kinds whose objects in its namespace `select` has to see, of those served."""
    resources = application.resources
    named = {component.workload.kind for component in application.components}
    objects = {(one.group, one.kind) for one in resources.objects}
    return [
        kind
        for kind in served
        if kind.namespaced
        and not generated_kind(kind.group, kind.kind)
        and (
            kind.kind in named
            or (kind.group, kind.kind) in objects
            or (resources.follow and (kind.group, kind.kind) in FOLLOWED_KINDS)
            or _kind_chosen(resources, kind.group, kind.kind, kind.plural)
        )
    ]


def cluster_kinds_needed(
    application: ResolvedApplication, served: Iterable[AnyKind], objects: Iterable[Object]
) -> list[AnyKind]:
    """Return the kinds without a namespace whose objects `select` has to see too.

    Args:
        application: the resolved document.
        served: the kinds that the API server lists.
        objects: everything of the kinds needed in the application's namespace. Only where one of
            them can lead to a kind is that kind worth a request.
    """
    if not application.resources.follow:
        return []
    wanted: set[tuple[str, str]] = set()
    present = list(objects)
    if not any(kind_of(obj) == "PersistentVolumeClaim" for obj in present):
        # what the whole cluster has leads to nothing by itself, and is mostly there for claims
        present = [obj for obj in present if namespace_of(obj)]
    for obj in present:
        wanted.update((e.to.group, e.to.kind) for e in references(obj) if not e.to.namespace)
        group, kind = group_of(obj), obj.get("kind")
        if group not in BUILT_IN_GROUPS and group != OWN_GROUP:
            wanted.add(_DEFINITION)
        if (group, kind) == ("", "ServiceAccount"):
            wanted.update(_RIGHTS)
        if (group, kind) == ("", "PersistentVolumeClaim"):
            wanted.add(_SNAPSHOT_CLASS)
    return [
        kind
        for kind in served
        if not kind.namespaced and (kind.group, kind.kind) in wanted & CLUSTER_KINDS
    ]


def select(application: ResolvedApplication, objects: Iterable[Object]) -> Membership:
    """Decide about every object.

    Args:
        application: the resolved document.
        objects: everything of the kinds needed in the application's namespace, and of the kinds
            without a namespace that those need.
    """
    known = by_reference(objects)
    barred = {
        reference: why
        for reference, obj in known.items()
        if (why := _barred(application, reference, obj, known))
    }
    walk = _Walk(known, barred, follow=application.resources.follow)
    walk.run([(ref, why) for ref, obj in known.items() if (why := _root(application, ref, obj))])
    rest = [
        reference
        for reference in known
        if reference not in walk.chosen and (reference.namespace or reference in walk.met)
    ]
    return Membership(
        members=tuple(Member(known[ref], walk.chosen[ref]) for ref in sorted(walk.chosen)),
        excluded=tuple(Excluded(ref, barred.get(ref, "nothing selects it")) for ref in rest),
        missing=tuple(sorted(walk.missing)),
    )


def named_and_absent(application: ResolvedApplication, objects: Iterable[Object]) -> Iterator[str]:
    """Tell of objects that the document names and its namespace does not hold."""
    known = by_reference(objects)
    for one in application.resources.objects:
        if Reference(one.group, one.kind, application.namespace, one.name) not in known:
            where = f"namespace {application.namespace}"
            yield f"the document names {one.kind} {one.name}, which is not in {where}"


class _Walk:
    """Goes from the roots to everything they lead to, breadth first."""

    def __init__(
        self, known: Mapping[Reference, Object], barred: Mapping[Reference, str], *, follow: bool
    ) -> None:
        self.chosen: dict[Reference, str] = {}
        self.missing: set[str] = set()
        self.met: set[Reference] = set()
        self._through: set[Reference] = set()
        self._made: dict[Reference, list[Reference]] = {}
        for reference, obj in known.items() if follow else ():
            for owner, _ in owners_of(obj):
                self._made.setdefault(owner, []).append(reference)
        self._known = known
        self._barred = barred
        self._follow = follow
        self._dependants = Dependants(known.values()) if follow else None
        self._claims = [obj for ref, obj in known.items() if ref.kind == "PersistentVolumeClaim"]

    def run(self, roots: Iterable[tuple[Reference, str]]) -> None:
        pending = deque(roots)
        while pending:
            reference, why = pending.popleft()
            if reference in self.met:
                continue
            self.met.add(reference)
            obj = self._known[reference]
            if reference not in self._barred:
                self.chosen[reference] = why
            if self._follow and (
                reference in self.chosen
                or reference in self._through
                or _has_rights_only(reference)
            ):
                pending.extend(self._referred(reference, obj))
                pending.extend(self._made_for(reference))
            if self._follow and (reference in self.chosen or _leads_to_its_maker(obj)):
                pending.extend(self._owners(reference, obj))

    def _owners(self, reference: Reference, obj: Object) -> Iterator[tuple[Reference, str]]:
        for owner, _ in owners_of(obj):
            if owner in self._known:
                yield owner, f"owns {reference}"

    def _made_for(self, reference: Reference) -> Iterator[tuple[Reference, str]]:
        """Yield what the operator of a chosen custom resource has made, and what that has made."""
        if reference not in self._through and reference.group in BUILT_IN_GROUPS:
            return
        for made in self._made.get(reference, ()):
            kept_out = labels_of(self._known[made]).get(EXCLUDE_LABEL) == "true"
            if made not in self._through and not kept_out:
                self._through.add(made)
                if made not in self.chosen:
                    self.met.discard(made)  # it was met as what is not stored, and leads on now
                yield made, f"{reference} owns it"

    def _referred(self, reference: Reference, obj: Object) -> Iterator[tuple[Reference, str]]:
        for edge in (*references(obj), *claims_of(obj, self._claims)):
            if edge.to in self._known:
                yield edge.to, f"{reference} refers to it ({edge.how})"
            elif not edge.optional and (edge.to.kind, edge.to.name) not in MADE_BY_NAME:
                self.missing.add(
                    f"{reference} refers to {edge.to} ({edge.how}), which is not there"
                )
        if self._dependants is not None:
            for dependant in self._dependants.of(reference, obj):
                yield dependant.reference, dependant.why


def _leads_to_its_maker(obj: Object) -> bool:
    """A selected Pod is not stored, and is the reason why its Deployment is."""
    return controller_of(obj) is not None and labels_of(obj).get(EXCLUDE_LABEL) != "true"


def _has_rights_only(reference: Reference) -> bool:
    """The account that pods have by default is not stored; what it may do is."""
    return (reference.group, reference.kind, reference.name) == ("", "ServiceAccount", "default")


def _root(application: ResolvedApplication, reference: Reference, obj: Object) -> str:
    """Return why an object is chosen by itself, or nothing."""
    if reference.namespace != application.namespace:
        return ""
    for component in application.components:
        workload = component.workload
        if (workload.kind, workload.name) == (reference.kind, reference.name):
            return f"workload of component {component.name}"
    for named in application.resources.objects:
        if (named.group, named.kind, named.name) == (
            reference.group,
            reference.kind,
            reference.name,
        ):
            return "the document names it"
    if not _kind_chosen(application.resources, reference.group, reference.kind):
        return ""
    return _selected(application, obj)


def _selected(application: ResolvedApplication, obj: Object) -> str:
    """Return why an object of a chosen kind is selected, or nothing."""
    selector = application.resources.selector
    if selector is None:
        named = bool(application.resources.objects)
        return "" if named else f"is in namespace {application.namespace}"
    return (
        f"its labels match {described(selector)}"
        if matches_labels(selector, labels_of(obj))
        else ""
    )


def _barred(
    application: ResolvedApplication,
    reference: Reference,
    obj: Object,
    known: Mapping[Reference, Object],
) -> str:
    """Return why an object is never stored, or nothing."""
    labels = labels_of(obj)
    if why := _elsewhere(application, reference):
        return why
    if reference.group == OWN_GROUP or labels.get(MANAGED_BY_LABEL) == OWN_MANAGER:
        return "is AppShield's own"
    if labels.get(EXCLUDE_LABEL) == "true":
        return f"the label {EXCLUDE_LABEL} keeps it out"
    resources = application.resources
    if pattern := matches_kind(resources.exclude, reference.group, reference.kind):
        return f"the document excludes {pattern}"
    if metadata(obj).get("deletionTimestamp"):
        return "is being deleted"
    return generated(reference, obj, known)


def _elsewhere(application: ResolvedApplication, reference: Reference) -> str:
    if reference.namespace:
        return "" if reference.namespace == application.namespace else "is in another namespace"
    can_be_needed = (reference.group, reference.kind) in CLUSTER_KINDS
    return "" if can_be_needed else "belongs to the whole cluster"


def _kind_chosen(resources: ResolvedResources, group: str, kind: str, plural: str = "") -> bool:
    if matches_kind(resources.exclude, group, kind, plural):
        return False
    return not resources.include or bool(matches_kind(resources.include, group, kind, plural))
