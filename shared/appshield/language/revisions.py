"""Every accepted content of a document, kept under its digest. Pure.

A revision is a ControllerRevision beside the document's object, as Kubernetes keeps those of a
StatefulSet: its data never changes, who may read the namespace may read it, and it goes with the
object. Objects without a namespace (Policy, Profile, Vault) have theirs in AppShield's own. A
version names the digests of those that made it: the Application's, whose document it holds itself,
and those of the Policies that matched and the Profiles that gave it values.
"""

from datetime import datetime
from typing import Any

import msgspec

from appshield.language.kinds import API_VERSION, GROUP
from appshield.language.object_reading import read_object
from appshield.language.resolving import revision

Object = dict[str, Any]

REVISIONS_MAX = 100
"""So many revisions of a document stay; beyond, the oldest go."""
DIGEST_ANNOTATION = f"{GROUP}/revision"
_DIGEST_IN_NAME = 12
_UID_IN_NAME = 8
_NAME_MAX = 200


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One content of a document: its digest, the newest generation that had it, and since when."""

    digest: str
    generation: int
    since: datetime
    document: Object


def owner_label(kind: str) -> str:
    """Name the label by which the revisions of an object are found: its value is the uid."""
    return f"{GROUP}/{kind.lower()}-uid"


def revision_of(obj: Object, *, without_namespace: str) -> Object:
    """Return the ControllerRevision that keeps an accepted document's spec.

    Args:
        obj: the document's object.
        without_namespace: the namespace for revisions of objects that have none.

    Raises:
        DocumentError: the document is refused.
    """
    meta, kind = obj["metadata"], obj["kind"]
    digest = revision(read_object(obj).spec)
    name, uid = meta["name"], meta["uid"]
    place = {field: meta[field] for field in ("name", "namespace") if field in meta}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name[:_NAME_MAX]}-{uid[:_UID_IN_NAME]}-{digest[:_DIGEST_IN_NAME]}",
            "namespace": meta.get("namespace") or without_namespace,
            "labels": {"app.kubernetes.io/managed-by": "appshield", owner_label(kind): uid},
            "annotations": {DIGEST_ANNOTATION: digest},
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": kind, "name": name, "uid": uid}
            ],
        },
        "data": {"apiVersion": API_VERSION, "kind": kind, "metadata": place, "spec": obj["spec"]},
        "revision": meta.get("generation", 0),
    }


def read_revision(obj: Object) -> Revision:
    """Read what `revision_of` has written."""
    meta = obj["metadata"]
    return Revision(
        digest=meta["annotations"][DIGEST_ANNOTATION],
        generation=obj["revision"],
        since=datetime.fromisoformat(meta["creationTimestamp"]),
        document=obj["data"],
    )


def too_many(objects: list[Object]) -> list[Object]:
    """Return the ControllerRevisions of one document that have to go: the oldest ones."""
    newest_first = sorted(objects, key=lambda obj: int(obj["revision"]), reverse=True)
    return newest_first[REVISIONS_MAX:]
