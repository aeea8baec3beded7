"""Keep every accepted content of a document, so that it can be looked up under its digest."""

import structlog

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.errors import AppShieldError, UnavailableError
from appshield.kubernetes import AlreadyExistsError, Cluster, Object
from appshield.kubernetes.kinds import CONTROLLER_REVISION
from appshield.language.problems import DocumentError
from appshield.language.revisions import (
    DIGEST_ANNOTATION,
    REVISIONS_MAX,
    owner_label,
    revision_of,
    too_many,
)
from appshield.watcher.own_namespace import ensure_own_namespace


async def keep_revision(cluster: Cluster, obj: Object, digest: str) -> None:
    """Keep the spec of a document's object, once for each content.

    Nothing is kept of one that is refused, or that has changed again since `digest` was told. A
    cluster that does not allow it is told of in the log: a status is written all the same.

    Raises:
        UnavailableError: the cluster cannot be reached; try again.
    """
    try:
        wanted = revision_of(obj, without_namespace=SYSTEM_NAMESPACE)
    except DocumentError:
        return
    if wanted["metadata"]["annotations"][DIGEST_ANNOTATION] != digest:
        return
    try:
        await _keep(cluster, wanted, owner_label(obj["kind"]))
    except UnavailableError:
        raise
    except AppShieldError as error:
        structlog.get_logger().warning("revision not kept", problem=str(error))


async def _keep(cluster: Cluster, wanted: Object, label: str) -> None:
    meta = wanted["metadata"]
    name, namespace = meta["name"], meta["namespace"]
    if namespace == SYSTEM_NAMESPACE:
        await ensure_own_namespace(cluster)
    try:
        await cluster.create(CONTROLLER_REVISION, wanted)
    except AlreadyExistsError:
        known = await cluster.get(CONTROLLER_REVISION, name, namespace)
        if known is not None and known["revision"] < wanted["revision"]:  # it was so once before
            await cluster.merge_patch(
                CONTROLLER_REVISION, name, {"revision": wanted["revision"]}, namespace=namespace
            )
        return
    structlog.get_logger().info("revision kept", revision=name, namespace=namespace)
    if wanted["revision"] > REVISIONS_MAX:  # a document has no more contents than generations
        await _drop_oldest(cluster, namespace, f"{label}={meta['labels'][label]}")


async def _drop_oldest(cluster: Cluster, namespace: str, selector: str) -> None:
    kept = await cluster.list(CONTROLLER_REVISION, namespace=namespace, label_selector=selector)
    for obj in too_many(kept):
        await cluster.delete(
            CONTROLLER_REVISION,
            obj["metadata"]["name"],
            namespace=namespace,
            uid=obj["metadata"]["uid"],
        )
