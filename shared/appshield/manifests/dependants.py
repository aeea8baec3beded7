"""What is made for an object without being named by it: what `follow` walks against the arrow.

A disruption budget, an autoscaler, a network policy or a monitor says which object it is for; a
binding says whose rights it gives; a definition says which custom resources it defines. The object
itself names none of them, and without them it does not work as it did.

What is for everything of a namespace (a network policy with an empty selector, say) is for no
application in particular, and is not taken in.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from appshield.language.resolved import ResolvedSelector
from appshield.manifests.kinds import GATEWAYS, MONITORING, RBAC
from appshield.manifests.objects import (
    Object,
    Reference,
    entries,
    labels_of,
    mapping,
    namespace_of,
    reference_of,
)
from appshield.manifests.references import references
from appshield.manifests.selecting import label_selector, matches_labels
from appshield.manifests.workloads import pod_template

_NAMING = {
    ("autoscaling", "HorizontalPodAutoscaler"): "scales",
    ("networking.k8s.io", "Ingress"): "leads to",
    (GATEWAYS, "HTTPRoute"): "leads to",
}
"""Kinds that name what they are for."""
_CHOOSING_PODS = {
    ("", "Service"): ("selector", "leads to the pods of"),
    ("policy", "PodDisruptionBudget"): ("selector", "limits disruptions of"),
    ("networking.k8s.io", "NetworkPolicy"): ("podSelector", "says who may talk with"),
    (MONITORING, "PodMonitor"): ("selector", "monitors"),
}
"""Kinds that choose pods by labels: in which field of their spec, and what for."""
_CHOOSING_SERVICES = {(MONITORING, "ServiceMonitor"): ("selector", "monitors")}
_ACCOUNTS_OF = "system:serviceaccounts:"
"""The group of all service accounts of a namespace, before its name."""


class Dependant(msgspec.Struct, frozen=True):
    """An object that is made for another one, and what it does for it."""

    reference: Reference
    why: str


class _Choice(msgspec.Struct, frozen=True):
    """A selector that stands in an object, and what the object does for what it selects."""

    by: Reference
    does: str
    selector: ResolvedSelector


class _Choices:
    """Selectors, found by one of the labels that each asks for: most ask for one at least."""

    def __init__(self) -> None:
        self._by_label: dict[tuple[str, str], list[_Choice]] = {}
        self._by_none: list[_Choice] = []

    def add(self, choices: Iterable[_Choice]) -> None:
        """Take selectors in."""
        for one in choices:
            label = min(one.selector.match_labels.items(), default=None)
            kept = self._by_none if label is None else self._by_label.setdefault(label, [])
            kept.append(one)

    def of(self, reference: Reference, labels: Mapping[str, str]) -> Iterator[Dependant]:
        """Yield what selects these labels of an object, those with plain labels first."""
        written = sorted(label for label in labels.items() if isinstance(label[1], str))
        asked = [one for label in written for one in self._by_label.get(label, ())]
        for one in (*asked, *self._by_none):
            if one.by.namespace == reference.namespace and matches_labels(one.selector, labels):
                yield Dependant(one.by, f"{one.does} {reference}")


class Dependants:
    """Finds what is made for an object, among objects that are given once.

    Answers come in an order that depends on the order of the objects alone.
    """

    def __init__(self, objects: Iterable[Object]) -> None:
        self._naming: dict[Reference, dict[Reference, str]] = {}
        self._of_accounts: dict[str, list[Reference]] = {}
        self._defining: dict[tuple[str, str], list[Reference]] = {}
        self._of_driver: dict[str, list[Reference]] = {}
        self._roles: list[Object] = []
        self._of_pods = _Choices()
        self._of_services = _Choices()
        for obj in objects:
            self._take_in(reference_of(obj), obj)

    def of(self, reference: Reference, obj: Object) -> Iterator[Dependant]:
        """Yield what is made for this object."""
        for by, does in self._naming.get(reference, {}).items():
            yield Dependant(by, f"{does} {reference}")
        for definition in self._defining.get((reference.group, reference.kind), ()):
            yield Dependant(definition, f"defines the kind of {reference}")
        match (reference.group, reference.kind):
            case ("", "ServiceAccount"):
                for binding in self._of_accounts.get(reference.namespace, ()):
                    yield Dependant(binding, f"gives rights to {reference}")
            case ("", "Service"):
                yield from self._of_services.of(reference, labels_of(obj))
            case ("storage.k8s.io", "StorageClass"):
                for one in self._of_driver.get(str(obj.get("provisioner") or ""), ()):
                    yield Dependant(one, f"makes snapshots for {reference}")
            case (str(group), "ClusterRole") if group == RBAC:
                yield from self._parts_of(reference, obj)
            case _:
                template = pod_template(obj)
                if template is not None:
                    yield from self._of_pods.of(reference, labels_of(template.template))

    def _take_in(self, reference: Reference, obj: Object) -> None:
        kind = (reference.group, reference.kind)
        if does := _NAMING.get(kind):
            for edge in references(obj):
                self._naming.setdefault(edge.to, {})[reference] = does
        self._of_pods.add(_choices(_CHOOSING_PODS, reference, obj))
        self._of_services.add(_choices(_CHOOSING_SERVICES, reference, obj))
        match kind:
            case (str(group), "RoleBinding" | "ClusterRoleBinding") if group == RBAC:
                self._take_binding(reference, obj)
            case (str(group), "ClusterRole") if group == RBAC:
                self._roles.append(obj)
            case ("apiextensions.k8s.io", "CustomResourceDefinition"):
                spec = mapping(obj, "spec")
                defined = str(spec.get("group") or ""), str(mapping(spec, "names").get("kind"))
                self._defining.setdefault(defined, []).append(reference)
            case ("snapshot.storage.k8s.io", "VolumeSnapshotClass"):
                self._of_driver.setdefault(str(obj.get("driver") or ""), []).append(reference)
            case _:
                return

    def _take_binding(self, reference: Reference, obj: Object) -> None:
        for subject in entries(obj, "subjects"):
            name = str(subject.get("name") or "")
            if subject.get("kind") == "ServiceAccount":
                place = str(subject.get("namespace") or namespace_of(obj))
                account = Reference("", "ServiceAccount", place, name)
                self._naming.setdefault(account, {})[reference] = "gives rights to"
            elif subject.get("kind") == "Group" and name.startswith(_ACCOUNTS_OF):
                bindings = self._of_accounts.setdefault(name.removeprefix(_ACCOUNTS_OF), [])
                bindings.append(reference)

    def _parts_of(self, reference: Reference, obj: Object) -> Iterator[Dependant]:
        """Yield the roles from which the control plane puts a role together."""
        for written in entries(mapping(obj, "aggregationRule"), "clusterRoleSelectors"):
            selector = label_selector(written)
            for role in self._roles:
                part = reference_of(role)
                if selector is None or part == reference:
                    continue
                if matches_labels(selector, labels_of(role)):
                    yield Dependant(part, f"is a part of {reference}")


def _choices(
    fields: Mapping[tuple[str, str], tuple[str, str]], reference: Reference, obj: Object
) -> Iterator[_Choice]:
    """Yield the selector of an object, if it has one and chooses in its own namespace."""
    if (reference.group, reference.kind) not in fields:
        return
    field, does = fields[reference.group, reference.kind]
    spec = mapping(obj, "spec")
    written: dict[str, Any] = mapping(spec, field)
    if reference.kind == "Service":  # the only one that writes plain labels
        written = {"matchLabels": written}
    selector = label_selector(written)
    if selector is not None and not mapping(spec, "namespaceSelector"):
        yield _Choice(reference, does, selector)
