"""Keys on loan: an agent of a node asks for the key of the repository that its order is about.

No message holds a key that anybody but its borrower can read, and none of these is stored. The
server of the bus lets each agent ask, and hear, on the subject of its own service and node only.
"""

from appshield.contracts import subjects
from appshield.contracts.agents import AgentService
from appshield.contracts.message import Message
from appshield.contracts.runs import Failure


class LendingMessage(Message, frozen=True, kw_only=True):
    """What is said between an agent and who lends it keys; `app` is what the order is about."""

    service: AgentService
    node: str
    request_id: str

    def message_id(self) -> str:
        """Name it after the request."""
        return f"{type(self).__name__}.{self.request_id}"


class BorrowKey(LendingMessage, frozen=True, kw_only=True, tag="appshield.v1.borrow_key"):
    """Lend the key of the repository that this order is about, sealed to `public_key`."""

    run: str
    step: str
    attempt: int
    epoch: int
    app_id: str
    vault: str
    public_key: bytes

    def subject(self) -> str:
        """Name the subject on which this agent asks."""
        return subjects.lend(self.service, self.app.cluster, self.node)


class KeyLent(LendingMessage, frozen=True, kw_only=True, tag="appshield.v1.key_lent"):
    """The key, readable for who asked and for nobody else."""

    sealed: bytes

    def subject(self) -> str:
        """Name the subject on which who asked hears."""
        return subjects.lent(self.service, self.app.cluster, self.node)


class KeyNotLent(LendingMessage, frozen=True, kw_only=True, tag="appshield.v1.key_not_lent"):
    """Why no key is lent; `again` says whether asking again may help."""

    failure: Failure
    again: bool = False

    def subject(self) -> str:
        """Name the subject on which who asked hears."""
        return subjects.lent(self.service, self.app.cluster, self.node)
