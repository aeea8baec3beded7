"""JetStream's own requests and answers (`$JS.API.…`), tried again while the server moves.

A meta leader that moves can keep an answer away for ten seconds and more, so each call has a
budget. Every operation used here can be repeated without harm.
"""

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from appshield.bus.connection import Connection
from appshield.bus.values import Stored
from appshield.errors import AppShieldError, NotFoundError, UnavailableError

PREFIX = "$JS.API"
BUDGET_S = 30.0
_ATTEMPT_S = 5.0
_BUSY = 503

T = TypeVar("T", bound=msgspec.Struct)

STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014
MESSAGE_NOT_FOUND = 10037
MESSAGE_TOO_LARGE = 10054
STORE_FULL = 10077
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})


class ServerRefusal(msgspec.Struct, frozen=True):
    """Why the server refused, in its own words."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class ServerRefusedError(AppShieldError):
    """The server understood a request and refused it; `err_code` says why."""

    def __init__(self, operation: str, refusal: ServerRefusal) -> None:
        super().__init__(
            f"the message bus refused {operation}",
            why=f"{refusal.description} (error {refusal.err_code})",
        )
        self.err_code = refusal.err_code
        self.refusal = refusal


class Answer(msgspec.Struct, frozen=True):
    """What every answer may hold."""

    error: ServerRefusal | None = None


class Done(Answer, frozen=True):
    """An answer whose fields do not matter."""


class StreamState(msgspec.Struct, frozen=True):
    """What lies in a stream."""

    messages: int = 0
    bytes: int = 0
    last_seq: int = 0


class StreamInfo(Answer, frozen=True):
    """A stream as the server has it; `config` in the server's own terms."""

    config: dict[str, object] = {}
    state: StreamState = StreamState()
    created: str = ""


class Sequences(msgspec.Struct, frozen=True):
    """How far a consumer is in its stream, as the stream counts."""

    stream_seq: int = 0


class ConsumerInfo(Answer, frozen=True):
    """A consumer as the server has it."""

    config: dict[str, object] = {}
    ack_floor: Sequences = Sequences()
    num_pending: int = 0
    num_ack_pending: int = 0


class _RawMessage(msgspec.Struct, frozen=True):
    """A message inside an answer; `hdrs` and `data` are base64 on the wire."""

    subject: str = ""
    seq: int = 0
    hdrs: bytes = b""
    data: bytes = b""
    time: str = ""

    def stored(self) -> Stored:
        lines = self.hdrs.decode(errors="replace").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if ":" in line)
        return Stored(
            sequence=self.seq,
            subject=self.subject,
            body=self.data,
            headers={name.strip(): value.strip() for name, _, value in pairs},
            time=datetime.fromisoformat(self.time).astimezone(UTC),
        )


class _GotMessage(Answer, frozen=True):
    message: _RawMessage = _RawMessage()


class Api:
    """JetStream's requests over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(
        self, operation: str, request: object, of: type[T], *, budget_s: float = BUDGET_S
    ) -> T:
        """Ask for `operation` (such as `STREAM.INFO.X`) until an answer comes.

        Raises:
            ServerRefusedError: the server's reason not to.
            UnavailableError: no answer within the budget.
            DeniedError: this user may not ask for it.
        """
        subject = f"{PREFIX}.{operation}"
        body = b"" if request is None else msgspec.json.encode(request)
        budget = self._connection.budget(budget_s)
        while True:
            try:
                attempt_s = min(_ATTEMPT_S, budget.left_s)
                reply = await self._connection.request(subject, body, timeout_s=attempt_s)
                refusal = msgspec.json.decode(reply.body, type=Answer).error
                if refusal is None:
                    return msgspec.json.decode(reply.body, type=of)
                if refusal.code != _BUSY:
                    raise ServerRefusedError(operation, refusal)
                problem: UnavailableError = UnavailableError(
                    f"the message bus cannot do {operation} now", why=refusal.description
                )
            except UnavailableError as error:
                problem = error
            if not await budget.pause():
                raise problem

    async def stream(self, name: str, *, budget_s: float = BUDGET_S) -> StreamInfo | None:
        """Describe a stream; None when there is none of that name."""
        try:
            return await self.call(f"STREAM.INFO.{name}", None, StreamInfo, budget_s=budget_s)
        except ServerRefusedError as error:
            if error.err_code == STREAM_NOT_FOUND:
                return None
            raise

    async def message(self, stream: str, **which: object) -> Stored | None:
        """Read one message from a stream's leader, by `seq` or `last_by_subj`."""
        try:
            answer = await self.call(f"STREAM.MSG.GET.{stream}", which, _GotMessage)
        except ServerRefusedError as error:
            if error.err_code == MESSAGE_NOT_FOUND:
                return None
            if error.err_code == STREAM_NOT_FOUND:
                raise missing(stream) from error
            raise
        return answer.message.stored()


async def remove_message(api: Api, stream: str, sequence: int) -> None:
    """Remove one message; no error when it is gone already."""
    try:
        await api.call(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence}, Done)
    except ServerRefusedError:
        if await api.message(stream, seq=sequence) is not None:
            raise


def missing(stream: str) -> NotFoundError:
    """Say that a stream is not there."""
    return NotFoundError(
        f"the message bus has no stream {stream}",
        next_step="Start the planner, which makes it, or run `appshield up`",
    )
