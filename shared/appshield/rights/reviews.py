"""What callers may: the API server decides, by its own rules (SubjectAccessReview).

Answers are used for some seconds, so that rights that are taken away are gone; the same question
from many is asked once. When the API server does not answer, nobody may anything.
"""

from collections.abc import Mapping

import msgspec

from appshield.errors import DeniedError, UnavailableError
from appshield.kubernetes import Actor, Kind
from appshield.kubernetes.kinds import Object
from appshield.kubernetes.requests import Call, Send
from appshield.language.kinds import GROUP
from appshield.rights.brief import Answer, Brief

USED_FOR_S = 10.0
_ENTRIES_MAX = 100_000
_ACCESS_REVIEW = Kind(
    "authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the answer depends on."""

    name: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]
    verb: str
    group: str
    resource: str
    namespace: str
    object_name: str


class _Status(msgspec.Struct, frozen=True):
    allowed: bool = False
    denied: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class Reviews:
    """Asks the API server what callers may."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._known: Brief[Question, bool] = Brief(entries_max=_ENTRIES_MAX)

    async def allows(
        self,
        caller: Actor,
        verb: str,
        resource: str,
        namespace: str,
        *,
        name: str = "",
        group: str = GROUP,
    ) -> bool:
        """Say whether a caller has a right; `resource` may name a part, as `versions/data`.

        Raises:
            UnavailableError: the cluster cannot be asked now.
        """
        question = Question(
            name=caller.name,
            uid=caller.uid,
            groups=caller.groups,
            extra=_sorted(caller.extra),
            verb=verb,
            group=group,
            resource=resource,
            namespace=namespace,
            object_name=name,
        )
        return await self._known.get(question, lambda: self._ask(question))

    async def _ask(self, question: Question) -> Answer[bool]:
        call = Call(
            method="POST",
            path=_ACCESS_REVIEW.path(),
            body=review_of(question),
            doing="ask what a caller may",
        )
        try:
            answer = await self._send(call)
        except DeniedError as error:
            raise UnavailableError(
                "AppShield cannot ask the cluster what callers may",
                why="its own account lacks the right to",
                next_step="Bind the cluster role system:auth-delegator to it.",
            ) from error
        status = msgspec.convert(answer, _Review).status
        return Answer(status.allowed and not status.denied, USED_FOR_S)


def review_of(question: Question) -> Object:
    """Write the question as the API server reads it."""
    resource, _, part = question.resource.partition("/")
    attributes = {
        "verb": question.verb,
        "group": question.group,
        "resource": resource,
        "subresource": part,
        "namespace": question.namespace,
        "name": question.object_name,
    }
    spec: Object = {
        "user": question.name,
        "uid": question.uid,
        "groups": list(question.groups),
        "extra": {name: list(values) for name, values in question.extra},
        "resourceAttributes": {name: text for name, text in attributes.items() if text},
    }
    return {
        "apiVersion": _ACCESS_REVIEW.api_version,
        "kind": "SubjectAccessReview",
        "spec": {name: value for name, value in spec.items() if value},
    }


def _sorted(extra: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((name, tuple(values)) for name, values in extra.items()))
