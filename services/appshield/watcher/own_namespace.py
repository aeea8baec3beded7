"""AppShield's own namespace, which is made when something has to be kept in it."""

import contextlib

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.kubernetes import AlreadyExistsError, Cluster
from appshield.kubernetes.kinds import NAMESPACE


async def ensure_own_namespace(cluster: Cluster) -> None:
    """Make the namespace unless it is there.

    Raises:
        DeniedError: a right is missing; the text names it.
    """
    if await cluster.get(NAMESPACE, SYSTEM_NAMESPACE) is None:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
        with contextlib.suppress(AlreadyExistsError):
            await cluster.create(NAMESPACE, space)
