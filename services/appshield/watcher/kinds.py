"""Bring AppShield's kinds along: made or upgraded in place, never deleted, so nothing is lost.

With them come the roles that people are given, and the policies that say who may write which
document. A definition that would lose what is stored is refused before anything is changed.
"""

from collections.abc import Sequence

import structlog

from appshield.doors.roles import role_objects
from appshield.errors import RefusedError
from appshield.kubernetes import Cluster, Kind, NotServedError, Object
from appshield.kubernetes.kinds import (
    ADMISSION_POLICY,
    ADMISSION_POLICY_BINDING,
    CLUSTER_ROLE,
    CRD,
)
from appshield.language.admission import admission_objects
from appshield.language.crd_upgrades import lost_fields, lost_versions, uses
from appshield.language.crds import crds

_SERVED_TIMEOUT_S = 30.0
_NAMED_MAX = 5
_ADMISSION_KINDS = {
    kind.kind: kind for kind in (CLUSTER_ROLE, ADMISSION_POLICY, ADMISSION_POLICY_BINDING)
}


async def install_kinds(cluster: Cluster, definitions: Sequence[Object] = crds()) -> None:
    """Apply the definitions, wait until the API server serves them, then apply the policies.

    Raises:
        RefusedError: the cluster stores something that a definition does not know; nothing was
            changed.
    """
    for definition in definitions:
        await _refuse_loss(cluster, definition)
    for definition in definitions:
        await cluster.apply(CRD, definition)
    for definition in definitions:
        name = definition["metadata"]["name"]
        await cluster.wait_for(
            CRD, name, "", _established, timeout_s=_SERVED_TIMEOUT_S, what=f"kind {name} served"
        )
    for role in role_objects():
        await cluster.apply(CLUSTER_ROLE, role)
    await _install_admission(cluster)


async def _install_admission(cluster: Cluster) -> None:
    try:
        for obj in admission_objects():
            await cluster.apply(_ADMISSION_KINDS[obj["kind"]], obj)
    except NotServedError as error:
        # Before Kubernetes 1.30 there are no such policies; roles alone decide there.
        structlog.get_logger().warning(
            "documents are not checked against their writers' rights", problem=str(error)
        )


async def _refuse_loss(cluster: Cluster, wanted: Object) -> None:
    name = wanted["metadata"]["name"]
    present = await cluster.get(CRD, name)
    if present is None:
        return
    if versions := lost_versions(present, wanted):
        raise RefusedError(
            f"the kind {name} is not replaced",
            why=f"the cluster stores objects as {', '.join(versions)}, which this release does not "
            "know",
            next_step="Run a release that knows both versions first, or the newer one.",
        )
    fields = lost_fields(present, wanted)
    if not fields:
        return
    objects = await cluster.list(_kind_of(present))
    for field in fields:
        using = [_named(obj) for obj in objects if uses(obj, field)]
        if using:
            more = f" and {len(using) - _NAMED_MAX} more" if len(using) > _NAMED_MAX else ""
            raise RefusedError(
                f"the kind {name} is not replaced",
                why=f"this release does not know the field {'.'.join(field)}, and it is used by "
                f"{', '.join(using[:_NAMED_MAX])}{more}",
                next_step="Run the newer release, or remove the field from these objects first.",
            )


def _kind_of(definition: Object) -> Kind:
    spec = definition["spec"]
    version = next(one["name"] for one in spec["versions"] if one["served"])
    return Kind(
        spec["group"],
        version,
        spec["names"]["kind"],
        spec["names"]["plural"],
        namespaced=spec["scope"] == "Namespaced",
    )


def _named(obj: Object) -> str:
    meta = obj["metadata"]
    return "/".join(part for part in (meta.get("namespace", ""), meta["name"]) if part)


def _established(obj: Object | None) -> bool:
    conditions = ((obj or {}).get("status") or {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
