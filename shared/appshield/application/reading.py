"""Read an application as it stands in the cluster: its document, its members, their volumes."""

from collections.abc import Collection, Iterable

import msgspec

from appshield.contracts.identities import AppRef
from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Kind, Listing, Object
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import (
    APPLICATION,
    NAMESPACE,
    POD,
    PROFILE,
    PV,
    PVC,
    VOLUME_SNAPSHOT_CLASS,
)
from appshield.language.in_force import document_in_force
from appshield.language.kinds import Application
from appshield.language.own_profiles import profiles_in_force
from appshield.language.problems import DocumentError
from appshield.language.profiles import Profiles
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve
from appshield.manifests.imported_hooks import import_hooks
from appshield.manifests.membership import (
    Membership,
    cluster_kinds_needed,
    kinds_needed,
    named_and_absent,
    select,
)
from appshield.service import both, together

_VOLUME_KINDS = (POD, PVC, PV, VOLUME_SNAPSHOT_CLASS)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster says about an application at one moment.

    `document` is the one in force, which need not be the newest; `application` is what it means,
    with the hooks that pods are annotated with, about which `notes` tell. `of_one_moment`: nothing
    of it was written after the first of the kinds was listed, so all lists show one moment.
    """

    document: Object
    application: ResolvedApplication
    profiles: Profiles
    namespace: Object
    objects: tuple[Object, ...]
    membership: Membership
    pods: tuple[Object, ...]
    claims: tuple[Object, ...]
    volumes: tuple[Object, ...]
    snapshot_classes: tuple[Object, ...]
    notes: tuple[str, ...]
    of_one_moment: bool


async def read_application(cluster: Cluster, app: AppRef) -> Reading:
    """Read everything that a snapshot of the application needs.

    Raises:
        NotFoundError: the Application object is gone.
        RefusedError: its namespace is being deleted, or its document is refused and none was
            accepted before.
    """
    (namespace, newest), known = await both(
        both(_living_namespace(cluster, app), cluster.get(APPLICATION, app.name, app.namespace)),
        _profiles_and_kinds(cluster),
    )
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
    return await _read(cluster, document, read, namespace, known)


async def read_document(
    cluster: Cluster, document: Object, application: Application, namespace: Object
) -> Reading:
    """Read the cluster as a document sees it, which need not be applied.

    Each kind is listed once, whatever the number of objects.
    """
    return await _read(
        cluster, document, application, namespace, await _profiles_and_kinds(cluster)
    )


async def _profiles_and_kinds(cluster: Cluster) -> tuple[list[Object], tuple[Kind, ...]]:
    """Read what is there of profiles, and which kinds there are."""
    cluster.refresh()  # a kind may be newer than the last look, and its objects must not be missed
    profiles, served = await both(_list(cluster, PROFILE, ""), cluster.kinds())
    return profiles.objects, served


async def _read(
    cluster: Cluster,
    document: Object,
    application: Application,
    namespace: Object,
    known: tuple[list[Object], tuple[Kind, ...]],
) -> Reading:
    profiles, problems = profiles_in_force(known[0])
    served = known[1]
    resolved = resolve(application, profiles)
    listed = await _list_all(
        cluster, {*kinds_needed(resolved, served), *_VOLUME_KINDS}, resolved.namespace
    )
    present = [obj for listing in listed.values() for obj in listing.objects]
    shared = set(cluster_kinds_needed(resolved, served, present)) - listed.keys()
    listed |= await _list_all(cluster, shared, "")
    objects = tuple(obj for listing in listed.values() for obj in listing.objects)
    membership = select(resolved, objects)
    imported = import_hooks(resolved, membership.objects, listed[POD].objects)
    return Reading(
        document=document,
        application=imported.application,
        profiles=profiles,
        namespace=namespace,
        objects=objects,
        membership=membership,
        pods=tuple(listed[POD].objects),
        claims=tuple(listed[PVC].objects),
        volumes=tuple(listed[PV].objects),
        snapshot_classes=tuple(listed[VOLUME_SNAPSHOT_CLASS].objects),
        notes=(*problems, *imported.notes, *named_and_absent(resolved, objects)),
        of_one_moment=not membership.missing
        and of_one_moment(
            (document, namespace, *membership.objects, *listed[POD].objects),
            [listing.resource_version for listing in listed.values()],
        ),
    )


def of_one_moment(objects: Iterable[Object], listed_at: Iterable[str]) -> bool:
    """Say whether no object was written after the first list was made. Pure.

    All lists then show what was there when that one was made; what was deleted between two of them
    is missed by references to it alone. Versions count up through all kinds that one API server
    stores; one that is no number, of a server of its own, tells nothing. A kind that is not served
    has no moment.
    """
    versions = [str(obj["metadata"].get("resourceVersion") or "") for obj in objects]
    moments = [text for text in listed_at if text]
    if not all(text.isdecimal() for text in (*versions, *moments)):
        return False
    first = min(map(int, moments), default=0)
    return all(int(version) <= first for version in versions)


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


async def _list_all(
    cluster: Cluster, kinds: Collection[Kind], namespace: str
) -> dict[Kind, Listing[Object]]:
    """List the objects of each kind with one request, in a fixed order of kinds."""
    ordered = sorted(kinds, key=lambda kind: (kind.group, kind.kind))
    found = await together(_list(cluster, kind, namespace) for kind in ordered)
    return dict(zip(ordered, found, strict=True))


async def _list(cluster: Cluster, kind: Kind, namespace: str) -> Listing[Object]:
    try:
        return await cluster.listing(kind, namespace=namespace if kind.namespaced else "")
    except NotServedError:
        return Listing([], "")  # a kind that the cluster does not have has no objects
