"""An HTTP server that a test scripts: it records what is asked and answers as it is told."""

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    """One request as it came in; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """One answer; `promised_bytes` lets it claim more than it sends; None for no answer at all."""

    status: int | None = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    promised_bytes: int | None = None


@dataclass
class Impostor:
    """What was asked so far, and what is still to be answered (then: 200 and nothing)."""

    endpoint: str
    replies: list[Reply]
    asked: list[Asked] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    answer: Callable[[Asked], Reply] | None = None
    """What answers when no reply is scripted (any more)."""


def error_body(code: str, message: str = "as scripted") -> bytes:
    """Return an S3 error document."""
    return (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    ).encode()


@contextmanager
def s3_impostor(
    *replies: Reply,
    trust: ssl.SSLContext | None = None,
    answer: Callable[[Asked], Reply] | None = None,
) -> Iterator[Impostor]:
    """Run the server on loopback; a Reply without status keeps the client waiting."""
    impostor = Impostor("", list(replies), answer=answer)
    server = _Listening(impostor)
    scheme, host = "http", "127.0.0.1"
    if trust:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
        scheme, host = "https", "localhost"
    impostor.endpoint = f"{scheme}://{host}:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield impostor
    finally:
        impostor.may_answer.set()
        server.shutdown()
        serving.join()
        server.server_close()


class _Listening(http.server.ThreadingHTTPServer):
    def __init__(self, impostor: Impostor) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.impostor = impostor

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients may hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 2

    def _answer(self) -> None:
        assert isinstance(self.server, _Listening)
        impostor = self.server.impostor
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        impostor.asked.append(asked)
        unscripted = impostor.answer or (lambda _: Reply())
        reply = impostor.replies.pop(0) if impostor.replies else unscripted(asked)
        if reply.status is None:
            impostor.may_answer.wait()
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        promised = len(reply.body) if reply.promised_bytes is None else reply.promised_bytes
        self.send_header("content-length", str(promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        if promised != len(reply.body):
            self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815 - names of the base class

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
