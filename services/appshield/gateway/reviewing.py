"""AdmissionReview, as the API server writes and reads it: what is to be changed, and the answer.

Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from typing import Any, Literal

import msgspec

from appshield.contracts.gates import Operation
from appshield.errors import InvalidInputError
from appshield.gate import BREAK_GLASS
from appshield.manifests.objects import Object, annotations_of, labels_of, mapping, metadata

API_VERSION = "admission.k8s.io/v1"
RETRY_AFTER_S = 2
"""Clients that follow Kubernetes' conventions, kubectl among them, try again after this by
themselves, some ten times."""
_OWN = ("app.kubernetes.io/managed-by", "appshield")


class UserInfo(msgspec.Struct, frozen=True):
    """Who asks the API server."""

    username: str = ""
    groups: tuple[str, ...] = ()


class GroupKind(msgspec.Struct, frozen=True):
    """Group, version and kind of the object."""

    group: str = ""
    version: str = ""
    kind: str = ""


class AdmissionRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One operation, before it is done. On a delete there is no `object`, only the old one."""

    uid: str
    kind: GroupKind
    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    user_info: UserInfo = UserInfo()
    object: Object | None = None
    old_object: Object | None = None
    dry_run: bool | None = None

    @property
    def user(self) -> str:
        """The user's name."""
        return self.user_info.username

    @property
    def before(self) -> Object:
        """The object as it is before the change."""
        return self.old_object or {}

    @property
    def uid_of_object(self) -> str:
        """The identity of the object that is to be changed."""
        return str(metadata(self.before).get("uid") or "")

    @property
    def generation_made(self) -> int:
        """The generation that the object has after the change; 0 where it is gone then."""
        return int(metadata(self.object or {}).get("generation") or 0)

    @property
    def place(self) -> str:
        """The namespace that the operation is about; of a Namespace that itself."""
        return self.namespace or (self.name if self.kind.kind == "Namespace" else "")

    @property
    def about(self) -> str:
        """The object in words."""
        return f"{self.kind.kind} {self.name}"


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: AdmissionRequest


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the API server is told: go on, or not and why; `warning` is shown to the user."""

    allowed: bool
    why: str = ""
    warning: str = ""


_decoder = msgspec.json.Decoder(_Review)


def read_review(body: bytes) -> AdmissionRequest:
    """Read what the API server asks.

    Raises:
        InvalidInputError: the body is no AdmissionReview.
    """
    try:
        return _decoder.decode(body).request
    except (msgspec.DecodeError, RecursionError) as error:  # a ValidationError is one as well
        raise InvalidInputError("the body is no AdmissionReview", why=str(error)) from error


def write_answer(request: AdmissionRequest, answer: Answer) -> bytes:
    """Write the answer to a request."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": answer.allowed}
    if answer.warning:
        response["warnings"] = [answer.warning]
    if not answer.allowed:
        response["status"] = {
            "code": 429,
            "reason": "TooManyRequests",
            "message": answer.why,
            "details": {"retryAfterSeconds": RETRY_AFTER_S},
        }
    review = {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    return msgspec.json.encode(review)


def operation_of(request: AdmissionRequest) -> Operation | None:
    """Say what a gate may hold of this: a new pod template, or a delete; None for all else."""
    before = request.before
    ours = labels_of(before).get(_OWN[0]) == _OWN[1]
    if request.sub_resource or ours or metadata(before).get("deletionTimestamp"):
        return None
    if request.operation == "DELETE":
        return "delete"
    if request.operation != "UPDATE" or request.object is None:
        return None
    wanted = mapping(mapping(request.object, "spec"), "template")
    return "rollout" if wanted != mapping(mapping(before, "spec"), "template") else None


def glass_broken(request: AdmissionRequest) -> str:
    """Return the reason for which an object is to pass the gate whatever happens, or nothing."""
    asked = request.object if request.operation == "UPDATE" else request.old_object
    return str(annotations_of(asked or {}).get(BREAK_GLASS) or "").strip()
