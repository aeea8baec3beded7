"""One connection to a NATS server: only this and its client speak to nats-py.

It promises what nats-py does not: a call never waits for ever, a refused permission is an error
at once, errors belong to AppShield's tree, and outages are survived without limit.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import nats.errors
import structlog

from appshield.bus.access import BusAccess
from appshield.bus.answers import Answers
from appshield.bus.inbox import Inbox, Incoming
from appshield.bus.patient_client import PatientClient
from appshield.bus.terms import (
    denied,
    ensure_new_enough,
    ensure_usable,
    reason_of,
    tls_context,
    too_large,
    translated,
    unknown_key,
)
from appshield.bus.waiting import Budget, first_of
from appshield.errors import InvalidInputError, UnavailableError

_RECONNECT_PAUSE_S = 0.25
_PING_EVERY_S = 5
_PINGS_LOST_MAX = 2
_CLOSE_TIMEOUT_S = 5.0
_TELL_BYTES_MAX = 1024 * 1024
_NOBODY = "503"
_VIOLATION = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"')


class Connection:
    """A connection as one user. Open it once, close it once."""

    def __init__(
        self,
        access: BusAccess,
        name: str,
        on_problem: Callable[[str], None] | None,
        leaving: asyncio.Event,
    ) -> None:
        self.access = access
        self._leaving = leaving
        self._name = name
        self._on_problem = on_problem or (lambda _: None)
        self._client = PatientClient()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._closing = False
        self.outages = 0
        self._fatal: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self._last_error = ""
        self._answers = Answers()
        self._inboxes: set[Inbox] = set()
        self._violations: dict[str, str] = {}

    async def open(self, deadline_s: float) -> None:
        """Connect; see `connect_bus` for what it raises."""
        ensure_usable(self.access)
        connecting = asyncio.create_task(self._connect(tls_context(self.access)))
        ends: set[asyncio.Future[Any]] = {connecting, self._fatal}
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._fatal.done():
                raise self._fatal.result()
            await connecting
            self._ensure_new_enough()
        except TimeoutError as error:
            raise UnavailableError(
                f"the message bus at {self.access.url} does not answer",
                why=self._last_error or f"no connection within {deadline_s:g} s",
                next_step="Check that NATS runs there and that the URL is right",
            ) from error
        except nats.errors.Error as error:
            raise InvalidInputError(
                f"the message bus at {self.access.url} cannot be used", why=reason_of(error)
            ) from error
        finally:
            if not self._up.is_set():
                await self._give_up(connecting)

    async def close(self) -> None:
        """Send what is written already, then disconnect."""
        self._closing = True
        if self.is_up:
            await first_of(self._barrier(), self.wait_down(), longest_s=_CLOSE_TIMEOUT_S)
        await self._end()

    @property
    def is_up(self) -> bool:
        """Whether the server can be reached at this moment."""
        return bool(self._client.is_connected)

    @property
    def is_closed(self) -> bool:
        """Whether the server has ended this connection for good."""
        return bool(self._client.is_closed)

    @property
    def _why_closed(self) -> str:
        """What the server has said; known as soon as it is closed, before anybody is told so."""
        error = self._client.last_error
        return self._last_error if error is None else reason_of(error)

    @property
    def server_version(self) -> tuple[int, int]:
        """The release of the server: major and minor."""
        version = self._client.connected_server_version
        return version.major, version.minor

    @property
    def largest_message_bytes(self) -> int:
        """The largest message that the server takes, headers included."""
        return int(self._client.max_payload)

    def budget(self, seconds: float) -> Budget:
        """Return the time for one call; nothing is tried again without hope."""
        return Budget(seconds, hopeless=self._is_hopeless)

    async def problem(self) -> str:
        """Ask the server for a sign of life; say what is wrong, or nothing."""
        if self.is_closed:
            return f"the server at {self.access.url} closed the connection: {self._why_closed}"
        if not self.is_up:
            return f"not connected to {self.access.url}: {self._last_error or 'reconnecting'}"
        try:
            await self._flush(timeout_s=2)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            return f"{self.access.url} does not answer: {reason_of(error)}"
        return ""

    async def request(
        self,
        subject: str,
        body: bytes,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> Incoming:
        """Ask once and wait for the answer.

        Raises:
            UnavailableError: no connection, or no answer in time; it may have arrived all the same.
            NobodyAnswersError: the server has nothing that serves the subject.
            DeniedError: this user may not publish there.
            InvalidInputError: larger than the server takes.
        """
        await self._wait_up(timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                place = self._answers.place or await self._listen_for_answers()
                with self._answers.awaited(subject) as (reply, answer):
                    await self._client.publish(
                        subject,
                        body,
                        reply=f"{place}.{reply}",
                        headers=dict(headers) if headers else None,
                    )
                    found = await answer
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise self._translated(subject, len(body), error) from error
        if isinstance(found, Exception):
            raise found
        if found.status == _NOBODY:
            raise self._translated(subject, len(body), nats.errors.NoRespondersError())
        return found

    async def send(
        self,
        subject: str,
        body: bytes,
        *,
        reply: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send without an answer; raises UnavailableError when not connected."""
        try:
            await self._client.publish(
                subject, body, reply=reply, headers=dict(headers) if headers else None
            )
        except (nats.errors.Error, OSError) as error:
            raise self._translated(subject, len(body), error) from error

    def is_congested(self) -> bool:
        """Whether so much waits to be sent that what may be lost should not be added."""
        return not self.is_up or self._client.pending_data_size > _TELL_BYTES_MAX

    @contextlib.asynccontextmanager
    async def inbox(self, subject: str = "") -> AsyncIterator[Inbox]:
        """Subscribe for the time of the block: to `subject`, or to a new place for answers.

        Raises:
            DeniedError: this user may not listen there.
        """
        place = self._client.new_inbox()
        wanted = subject or f"{place}.*"
        self._violations.pop(wanted.lower(), None)
        inbox = Inbox(place)
        try:
            subscription = await self._client.listen(wanted, inbox.receive)
        except (nats.errors.Error, OSError) as error:
            raise self._translated(wanted, 0, error) from error
        self._inboxes.add(inbox)
        try:
            if subject:
                await self._ensure_listening(subject)
            yield inbox
        finally:
            self._inboxes.discard(inbox)
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._client.end_listening(subscription)

    def ensure_allowed(self, subject: str) -> None:
        """Raise DeniedError when the server has refused what was just sent to `subject`."""
        if self._violations.pop(subject.lower(), None) is not None:
            raise denied(self.access, "publish", subject)

    async def wait_up(self, stopping: asyncio.Event, longest_s: float) -> None:
        """Wait for the connection, but not for longer than this, nor after `stopping`."""
        await first_of(self._up.wait(), stopping.wait(), longest_s=longest_s)

    async def wait_down(self) -> None:
        """Return when the connection is lost."""
        await self._down.wait()

    async def _connect(self, tls: ssl.SSLContext | None) -> None:
        await self._client.connect(
            self.access.url,
            name=self._name,
            inbox_prefix=self.access.inbox_prefix,
            nkeys_seed=self.access.seed_file or None,
            tls=tls,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_PAUSE_S,  # type: ignore[arg-type] # typed as int, but only ever slept; a second is too long to miss a timer
            ping_interval=_PING_EVERY_S,
            max_outstanding_pings=_PINGS_LOST_MAX,
            pending_size=0,  # nothing is buffered while down: a call that failed was not sent
        )
        self._up.set()

    def _ensure_new_enough(self) -> None:
        try:
            version = self._client.connected_server_version
            ensure_new_enough(self.access, version.major, version.minor, version.patch)
        except InvalidInputError:
            self._up.clear()
            raise

    async def _give_up(self, connecting: asyncio.Task[None]) -> None:
        self._closing = True
        while not connecting.done():  # nats-py may lose a cancellation, see `_flush`
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=_RECONNECT_PAUSE_S)
        await asyncio.gather(connecting, return_exceptions=True)
        await self._end()

    async def _end(self) -> None:
        """End the client, whatever it was doing, in a task of its own.

        Where nats-py cancels its reconnecting while that waits for the socket to be closed, the
        wait counts as cancelled for all who join it: they would take it for a cancel of their own.
        """
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await asyncio.gather(self._client.close(), return_exceptions=True)
        except TimeoutError:
            structlog.get_logger().debug("bus left before it was closed", url=self.access.url)
        finally:
            self._client.drop_socket()

    async def _barrier(self) -> None:
        """Return when the server has seen everything written so far.

        nats-py writes PING past its own buffer: only the second one comes after what waited there.
        """
        await self._flush(timeout_s=5)
        await self._flush(timeout_s=5)

    async def _listen_for_answers(self) -> str:
        """Listen where answers are to arrive; two that ask first at once listen at two places."""
        place = str(self._client.new_inbox())
        await self._client.listen(f"{place}.*", self._answers.receive)
        self._answers.place = place
        return place

    async def _ensure_listening(self, subject: str) -> None:
        """Return when the server knows the subscription; a refusal comes as an error meanwhile."""
        try:
            await self._barrier()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise self._translated(subject, 0, error) from error
        if subject.lower() in self._violations:
            raise denied(self.access, "listen", subject)

    async def _flush(self, *, timeout_s: int) -> None:
        """Flush in a task of its own, so that a cancellation is never lost.

        Before Python 3.12 `asyncio.wait_for`, in which nats-py waits, swallows the cancellation
        of its caller when the answer comes at the same moment (bpo-42130).
        """
        flushing = asyncio.ensure_future(self._client.flush(timeout=timeout_s))
        flushing.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(flushing)

    async def _wait_up(self, timeout_s: float) -> None:
        if self.is_closed:
            raise UnavailableError(
                f"the message bus at {self.access.url} closed the connection", why=self._why_closed
            )
        if self.is_up:
            return
        await first_of(self._up.wait(), self._leaving.wait(), longest_s=timeout_s)
        if not self._up.is_set():
            raise UnavailableError(
                f"the message bus at {self.access.url} cannot be reached", why=self._last_error
            )

    def _is_hopeless(self) -> bool:
        """Whether the server is away for good, or for longer than anybody will wait."""
        return self.is_closed or (self._leaving.is_set() and not self.is_up)

    def _translated(self, subject: str, size_bytes: int, error: BaseException) -> Exception:
        if isinstance(error, nats.errors.MaxPayloadError):
            return too_large(subject, size_bytes, self.largest_message_bytes)
        return translated(self.access, subject, error)

    async def _on_error(self, error: Exception) -> None:
        text = reason_of(error)
        if found := _VIOLATION.search(text.lower()):
            act, subject = found.groups()
            self._violations[subject] = text
            self._answers.end(subject, denied(self.access, "publish", subject))
            self._tell_problem(f"user {self.access.user} was refused a {act} on {subject}")
            return
        self._last_error = text
        if "authorization violation" in text.lower() and not self._fatal.done():
            self._fatal.set_result(unknown_key(self.access))
        structlog.get_logger().debug("bus error", error=text, url=self.access.url)

    async def _on_disconnected(self) -> None:
        self._up.clear()
        self._down.set()
        lost = UnavailableError(f"the connection to the message bus at {self.access.url} was lost")
        self._answers.end_all(lost)
        for inbox in self._inboxes:
            inbox.interrupt()
        if not self._closing:
            self._tell_problem(f"lost the connection to {self.access.url}")

    async def _on_reconnected(self) -> None:
        self._last_error = ""
        self.outages += 1
        self._down.clear()
        self._up.set()
        structlog.get_logger().info("bus reconnected", url=self.access.url)

    async def _on_closed(self) -> None:
        self._up.clear()
        self._down.set()
        if not self._closing:
            self._tell_problem(f"{self.access.url} closed the connection: {self._why_closed}")

    def _tell_problem(self, text: str) -> None:
        structlog.get_logger().warning("bus problem", problem=text, url=self.access.url)
        self._on_problem(text)
