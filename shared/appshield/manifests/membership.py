"""Which objects belong to an application, and why each one does or does not.

First the roots: the workloads that components name, and what the selector (or, without one, the
namespace) chooses. Then, with `follow`, whatever those refer to and whoever owns them, until no
more comes. Objects that the cluster makes by itself are never stored: their maker is, and remakes
them. The result depends on the objects only, not on their order.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import msgspec

from appshield.language.resolved import ResolvedApplication, ResolvedResources
from appshield.manifests.kinds import (
    FOLLOWED_KINDS,
    GENERATED_GROUPS,
    GENERATED_KINDS,
    STATE_KINDS,
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
    labels_of,
    mapping,
    metadata,
    owners_of,
)
from appshield.manifests.references import bindings_of, claims_of, references
from appshield.manifests.selecting import described, matches_labels

_MADE_BY_NAME = {
    ("ConfigMap", "kube-root-ca.crt"): "the cluster makes it in every namespace",
    ("ConfigMap", "openshift-service-ca.crt"): "the cluster makes it in every namespace",
    ("ServiceAccount", "default"): "the cluster makes it in every namespace",
}
_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type


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
    """Return the kinds whose objects `select` has to see, of those that the API server lists."""
    resources = application.resources
    named = {component.workload.kind for component in application.components}
    objects = {(one.group, one.kind) for one in resources.objects}
    return [
        kind
        for kind in served
        if kind.namespaced
        and not _generated_kind(kind.group, kind.kind)
        and (
            kind.kind in named
            or (kind.group, kind.kind) in objects
            or (resources.follow and (kind.group, kind.kind) in FOLLOWED_KINDS)
            or _kind_chosen(resources, kind.group, kind.kind, kind.plural)
        )
    ]


def select(application: ResolvedApplication, objects: Iterable[Object]) -> Membership:
    """Decide about every object.

    Args:
        application: the resolved document.
        objects: everything of the kinds needed in the application's namespace.
    """
    known = by_reference(objects)
    barred = {
        reference: why
        for reference, obj in known.items()
        if (why := _barred(application, reference, obj, known))
    }
    walk = _Walk(known, barred, follow=application.resources.follow)
    walk.run([(ref, why) for ref, obj in known.items() if (why := _root(application, ref, obj))])
    rest = [reference for reference in known if reference not in walk.chosen]
    return Membership(
        members=tuple(Member(known[ref], walk.chosen[ref]) for ref in sorted(walk.chosen)),
        excluded=tuple(Excluded(ref, barred.get(ref, "nothing selects it")) for ref in rest),
        missing=tuple(sorted(walk.missing)),
    )


class _Walk:
    """Goes from the roots to everything they lead to, breadth first."""

    def __init__(
        self, known: Mapping[Reference, Object], barred: Mapping[Reference, str], *, follow: bool
    ) -> None:
        self.chosen: dict[Reference, str] = {}
        self.missing: set[str] = set()
        self._known = known
        self._barred = barred
        self._follow = follow

    def run(self, roots: Iterable[tuple[Reference, str]]) -> None:
        pending = deque(roots)
        passed: set[Reference] = set()
        while pending:
            reference, why = pending.popleft()
            if reference in passed:
                continue
            passed.add(reference)
            obj = self._known[reference]
            if reference not in self._barred:
                self.chosen[reference] = why
                if self._follow:
                    pending.extend(self._referred(reference, obj))
            if self._follow and (reference in self.chosen or _leads_to_its_maker(obj)):
                pending.extend(self._owners(reference, obj))

    def _owners(self, reference: Reference, obj: Object) -> Iterator[tuple[Reference, str]]:
        for owner, _ in owners_of(obj):
            if owner in self._known:
                yield owner, f"owns {reference}"

    def _referred(self, reference: Reference, obj: Object) -> Iterator[tuple[Reference, str]]:
        others = self._known.values()
        edges = [*references(obj), *claims_of(obj, others)]
        if (reference.group, reference.kind) == ("", "ServiceAccount"):
            edges += bindings_of(reference, others)
        for edge in edges:
            if edge.to in self._known:
                yield edge.to, f"{reference} refers to it ({edge.how})"
            elif not edge.optional and (edge.to.kind, edge.to.name) not in _MADE_BY_NAME:
                self.missing.add(
                    f"{reference} refers to {edge.to} ({edge.how}), which is not there"
                )


def _leads_to_its_maker(obj: Object) -> bool:
    """A selected Pod is not stored, and is the reason why its Deployment is."""
    return controller_of(obj) is not None and labels_of(obj).get(EXCLUDE_LABEL) != "true"


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
    if reference.namespace != application.namespace:
        return "is in another namespace" if reference.namespace else "belongs to the whole cluster"
    if reference.group == OWN_GROUP or labels.get(MANAGED_BY_LABEL) == OWN_MANAGER:
        return "is AppShield's own"
    if labels.get(EXCLUDE_LABEL) == "true":
        return f"the label {EXCLUDE_LABEL} keeps it out"
    resources = application.resources
    if pattern := matches_kind(resources.exclude, reference.group, reference.kind):
        return f"the document excludes {pattern}"
    if metadata(obj).get("deletionTimestamp"):
        return "is being deleted"
    return _generated(reference, obj, known)


def _generated(reference: Reference, obj: Object, known: Mapping[Reference, Object]) -> str:
    """Return who makes the object, if the cluster does; nothing if people do."""
    if why := _generated_kind(reference.group, reference.kind):
        return why
    if not reference.group and (reference.kind, reference.name) in _MADE_BY_NAME:
        return _MADE_BY_NAME[reference.kind, reference.name]
    if reference.kind == "Secret" and obj.get("type") == _TOKEN_TYPE:
        return "the cluster makes tokens of service accounts"
    if (reference.group, reference.kind) == ("", "Endpoints") and _follows_pods(reference, known):
        return "its Service makes it"
    owner = controller_of(obj)
    if owner is None:
        return ""
    holds_state = (reference.group, reference.kind) in STATE_KINDS and owner.kind != "Pod"
    return "" if holds_state else f"{owner} makes it"


def _generated_kind(group: str, kind: str) -> str:
    if group == OWN_GROUP:
        return "is AppShield's own"
    if group in GENERATED_GROUPS:
        return "it is a measurement"
    return GENERATED_KINDS.get((group, kind), "")


def _follows_pods(endpoints: Reference, known: Mapping[Reference, Object]) -> bool:
    """Endpoints are a person's only beside a Service that selects no pods."""
    service = known.get(Reference("", "Service", endpoints.namespace, endpoints.name))
    return service is None or bool(mapping(mapping(service, "spec"), "selector"))


def _kind_chosen(resources: ResolvedResources, group: str, kind: str, plural: str = "") -> bool:
    if matches_kind(resources.exclude, group, kind, plural):
        return False
    return not resources.include or bool(matches_kind(resources.include, group, kind, plural))
