"""Bring AppShield's kinds along: made or upgraded in place, never deleted, so nothing is lost."""

from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import CRD
from appshield.language.crds import crds

_SERVED_TIMEOUT_S = 30.0


async def install_kinds(cluster: Cluster) -> None:
    """Apply the definitions and wait until the API server serves them."""
    for definition in crds():
        await cluster.apply(CRD, definition)
    for definition in crds():
        name = definition["metadata"]["name"]
        await cluster.wait_for(
            CRD, name, "", _established, timeout_s=_SERVED_TIMEOUT_S, what=f"kind {name} served"
        )


def _established(obj: Object | None) -> bool:
    conditions = (obj or {}).get("status", {}).get("conditions", [])
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
