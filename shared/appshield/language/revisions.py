"""Every accepted content of an Application document, kept under its digest. Pure.

A revision is a ControllerRevision beside the Application, as Kubernetes keeps those of a
StatefulSet: its data never changes, who may read the namespace may read it, and it goes with the
Application. A version names the digest of the revision that made it, and holds the document itself.
"""

from datetime import datetime
from typing import Any

import msgspec

from appshield.language.kinds import API_VERSION, GROUP
from appshield.language.object_reading import read_object
from appshield.language.resolving import revision

Object = dict[str, Any]

REVISIONS_MAX = 100
"""So many revisions of an application stay; beyond, the oldest go."""
OWNER_LABEL = f"{GROUP}/application-uid"
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


def revision_of(application: Object) -> Object:
    """Return the ControllerRevision that keeps an accepted Application object's spec.

    Raises:
        DocumentError: the document is refused.
    """
    meta = application["metadata"]
    digest = revision(read_object(application).spec)
    name, uid = meta["name"], meta["uid"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name[:_NAME_MAX]}-{uid[:_UID_IN_NAME]}-{digest[:_DIGEST_IN_NAME]}",
            "namespace": meta["namespace"],
            "labels": {"app.kubernetes.io/managed-by": "appshield", OWNER_LABEL: uid},
            "annotations": {DIGEST_ANNOTATION: digest},
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": "Application", "name": name, "uid": uid}
            ],
        },
        "data": {
            "apiVersion": API_VERSION,
            "kind": "Application",
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "spec": application["spec"],
        },
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
    """Return the ControllerRevisions of one application that have to go: the oldest ones."""
    newest_first = sorted(objects, key=lambda obj: int(obj["revision"]), reverse=True)
    return newest_first[REVISIONS_MAX:]
