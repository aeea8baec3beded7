"""Storing messages: confirmed by the server, tried again under the same identity.

A publish that timed out may have been stored all the same, so every message has a `Nats-Msg-Id`
and is sent again with that same one. Many at once go together (see `grouping`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from appshield.bus import tracing
from appshield.bus.api import (
    MESSAGE_TOO_LARGE,
    STORE_FULL,
    WRONG_LAST_SEQUENCE,
    Answer,
    ServerRefusal,
    ServerRefusedError,
)
from appshield.bus.connection import Connection
from appshield.bus.errors import (
    BusFullError,
    NotStoredError,
    SilentError,
    StaleRevisionError,
)
from appshield.bus.grouping import Grouping, stream_grouped
from appshield.bus.inbox import Incoming
from appshield.bus.values import Receipt
from appshield.contracts import subjects
from appshield.contracts.stream_specs import StreamSpec
from appshield.errors import AppShieldError, InvalidInputError, UnavailableError

MESSAGE_ID = "Nats-Msg-Id"
TIMER_MESSAGE_ID = "AppShield-Message-Id"
"""Carried from a timer to its due message, where the server keeps no `Nats-Msg-Id`."""

EXPECTED_REVISION = "Nats-Expected-Last-Subject-Sequence"

_ATTEMPT_S = 3.0
_BUSY = 503


class WrongRevisionError(ServerRefusedError):
    """A compare-and-set met another revision than expected."""


class _Confirmation(Answer, frozen=True):
    stream: str = ""
    seq: int = 0
    duplicate: bool = False


class Publisher:
    """Publishes over one connection; `limits` says in words how much each stream may hold."""

    def __init__(self, connection: Connection, limits: dict[str, str], budget_s: float) -> None:
        self._connection = connection
        self._grouping = Grouping(connection)
        self._limits = limits
        self._budget_s = budget_s

    async def publish(
        self, subject: str, body: bytes, headers: Mapping[str, str], message_id: str
    ) -> Receipt:
        """Store a message; see `Bus.publish` for what it raises."""
        trace = {tracing.HEADER: tracing.outgoing().header()}
        return await self.store(subject, body, {**headers, **trace, MESSAGE_ID: message_id})

    async def append(self, subject: str, body: bytes, after_sequence: int) -> Receipt:
        """Store a message if that one is the newest of its subject; see `Bus.append`."""
        headers = {EXPECTED_REVISION: str(after_sequence)}
        try:
            return await self.store(subject, body, headers)
        except WrongRevisionError as error:
            raise StaleRevisionError("the message bus", subject, after_sequence) from error

    async def schedule(self, name: str, at: datetime, body: bytes, message_id: str) -> None:
        """Set a timer; it has no `Nats-Msg-Id`, for a replaced one must never be a duplicate."""
        when = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        headers = {
            "Nats-Schedule": f"@at {when}",
            "Nats-Schedule-Target": subjects.due(name),
            TIMER_MESSAGE_ID: message_id,
            tracing.HEADER: tracing.outgoing().header(),
        }
        await self.store(subjects.timer(name), body, headers)

    async def store(self, subject: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Send until the server confirms, within the budget.

        Raises:
            WrongRevisionError: the expected revision is not the present one. After a lost
                confirmation this may be the work of an earlier attempt: see `buckets`.
        """
        budget = self._connection.budget(self._budget_s)
        if sequence := await self._grouping.store(subject, body, headers):
            return Receipt(stream=stream_grouped(subject), sequence=sequence, duplicate=False)
        while True:
            try:
                attempt_s = min(_ATTEMPT_S, budget.left_s)
                answer = await self._connection.request(
                    subject, body, timeout_s=attempt_s, headers=headers
                )
                confirmed = _confirmation(subject, answer)
                if confirmed.error is None:
                    return Receipt(
                        stream=confirmed.stream,
                        sequence=confirmed.seq,
                        duplicate=confirmed.duplicate,
                    )
                problem: AppShieldError = self._refused(subject, confirmed)
                if not isinstance(problem, UnavailableError) or isinstance(problem, BusFullError):
                    raise problem
            except BusFullError:
                raise
            except UnavailableError as error:
                problem = error
            if not await budget.pause():
                raise self._given_up(subject, problem)

    def _given_up(self, subject: str, problem: AppShieldError) -> AppShieldError:
        """Say why nothing was stored: a server whose disk is full takes messages and is silent."""
        if isinstance(problem, SilentError) and self._connection.is_up:
            return NotStoredError(self._connection.access.url, subject, self._budget_s)
        return problem

    def _refused(self, subject: str, confirmed: _Confirmation) -> AppShieldError:
        refusal = confirmed.error or ServerRefusal()
        operation = f"a message on {subject}"
        if refusal.err_code in WRONG_LAST_SEQUENCE:
            return WrongRevisionError(operation, refusal)
        if refusal.err_code == STORE_FULL and "exceeded" in refusal.description:
            limit = self._limits.get(confirmed.stream, "")
            why = f"{refusal.description} (limit: {limit})" if limit else refusal.description
            return BusFullError(confirmed.stream, why)
        if refusal.err_code == MESSAGE_TOO_LARGE:
            return InvalidInputError(
                f"a message for {subject} is too large for the stream {confirmed.stream}",
                why=self._limits.get(confirmed.stream, refusal.description),
            )
        if refusal.code == _BUSY:
            return UnavailableError(
                f"the message bus cannot store {operation} now", why=refusal.description
            )
        return ServerRefusedError(operation, refusal)


def limits_in_words(spec: StreamSpec) -> str:
    """Say how much a stream may hold."""
    parts = [f"{spec.bytes_max} bytes", f"{spec.message_bytes_max} bytes a message"]
    if spec.messages_max > 0:
        parts.append(f"{spec.messages_max} messages")
    return ", ".join(parts)


def message_id_of(headers: Mapping[str, str], otherwise: str) -> str:
    """Return a message's identity; `otherwise` for one that came without."""
    return headers.get(MESSAGE_ID) or headers.get(TIMER_MESSAGE_ID) or otherwise


def _confirmation(subject: str, answer: Incoming) -> _Confirmation:
    try:
        return msgspec.json.decode(answer.body, type=_Confirmation)
    except msgspec.DecodeError as error:
        raise InvalidInputError(
            f"{subject} is not stored by any stream", why="somebody else answered"
        ) from error
