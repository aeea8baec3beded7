"""Serving HTTP with patience that ends: what clients send slowly, or do not read, holds nobody up.

One server for the gate and one for the API, each told to stop by whoever runs the service. The
limits of time are kept below the application, where bytes come and go, so that no route can forget
them.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import h11
import msgspec
import uvicorn
from litestar.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from appshield.gateway.api.frame.problems import MEDIA_TYPE, Problem

HEAD_BYTES_MAX = 32 * 1024
"""Tokens with many groups are long."""
CONNECTIONS_MAX = 4096
_STOP_WITHIN_S = 3
_BEFORE_REQUEST_S = 5


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long clients are waited for, in seconds.

    `head_s`: for the whole head of a request, since the connection began or the answer before it
    ended. `body_s`: for the whole body. `unread_s`: for a client to read on what it is sent.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    unread_s: float = 60.0


_USUAL = Patience()
_NEXT_STEPS = {
    HTTPStatus.BAD_REQUEST: "Send a request as HTTP/1.1 describes it.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Try again in a moment; close what is not used.",
    HTTPStatus.REQUEST_TIMEOUT: "Send the request again, without pauses.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"Send at most {HEAD_BYTES_MAX} bytes of address and headers; tokens with many groups and"
        " long filters are the usual cause."
    ),
}


class Server(uvicorn.Server):
    """Serves an application on one socket until told to stop; leaves signals to the service.

    `proxies` are addresses or networks that are believed when they say where a request came from.
    """

    def __init__(
        self,
        application: ASGIApp,
        listening: socket.socket,
        *,
        tls: ssl.SSLContext | None = None,
        patience: Patience = _USUAL,
        connections_max: int = CONNECTIONS_MAX,
        proxies: Sequence[str] = (),
    ) -> None:
        self._listening = listening
        super().__init__(
            uvicorn.Config(
                application,
                http=_protocol(patience, connections_max),
                ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                lifespan="off",
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
                timeout_keep_alive=_BEFORE_REQUEST_S,
                timeout_graceful_shutdown=_STOP_WITHIN_S,
            )
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listening.getsockname()[1])

    async def serve_until(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop."""
        running = asyncio.create_task(self.serve(sockets=[self._listening]), name="http server")
        told = asyncio.create_task(stopping.wait(), name="stop the http server")
        try:
            await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
            self.should_exit = True
            await running
        finally:
            told.cancel()
            self._listening.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _PatientProtocol(H11Protocol):
    """One connection; closed when its client takes too long, or sends what is no request."""

    patience = _USUAL
    connections_max = CONNECTIONS_MAX
    _refused = False
    _awaited: object = None
    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as narrow as uvicorn's
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open")
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._refused = True
            self._stop_waiting()
            self._tell(HTTPStatus.BAD_REQUEST, msg)
            self.transport.close()
        elif len(self.conn.trailing_data[0]) > HEAD_BYTES_MAX:
            too_large = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._refuse(too_large, "the head of the request is too large")
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Take nothing more, and let the client read why before the connection ends.

        Closed at once, with more of the request on its way, the connection would be reset, and the
        answer lost. So we only say that nothing follows, and let go what still comes.
        """
        self._refused = True
        self._stop_waiting()
        self._tell(status, detail)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._waiting = self.loop.call_later(self.patience.head_s, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.patience.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _watch(self) -> None:
        """Wait for the rest of what has begun to come; another part is another wait."""
        state = self.conn.their_state
        if self._refused or state is self._awaited:
            return
        self._stop_waiting()
        if state is h11.IDLE or state is h11.SEND_BODY:
            limit_s = self.patience.head_s if state is h11.IDLE else self.patience.body_s
            self._awaited = state
            self._waiting = self.loop.call_later(limit_s, self._give_up)

    def _stop_waiting(self) -> None:
        self._awaited = None
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        """Say that it took too long, where that can still be said, and close."""
        if self.transport.is_closing():
            return
        self._tell(HTTPStatus.REQUEST_TIMEOUT, "the request did not come whole in time")
        self.transport.close()

    def _tell(self, status: HTTPStatus, detail: str) -> None:
        """Answer with a problem, unless another answer has begun."""
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            return
        body = msgspec.json.encode(_problem(status, detail))
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        reason = status.phrase.encode()
        response = h11.Response(status_code=status, headers=headers, reason=reason)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")


def _problem(status: HTTPStatus, detail: str) -> Problem:
    return Problem(
        type=f"urn:appshield:problem:{status.phrase.lower().replace(' ', '-')}",
        title=status.phrase,
        status=status,
        detail=detail,
        request_id="",
        next_step=_NEXT_STEPS[status],
    )


def _protocol(limits: Patience, most: int) -> type[H11Protocol]:
    class Protocol(_PatientProtocol):
        patience = limits
        connections_max = most

    return Protocol
