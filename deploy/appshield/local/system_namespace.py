"""AppShield's own namespace in the cluster."""

import contextlib

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.kubernetes import AlreadyExistsError, Cluster, Object
from appshield.kubernetes.kinds import NAMESPACE
from appshield.podvolumes import MANAGED


async def ensure_system_namespace(cluster: Cluster) -> None:
    """Make the namespace unless it is there."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace"}
    space["metadata"] = {"name": SYSTEM_NAMESPACE, "labels": dict(MANAGED)}
    with contextlib.suppress(AlreadyExistsError):
        await cluster.create(NAMESPACE, space)
