"""The gate: operations that wait for a version, from the first refusal to the pass."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from appshield.contracts import subjects
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Event

Operation = Literal["rollout", "delete"]


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An operation on one object that was refused until its application is saved.

    `about` names the object in words, `state` is a digest of what it said when the operation was
    refused first, at `asked_at`. `request_id` and `run` are the request that this made, and its
    run: a version made by that run is later than the refusal by construction.
    """

    app: AppRef
    app_id: str
    operation: Operation
    about: str
    state: str
    asked_at: datetime
    request_id: str
    run: str
    rule: str = ""
    actor: str = ""


class GateOverridden(Event, frozen=True, kw_only=True, tag="appshield.v1.gate_overridden"):
    """Somebody broke the glass: an operation passed the gate without a version, for a reason.

    `app` is the application whose gate it was, without a name where the gate did not know it yet.
    `change` names what it made of the object, see `change_passed`.
    """

    noun: ClassVar[str] = "gate"
    verb: ClassVar[str] = "overridden"

    admission: str
    operation: Operation
    about: str
    actor: str
    reason: str
    at: datetime
    change: str = ""

    def subject(self) -> str:
        """Name the subject on which this is told: of what anyone did."""
        return subjects.audit(self.noun)

    def message_id(self) -> str:
        """Name the fact after the API server's identity of the admission, and the application."""
        return f"{self.admission}.{self.app.name}.{self.verb}"


def change_passed(uid: str, operation: Operation, generation: int) -> str:
    """Name a change of an object, the same for whoever is asked before and whoever sees it after.

    Args:
        uid: of the object.
        operation: what is done to it.
        generation: the one that the API server gives it with this change.
    """
    return f"{uid}.{'gone' if operation == 'delete' else generation}"
