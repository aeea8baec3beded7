"""Objects of kinds that a cluster may not have: AppShield's own, before it has been there."""

from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.errors import NotServedError


async def objects_of(cluster: Cluster, kind: Kind, namespace: str = "") -> list[Object]:
    """List the objects of a kind; none where the cluster does not have the kind."""
    try:
        return await cluster.list(kind, namespace=namespace)
    except NotServedError:
        return []
