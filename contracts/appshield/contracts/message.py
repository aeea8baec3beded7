"""What every message is: a frozen, tagged value that knows its subject and its identity.

Events are facts in the past tense and may have many readers; commands are imperative and have one.
Fields are only ever added, with a default; readers skip what they do not know. No message carries
content: no manifest, no secret, no credential; identities, digests and locations only.
"""

from typing import ClassVar, Literal

import msgspec

from appshield.contracts import subjects
from appshield.contracts.identities import AppRef

Door = Literal["local", "rest", "object", "gate", "bus"]
"""Where it was made sure who asks, and that they may.

`local`: whoever holds the keys of the installation. `rest`: the gateway has asked the cluster.
`object`: the API server, when a Backup or Restore was made. `gate`: the API server, of the
operation that waits. `bus`: a user of the bus with a grant of its own, which the planner looks up.
"""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Anything that travels on a subject."""

    noun: ClassVar[str] = ""
    verb: ClassVar[str] = ""

    app: AppRef

    def subject(self) -> str:
        """Name the subject on which this message travels."""
        raise TypeError(f"{type(self).__name__} is not a message of its own")

    def message_id(self) -> str:
        """Name this message for deduplication (`Nats-Msg-Id`): the same fact, the same name."""
        raise TypeError(f"{type(self).__name__} is not a message of its own")


class Event(Message, frozen=True, kw_only=True):
    """A fact, in the past tense."""

    def subject(self) -> str:
        """Name the subject on which this fact is told."""
        return subjects.event(self.noun, self.verb, self.app)


class Command(Message, frozen=True, kw_only=True):
    """An order to exactly one kind of worker."""

    def subject(self) -> str:
        """Name the subject on which this order is given."""
        return subjects.command(self.noun, self.verb, self.app)


class Request(Command, frozen=True, kw_only=True):
    """A wish of a person or a tool, admitted by the planner and by nobody else.

    `request_id` is minted by who asks, `actor`: asking again with the same one is asking once. The
    subject says place, `door` and `actor`, too, and the planner takes no request whose subject
    says something else: a user of the bus may publish its own subjects only. `address` is where
    the wish came from, as far as its door knows.
    """

    verb: ClassVar[str] = "request"

    request_id: str
    actor: str = ""
    door: Door = "local"
    address: str = ""

    def subject(self) -> str:
        """Name the subject on which this wish is told."""
        return subjects.request(self.noun, self.app, door=self.door, actor=self.actor)

    def message_id(self) -> str:
        """Name the request after its own identity."""
        return f"{self.noun}.request.{self.request_id}"


class StepCommand(Command, frozen=True, kw_only=True):
    """One step of a run, for a worker.

    `step` names the step within the run, `attempt` counts from 1 and `epoch` grows with every
    planner that takes the run over: a worker refuses an epoch lower than the run's.
    `node` is empty when any worker can do it. `harmless_twice`: done again after it was told, it
    changes nothing.
    """

    harmless_twice: ClassVar[bool] = False

    run: str
    step: str
    attempt: int
    epoch: int
    app_id: str
    vault: str
    node: str = ""

    def subject(self) -> str:
        """Name the subject on which this order is given, to one node where it needs one."""
        return subjects.command(self.noun, self.verb, self.app, node=self.node)

    def message_id(self) -> str:
        """Name the order after run, step and attempt."""
        return f"{self.run}.{self.step}.{self.attempt}.{self.epoch}"


class StepEvent(Event, frozen=True, kw_only=True):
    """The outcome of one step of a run."""

    run: str
    step: str
    attempt: int
    worker: str = ""
    took_ms: int = 0

    def message_id(self) -> str:
        """Name the outcome after run, step, attempt and what came of it."""
        return f"{self.run}.{self.step}.{self.attempt}.{self.verb}"
