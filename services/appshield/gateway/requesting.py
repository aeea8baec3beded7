"""Who writes a Backup or Restore, put down on the object as it is written. Pure.

Whoever asks gets back what they have said themselves, and nothing is kept or told: a stranger who
finds the port learns nothing and does nothing. That nobody else's name is stored is seen to by the
API server (see `appshield.language.requesters`).
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
from appshield.manifests.objects import annotations_of

_KEYS = (REQUESTED_BY, REQUESTED_GROUPS)


def write_requester(request: AdmissionRequest) -> bytes:
    """Answer a review with what makes the object say who asks by it."""
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
    written, wanted = annotations_of(request.object or {}), _wanted(request)
    if not written:
        return [{"op": "add", "path": "/metadata/annotations", "value": wanted}] if wanted else []
    path = {key: f"/metadata/annotations/{key.replace('/', '~1')}" for key in _KEYS}
    gone: list[dict[str, object]] = [
        {"op": "remove", "path": path[key]} for key in _KEYS if key in written and key not in wanted
    ]
    return gone + [
        {"op": "add", "path": path[key], "value": value}
        for key, value in wanted.items()
        if written.get(key) != value
    ]


def _wanted(request: AdmissionRequest) -> dict[str, str]:
    """Give the annotations of whoever asks: who writes it now, or who did before."""
    before = annotations_of(request.before)
    again = annotations_of(request.object or {}).get(RUN_ANYWAY) != before.get(RUN_ANYWAY)
    if request.operation == "CREATE" or again:
        return annotations_for(Requester(request.user, request.user_info.groups))
    return {key: before[key] for key in _KEYS if key in before}
