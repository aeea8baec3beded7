"""The gate over HTTPS: its application, its certificate, its port.

Bodies are bounded in size, answers in time; what is no question of an API server is refused, and
what cannot be decided in time is told as such, so that the webhook's failure policy decides.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator

import structlog
from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.exceptions import ClientException

from appshield.errors import AppShieldError, InvalidInputError
from appshield.gate import DELETION_PATH, PATH, REQUESTER_PATH, Serving
from appshield.gateway.requesting import write_requester
from appshield.gateway.reviewing import AdmissionRequest, Answer, read_review, write_answer
from appshield.gateway.serving import Server
from appshield.gateway.tls import server_context

ANSWER_WITHIN_S = 1.6
"""The webhook's own limit is 2 s; the answer travels, too."""
BODY_BYTES_MAX = 8 * 1024 * 1024
"""The API server takes objects up to 3 MiB, and sends the old and the new one."""
_CONNECTIONS_MAX = 256
_JSON = "application/json"

Answering = Callable[[AdmissionRequest], Awaitable[Answer]]
Noting = Callable[[AdmissionRequest], Awaitable[None]]
AnyRequest = Request[object, object, State]


def admission(
    answering: Answering, deleting: Noting, *, within_s: float = ANSWER_WITHIN_S
) -> Litestar:
    """Build the application that answers AdmissionReviews."""

    @post(PATH, status_code=200, request_max_body_size=BODY_BYTES_MAX)
    async def review(request: AnyRequest) -> Response[bytes]:
        """Answer one review."""
        try:
            async with asyncio.timeout(within_s):
                asked = read_review(await request.body())
                answer = await answering(asked)
        except ClientException:
            raise  # too large: Litestar answers that
        except InvalidInputError as error:
            return _said(str(error), status=400)
        except (AppShieldError, TimeoutError) as error:
            why = str(error) or "it could not be decided in time"
            structlog.get_logger().warning("the gate cannot decide", problem=why)
            return _said(why, status=503)
        return Response(write_answer(asked, answer), media_type=_JSON)

    @post(REQUESTER_PATH, status_code=200, request_max_body_size=BODY_BYTES_MAX)
    async def requester(request: AnyRequest) -> Response[bytes]:
        """Have it written on an object who writes it."""
        try:
            asked = read_review(await request.body())
        except InvalidInputError as error:
            return _said(str(error), status=400)
        return Response(write_requester(asked), media_type=_JSON)

    @post(DELETION_PATH, status_code=200, request_max_body_size=BODY_BYTES_MAX)
    async def deletion(request: AnyRequest) -> Response[bytes]:
        """Put on record who deletes a document; nobody is held up by that."""
        try:
            asked = read_review(await request.body())
        except InvalidInputError as error:
            return _said(str(error), status=400)
        await deleting(asked)
        return Response(write_answer(asked, Answer(allowed=True)), media_type=_JSON)

    routes = [review, requester, deletion]
    return Litestar(routes, openapi_config=None, logging_config=None)


class GateServer:
    """Serves the gate on a port of its own; its certificate is exchanged while it serves.

    With a `client_ca_file`, to nobody without a certificate of that authority.
    """

    def __init__(
        self, application: Litestar, host: str, port: int, *, client_ca_file: str = ""
    ) -> None:
        self._context = server_context()
        if client_ca_file:
            self._context.load_verify_locations(client_ca_file)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._server = Server(
            application,
            socket.create_server((host, port), reuse_port=False),
            tls=self._context,
            connections_max=_CONNECTIONS_MAX,
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    def use(self, serving: Serving) -> None:
        """Show this certificate to whoever connects from now on; keys never touch a disk."""
        with _in_memory(serving.certificate) as certificate, _in_memory(serving.key) as key:
            self._context.load_cert_chain(certificate, key)

    async def serve(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop."""
        await self._server.serve_until(stopping)


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give a file that only this process has, for what reads files only."""
    descriptor = os.memfd_create("appshield-gate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _said(why: str, *, status: int) -> Response[bytes]:
    return Response(why.encode(), status_code=status, media_type="text/plain")
