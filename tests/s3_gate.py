"""A gate before a real S3 server: requests pass, but for those that a test lets fail.

with s3_gate(server.location().endpoint) as gate:
    gate.fails = full_for("/data/")      # these are answered as by a server whose disk is full
    gate.fails = nothing                 # all is well again
"""

import http.client
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from s3_impostor import Reply, error_body

Fails = Callable[[str, str], Reply | None]
"""Says for a method and a target what is answered instead; None lets the request pass."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})


def nothing(_method: str, _target: str) -> Reply | None:
    """Let every request pass."""
    return None


def full_for(part: str) -> Fails:
    """Refuse to store what has `part` in its name, as a full disk does."""
    return lambda method, target: (
        Reply(507, error_body("InsufficientCapacity"))
        if method == "PUT" and part in target
        else None
    )


def gone(_method: str, _target: str) -> Reply | None:
    """Cut every connection without an answer."""
    return Reply(None)


@dataclass
class Gate:
    """Where the gate is, what fails there, and how often it did."""

    server: str
    endpoint: str = ""
    fails: Fails = nothing
    refused: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def s3_gate(server: str) -> Iterator[Gate]:
    """Run the gate on loopback for the time of the block."""
    gate = Gate(server)
    listening = _Listening(gate)
    gate.endpoint = f"http://127.0.0.1:{listening.server_port}"
    serving = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield gate
    finally:
        listening.shutdown()
        serving.join()
        listening.server_close()


class _Listening(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gate: Gate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients may hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def _pass(self) -> None:
        assert isinstance(self.server, _Listening)
        gate = self.server.gate
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        reply = gate.fails(self.command, self.path)
        if reply is None:
            self._forward(gate, body)
            return
        with gate.counting:
            gate.refused += 1
        if reply.status is None:
            self.close_connection = True
            return
        self._answer(reply.status, {}, reply.body)

    def _forward(self, gate: Gate, body: bytes) -> None:
        """Ask the server the very same, host included: that is signed."""
        connection = http.client.HTTPConnection(urlsplit(gate.server).netloc, timeout=30)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("date", self.date_time_string())
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = len(body) if self.command != "HEAD" else int(headers.get("Content-Length", 0))
        self.send_header("content-length", str(length))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass  # noqa: N815 - names of the base class

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
