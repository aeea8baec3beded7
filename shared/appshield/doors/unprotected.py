"""Workloads that nothing protects: found by what the applications of a cluster say. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from appshield.doors.proposing import Proposal, proposals
from appshield.kubernetes import Object
from appshield.language.kinds import Application
from appshield.language.profiles import Profiles
from appshield.language.resolving import resolve
from appshield.manifests.membership import select
from appshield.manifests.objects import Reference, controller_of, namespace_of, reference_of

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "appshield-system"})
_WORKLOADS = frozenset({"StatefulSet", "Deployment", "DaemonSet"})


class Unprotected(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that belongs to no application.

    `profile` is the type that it was recognised as, `why` says by what; both are empty of one that
    keeps no data and that nothing knows.
    """

    namespace: str
    kind: str
    name: str
    profile: str
    why: str
    keeps_data: bool


def unprotected(
    objects: Sequence[Object], applications: Iterable[Application], profiles: Profiles
) -> list[Unprotected]:
    """Find the workloads of a cluster that no application has as a member.

    Args:
        objects: the workloads and claims of all namespaces.
        applications: the documents that are in force.
        profiles: what is known about types.
    """
    held = members(objects, applications, profiles)
    found = []
    for namespace, here in sorted(_by_namespace(objects).items()):
        if namespace in SYSTEM_NAMESPACES:
            continue
        known = {(one.kind, one.name): one for one in proposals(here, profiles)}
        found += [
            _described(reference, known.get((reference.kind, reference.name)))
            for reference in sorted(map(reference_of, filter(_is_workload, here)))
            if reference not in held
        ]
    return found


def members(
    objects: Sequence[Object], applications: Iterable[Application], profiles: Profiles
) -> frozenset[Reference]:
    """Return what belongs to some application, of these objects."""
    here = _by_namespace(objects)
    held: set[Reference] = set()
    for application in applications:
        resolved = resolve(application, profiles)
        membership = select(resolved, here.get(resolved.namespace, []))
        held.update(map(reference_of, membership.objects))
    return frozenset(held)


def _is_workload(obj: Object) -> bool:
    return obj["kind"] in _WORKLOADS and controller_of(obj) is None


def _described(reference: Reference, proposal: Proposal | None) -> Unprotected:
    return Unprotected(
        namespace=reference.namespace,
        kind=reference.kind,
        name=reference.name,
        profile=proposal.profile if proposal else "",
        why=proposal.why if proposal else "",
        keeps_data=proposal is not None,
    )


def _by_namespace(objects: Iterable[Object]) -> Mapping[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for obj in objects:
        found.setdefault(namespace_of(obj), []).append(obj)
    return found
