"""What the watcher tells about changes that triggers wait for, and what other tools signal."""

from datetime import datetime
from typing import ClassVar

from appshield.contracts.identities import AppRef, token
from appshield.contracts.message import Event, Message
from appshield.contracts.policies import PLACE


class ChangeMatched(Event, frozen=True, kw_only=True, tag="appshield.v1.change_matched"):
    """An object of an application has changed as the rule `protection` waits for.

    `object` is named as `Kind namespace/name`. The same change of an object is told to a rule
    under the same identity, however often.
    """

    noun: ClassVar[str] = "change"
    verb: ClassVar[str] = "matched"

    protection: str
    object: str
    uid: str
    resource_version: str
    seen_at: datetime
    deleted: bool = False

    def identity(self) -> str:
        """Name the change of this object for this rule."""
        what = "gone" if self.deleted else self.resource_version
        return f"{self.app.cluster}/{self.uid}/{what}/{self.protection}"

    def message_id(self) -> str:
        """Name the fact after object, version, application and rule."""
        return f"change.{self.app.namespace}.{self.app.name}.{self.identity()}"


class Signal(Message, frozen=True, kw_only=True, tag="appshield.v1.signal"):
    """Something that another tool has published as a signal, read from its message.

    It never travels in this form. `app` is the signal's own place; `id` is the message's
    `Nats-Msg-Id`, the CloudEvent's source and id, or the place in the stream. `content` is the
    content, of a CloudEvent its data. The other fields are the attributes of a CloudEvent.
    """

    name: str
    id: str
    content: bytes = b""
    source: str = ""
    event_id: str = ""
    event_type: str = ""
    event_subject: str = ""


def signal_place(name: str) -> AppRef:
    """Return where a signal stands, in no cluster."""
    return AppRef(cluster="signals", namespace=PLACE, name=token(name))
