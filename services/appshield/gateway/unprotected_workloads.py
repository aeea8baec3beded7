"""Workloads of the cluster that nothing protects, as it was a moment ago."""

from collections.abc import Callable

import msgspec

from appshield.doors.listing import objects_of
from appshield.doors.profiles import profiles_in
from appshield.doors.starting import WORKLOADS, proposed_text
from appshield.doors.unprotected import Unprotected, members, unprotected
from appshield.errors import NotFoundError
from appshield.gateway.recent import Recent
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION, PVC, VAULT
from appshield.language.in_force import application_in_force
from appshield.language.kinds import Application
from appshield.language.profiles import Profiles
from appshield.manifests.objects import Reference, namespace_of, reference_of

FRESH_S = 30.0
_ALL = "cluster"


class ClusterState(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the cluster, and what came of it."""

    objects: tuple[Object, ...]
    held: frozenset[Reference]
    profiles: Profiles
    vaults: tuple[str, ...]
    found: tuple[Unprotected, ...]


class UnprotectedWorkloads:
    """Finds them; `cluster` gives the cluster, or raises while there is none."""

    def __init__(self, cluster: Callable[[], Cluster]) -> None:
        self._cluster = cluster
        self._recent: Recent[ClusterState] = Recent(FRESH_S)

    async def found(self) -> tuple[Unprotected, ...]:
        """Return every workload that belongs to no application."""
        return (await self._recent.get(_ALL, self._read)).found

    def forget(self) -> None:
        """Look anew when somebody asks next: what protects workloads has changed."""
        self._recent.forget(_ALL)

    async def proposal(self, namespace: str) -> str:
        """Write a document for what nothing protects in a namespace.

        Raises:
            NotFoundError: there is no such workload in it.
            RefusedError: no document can be written.
        """
        state = await self._recent.get(_ALL, self._read)
        if not any(one.namespace == namespace for one in state.found):
            raise NotFoundError(f"namespace {namespace} has no workload that nothing protects")
        here = [
            obj
            for obj in state.objects
            if namespace_of(obj) == namespace and reference_of(obj) not in state.held
        ]
        return proposed_text(namespace, here, state.profiles, state.vaults)

    async def _read(self) -> ClusterState:
        cluster = self._cluster()
        objects = tuple(
            [obj for kind in (*WORKLOADS, PVC) for obj in await objects_of(cluster, kind)]
        )
        profiles, _ = await profiles_in(cluster)
        applications = [
            document
            for obj in await objects_of(cluster, APPLICATION)
            if (document := _in_force(obj)) is not None
        ]
        vaults = await objects_of(cluster, VAULT)
        return ClusterState(
            objects=objects,
            held=members(objects, applications, profiles),
            profiles=profiles,
            vaults=tuple(obj["metadata"]["name"] for obj in vaults),
            found=tuple(unprotected(objects, applications, profiles)),
        )


def _in_force(obj: Object) -> Application | None:
    document, _ = application_in_force(obj)
    return document
