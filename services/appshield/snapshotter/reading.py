"""Read an application as it stands in the cluster: its document, its members, their volumes."""

import msgspec

from appshield.contracts.identities import AppRef
from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Kind, Object
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import (
    APPLICATION,
    NAMESPACE,
    POD,
    PV,
    PVC,
    VOLUME_SNAPSHOT_CLASS,
)
from appshield.language.in_force import document_in_force
from appshield.language.problems import DocumentError
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve
from appshield.manifests.imported_hooks import import_hooks
from appshield.manifests.membership import Membership, kinds_needed, select
from appshield.service import together


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster says about an application at one moment.

    `document` is the one in force, which need not be the newest; `application` is what it means,
    with the hooks that pods are annotated with, about which `notes` tell.
    """

    document: Object
    application: ResolvedApplication
    namespace: Object
    objects: tuple[Object, ...]
    membership: Membership
    pods: tuple[Object, ...]
    claims: tuple[Object, ...]
    volumes: tuple[Object, ...]
    snapshot_classes: tuple[Object, ...]
    notes: tuple[str, ...] = ()


async def read_application(cluster: Cluster, app: AppRef) -> Reading:
    """Read everything that a snapshot of the application needs.

    Raises:
        NotFoundError: the Application object is gone.
        RefusedError: its namespace is being deleted, or its document is refused and none was
            accepted before.
    """
    namespace = await _living_namespace(cluster, app)
    newest = await cluster.get(APPLICATION, app.name, app.namespace)
    if newest is None:
        raise NotFoundError(
            f"application {app} is gone",
            why="its Application object was deleted",
            next_step="Apply its document again; its versions are still there.",
        )
    try:
        document, read = document_in_force(newest)
    except DocumentError as error:
        raise RefusedError(
            f"application {app} cannot be backed up",
            why=f"its document is refused, and none was accepted before: {error}",
            next_step="Correct the document and apply it again.",
        ) from error
    application = resolve(read)
    kinds = kinds_needed(application, await cluster.kinds())
    listed = await together(_list(cluster, kind, app.namespace) for kind in kinds)
    objects = tuple(obj for found in listed for obj in found)
    pods, claims, volumes, classes = await together(
        (
            _list(cluster, POD, app.namespace),
            _list(cluster, PVC, app.namespace),
            _list(cluster, PV, ""),
            _list(cluster, VOLUME_SNAPSHOT_CLASS, ""),
        )
    )
    membership = select(application, objects)
    imported = import_hooks(application, membership.objects)
    return Reading(
        document=document,
        application=imported.application,
        namespace=namespace,
        objects=objects,
        membership=membership,
        pods=tuple(pods),
        claims=tuple(claims),
        volumes=tuple(volumes),
        snapshot_classes=tuple(classes),
        notes=imported.notes,
    )


async def _living_namespace(cluster: Cluster, app: AppRef) -> Object:
    namespace = await cluster.get(NAMESPACE, app.namespace)
    if namespace is None:
        raise NotFoundError(
            f"application {app} cannot be backed up",
            why=f"namespace {app.namespace} does not exist",
            next_step="Its earlier versions are still there and can be restored.",
        )
    if namespace.get("status", {}).get("phase") == "Terminating":
        raise RefusedError(
            f"application {app} cannot be backed up",
            why=f"namespace {app.namespace} is being deleted",
            next_step="Its earlier versions are still there and can be restored.",
        )
    return namespace


async def _list(cluster: Cluster, kind: Kind, namespace: str) -> list[Object]:
    try:
        return await cluster.list(kind, namespace=namespace)
    except NotServedError:
        return []  # a kind that the cluster does not have has no objects
