"""Keep every accepted content of an Application document, so that a version's can be looked up."""

import structlog

from appshield.kubernetes import AlreadyExistsError, Cluster, Object
from appshield.kubernetes.kinds import CONTROLLER_REVISION
from appshield.language.problems import DocumentError
from appshield.language.revisions import DIGEST_ANNOTATION, OWNER_LABEL, revision_of, too_many


async def keep_revision(cluster: Cluster, application: Object, digest: str) -> None:
    """Keep the spec of an Application object, once for each content.

    Nothing is kept of one that is refused, or that has changed again since `digest` was told.

    Raises:
        AppShieldError: the cluster cannot be reached or refuses it.
    """
    try:
        wanted = revision_of(application)
    except DocumentError:
        return
    meta = wanted["metadata"]
    if meta["annotations"][DIGEST_ANNOTATION] != digest:
        return
    name, namespace = meta["name"], meta["namespace"]
    known = await cluster.get(CONTROLLER_REVISION, name, namespace)
    if known is None:
        try:
            await cluster.create(CONTROLLER_REVISION, wanted)
        except AlreadyExistsError:  # another watcher was faster
            return
        structlog.get_logger().info("revision kept", revision=name, namespace=namespace)
        await _drop_oldest(cluster, namespace, meta["labels"][OWNER_LABEL])
    elif known["revision"] < wanted["revision"]:  # the document came back to an earlier content
        await cluster.merge_patch(
            CONTROLLER_REVISION, name, {"revision": wanted["revision"]}, namespace=namespace
        )


async def _drop_oldest(cluster: Cluster, namespace: str, uid: str) -> None:
    kept = await cluster.list(
        CONTROLLER_REVISION, namespace=namespace, label_selector=f"{OWNER_LABEL}={uid}"
    )
    for obj in too_many(kept):
        await cluster.delete(
            CONTROLLER_REVISION,
            obj["metadata"]["name"],
            namespace=namespace,
            uid=obj["metadata"]["uid"],
        )
