"""What is probably not meant among several documents, and in what a cluster already has.

Pure: what is known of a cluster is passed in, and a thing is only called absent where whoever asks
has looked for it.
"""

from collections.abc import Iterator

import msgspec

from appshield.language import defaults
from appshield.language.describing import decide, facts_of
from appshield.language.expressions import MATCH
from appshield.language.kinds import NAMESPACED_KINDS, Application, Backup, Policy, Resource, Vault
from appshield.language.problems import Path, Problem
from appshield.language.resolving import resolve
from appshield.language.shape import suggestion

_NOT_IN_DOCUMENTS = {("namespaceLabels",), ("volumes",), ("namespace",)}


class Place(msgspec.Struct, frozen=True, order=True):
    """The namespace and name of an object; no namespace for what stands in none."""

    namespace: str
    name: str


class Workload(msgspec.Struct, frozen=True):
    """A workload that exists, or that a document describes."""

    kind: str
    place: Place


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What there is beside the documents that are looked at.

    `cluster` says whether a cluster was looked at; then the others are all that it has.
    """

    cluster: bool = False
    namespace: str = "default"
    """Where documents go that name no namespace."""
    resources: tuple[Resource, ...] = ()
    workloads: frozenset[Workload] = frozenset()


class Advice(msgspec.Struct, frozen=True):
    """A problem of one of the documents, by its position among them."""

    document: int
    problem: Problem


def advise_together(documents: tuple[Resource, ...], around: Surroundings) -> Iterator[Advice]:
    """Yield what is probably not meant among some documents."""
    given = {_identity(one, around) for one in documents}
    others = tuple(one for one in around.resources if _identity(one, around) not in given)
    everything = (*documents, *others)
    seen: set[tuple[str, Place]] = set()
    for index, resource in enumerate(documents):
        identity = _identity(resource, around)
        problems = [_twice(resource)] if identity in seen else []
        seen.add(identity)
        match resource:
            case Application():
                problems += _targets(resource.spec.targets, ("spec",), everything, around)
                for number, rule in enumerate(resource.spec.protect):
                    at = ("spec", "protect", number)
                    problems += _targets(rule.targets, at, everything, around)
                problems += _workloads(resource, around)
                problems += _unprotected(resource, everything, around)
            case Policy():
                problems += _targets(resource.spec.targets, ("spec",), everything, around)
                problems += _unmatched(resource, everything)
            case Backup():
                problems += _of_nobody(resource, everything, around)
        yield from (Advice(index, problem) for problem in problems)


def _identity(resource: Resource, around: Surroundings) -> tuple[str, Place]:
    return type(resource).__name__, _place(resource, around)


def _place(resource: Resource, around: Surroundings) -> Place:
    namespaced = type(resource).__name__ in NAMESPACED_KINDS
    namespace = (resource.metadata.namespace or around.namespace) if namespaced else ""
    return Place(namespace, resource.metadata.name)


def _twice(resource: Resource) -> Problem:
    name = f"{type(resource).__name__} {resource.metadata.name}"
    wrong = f"{name} was given before, and the last one stays"
    return Problem(("metadata", "name"), wrong, "keep one of them")


def _targets(
    targets: tuple[str, ...], path: Path, everything: tuple[Resource, ...], around: Surroundings
) -> Iterator[Problem]:
    vaults = [one.metadata.name for one in everything if isinstance(one, Vault)]
    if not (around.cluster or vaults):
        return
    for index, target in enumerate(targets):
        if target not in vaults and target != defaults.TARGET:
            yield Problem(
                (*path, "targets", index),
                f"there is no Vault {target}",
                suggestion(target, vaults) if vaults else "add one with `appshield vault add`",
            )


def _workloads(application: Application, around: Surroundings) -> Iterator[Problem]:
    if not around.cluster:
        return
    namespace = _place(application, around).namespace
    there = [one for one in around.workloads if one.place.namespace == namespace]
    for index, component in enumerate(application.spec.components):
        wanted = component.workload
        if Workload(wanted.kind, Place(namespace, wanted.name)) not in around.workloads:
            names = sorted(one.place.name for one in there if one.kind == wanted.kind)
            right = suggestion(wanted.name, names) if names else "check kind and name"
            yield Problem(
                ("spec", "components", index, "workload"),
                f"namespace {namespace} has no {wanted.kind} {wanted.name}",
                right,
            )


def _unprotected(
    application: Application, everything: tuple[Resource, ...], around: Surroundings
) -> Iterator[Problem]:
    policies = [one for one in everything if isinstance(one, Policy)]
    if application.spec.protect or not (around.cluster or policies):
        return
    if not any(one.spec.protect and _may_match(one, application) for one in policies):
        wrong = "is saved by nothing but a request: it has no rule and no policy with one"
        yield Problem(("spec",), wrong, "add protect")


def _unmatched(policy: Policy, everything: tuple[Resource, ...]) -> Iterator[Problem]:
    applications = [one for one in everything if isinstance(one, Application)]
    if applications and not any(_may_match(policy, one) for one in applications):
        wrong = f"matches none of the {len(applications)} applications that are known"
        yield Problem(("spec", "match"), wrong, "compare it with what they say of themselves")


def _may_match(policy: Policy, application: Application) -> bool:
    """Whether a policy may get an application; labels of namespaces and volumes are not known."""
    condition = MATCH.condition(policy.spec.match)
    if any(read[1:2] in _NOT_IN_DOCUMENTS for read in condition.reads):
        return True
    facts = facts_of(resolve(application), namespace_labels={})
    return decide(policy.metadata.name, policy.spec.match, facts).outcome != "differs"


def _of_nobody(
    backup: Backup, everything: tuple[Resource, ...], around: Surroundings
) -> Iterator[Problem]:
    namespace = _place(backup, around).namespace
    names = [
        one.metadata.name
        for one in everything
        if isinstance(one, Application) and _place(one, around).namespace == namespace
    ]
    if around.cluster and backup.spec.application not in names:
        wrong = f"namespace {namespace} has no Application {backup.spec.application}"
        right = suggestion(backup.spec.application, names) if names else "apply it first"
        yield Problem(("spec", "application"), wrong, right)
