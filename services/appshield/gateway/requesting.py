"""Who writes one of AppShield's objects, put down on the object as it is written. Pure.

Whoever asks gets back what they have said themselves, and nothing is kept or told: a stranger who
finds the port learns nothing and does nothing. That nobody else's name is stored is seen to by the
API server (see `appshield.language.requesters` and `appshield.language.writers`).
"""

import base64

import msgspec

from appshield.gateway.reviewing import API_VERSION, AdmissionRequest
from appshield.language.requesters import (
    REQUESTED_BY,
    REQUESTED_GROUPS,
    RUN_ANYWAY,
    Requester,
    annotations_for,
)
from appshield.language.writers import WRITTEN_BY, WRITTEN_GENERATION, writer_annotations
from appshield.manifests.objects import annotations_of, metadata

_WISHES = frozenset({"Backup", "Restore"})
_OF_WISHES = (REQUESTED_BY, REQUESTED_GROUPS)
_OF_DOCUMENTS = (WRITTEN_BY, WRITTEN_GENERATION)


def write_requester(request: AdmissionRequest) -> bytes:
    """Answer a review with what makes the object say who asks by it, or wrote it."""
    patch = msgspec.json.encode(_patch(request))
    response = {
        "uid": request.uid,
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(patch).decode(),
    }
    review = {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    return msgspec.json.encode(review)


def _patch(request: AdmissionRequest) -> list[dict[str, object]]:
    """Bring the annotations in line with what is so; what is so already needs nothing."""
    wish = request.kind.kind in _WISHES
    keys = _OF_WISHES if wish else _OF_DOCUMENTS
    now = _asking(request) if wish else _writing(request)
    before = annotations_of(request.before)
    wanted = {key: before[key] for key in keys if key in before} if now is None else now
    written = annotations_of(request.object or {})
    if not written:
        return [{"op": "add", "path": "/metadata/annotations", "value": wanted}] if wanted else []
    path = {key: f"/metadata/annotations/{key.replace('/', '~1')}" for key in keys}
    gone: list[dict[str, object]] = [
        {"op": "remove", "path": path[key]} for key in keys if key in written and key not in wanted
    ]
    return gone + [
        {"op": "add", "path": path[key], "value": value}
        for key, value in wanted.items()
        if written.get(key) != value
    ]


def _asking(request: AdmissionRequest) -> dict[str, str] | None:
    """Give the annotations of whoever asks by a wish now; None: it is who did before."""
    before = annotations_of(request.before)
    again = annotations_of(request.object or {}).get(RUN_ANYWAY) != before.get(RUN_ANYWAY)
    if request.operation == "CREATE" or again:
        return annotations_for(Requester(request.user, request.user_info.groups))
    return None


def _writing(request: AdmissionRequest) -> dict[str, str] | None:
    """Give the annotations of whoever makes another document of it; None: it stays as it was.

    The API server counts a generation for each change of the spec, after it has asked here.
    """
    if request.operation == "CREATE":
        return writer_annotations(request.user, 1)
    if (request.object or {}).get("spec") == request.before.get("spec"):
        return None
    return writer_annotations(request.user, int(metadata(request.before).get("generation", 0)) + 1)
