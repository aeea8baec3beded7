"""The web service of the demo application; runs in its image, with Debian's Python alone.

    PUT  /rows/N   insert the body as row N; answered when the database has committed it
    PUT  /files/N  store the body as file N; answered when it is durable
    GET  /rows, /files          one line `N sha256` for each, from what is really stored
    GET  /rows/N, /files/N      the bytes
    GET  /healthz  200 when rows and files can be written
    GET  /version  the version of the image
    GET  /config   the settings from the ConfigMap, never those from the Secret

A write is answered with the SHA-256 of what was stored. Writing the same again changes nothing.
"""

import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg2  # there in the image alone

CONNECT_DEADLINE_S = 5
STATEMENT_DEADLINE_MS = 10_000

_CREATE = "CREATE TABLE IF NOT EXISTS rows (n bigint PRIMARY KEY, body bytea NOT NULL)"
_INSERT = (
    "INSERT INTO rows VALUES (%s, %s) ON CONFLICT (n) DO UPDATE SET body = excluded.body"
    " RETURNING body"
)


class Rows:
    """The rows in PostgreSQL, over connections that are used again."""

    def __init__(self) -> None:
        self._idle: deque[Any] = deque()

    def put(self, n: int, body: bytes) -> bytes:
        """Insert or replace one row; return what the database holds now."""
        with self._cursor() as cursor:
            cursor.execute(_INSERT, (n, body))
            (stored,) = cursor.fetchone()
        return bytes(stored)

    def get(self, n: int) -> bytes | None:
        """Return the bytes of one row."""
        with self._cursor() as cursor:
            cursor.execute("SELECT body FROM rows WHERE n = %s", (n,))
            found = cursor.fetchone()
        return bytes(found[0]) if found else None

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Return every row, in order."""
        with self._cursor() as cursor:
            cursor.execute("SELECT n, body FROM rows ORDER BY n")
            found = cursor.fetchall()
        return ((n, bytes(body)) for n, body in found)

    def check(self) -> None:
        """Raise psycopg2.Error when the database cannot be used."""
        with self._cursor() as cursor:
            cursor.execute("SELECT 1")

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Yield a cursor in a transaction, which is committed at the end."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error:
            connection.close()
            raise
        self._idle.append(connection)

    def _connect(self) -> Any:  # noqa: ANN401 - psycopg2 has no types
        connection = psycopg2.connect(
            host=os.environ["DATABASE_HOST"],
            user=os.environ["DATABASE_USER"],
            password=os.environ["DATABASE_PASSWORD"],
            dbname="postgres",
            connect_timeout=CONNECT_DEADLINE_S,
            options=f"-c statement_timeout={STATEMENT_DEADLINE_MS}",
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(_CREATE)
        return connection


class Files:
    """The files in the uploads volume."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, n: int, body: bytes) -> bytes:
        """Store one file so that it survives a crash; return what the folder holds now."""
        path = self._folder / str(n)
        partial = self._folder / f".{n}.{threading.get_ident()}.partial"
        with partial.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        self.check()
        return path.read_bytes()

    def get(self, n: int) -> bytes | None:
        """Return the bytes of one file."""
        try:
            return (self._folder / str(n)).read_bytes()
        except FileNotFoundError:
            return None

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Return every file, in order."""
        names = sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())
        return ((n, (self._folder / str(n)).read_bytes()) for n in names)

    def check(self) -> None:
        """Raise OSError when the folder cannot be used; make renames in it durable."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def settings(folder: Path) -> dict[str, str]:
    """Return the mounted ConfigMap: file names and contents."""
    entries = sorted(folder.iterdir())
    return {path.name: path.read_text() for path in entries if not path.name.startswith(".")}


ROWS = Rows()
FILES = Files(Path(os.environ.get("UPLOADS", "/srv/uploads")))
STORES: dict[str, Rows | Files] = {"rows": ROWS, "files": FILES}


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a read."""
        self._guarded(self._get)

    def do_PUT(self) -> None:
        """Answer a write."""
        self._guarded(self._put)

    def log_message(self, *_: object) -> None:
        """Say nothing about each request."""

    def _guarded(self, answer: Any) -> None:  # noqa: ANN401 - a bound method
        """Turn what the stores raise into an answer that can be tried again."""
        try:
            answer()
        except (psycopg2.Error, OSError) as error:
            sys.stderr.write(f"{self.command} {self.path}: {type(error).__name__}: {error}\n")
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{type(error).__name__}\n".encode())

    def _get(self) -> None:
        match self.path.strip("/").split("/"):
            case ["healthz"]:
                for store in STORES.values():
                    store.check()
                self._send(HTTPStatus.OK, b"ok\n")
            case ["version"]:
                self._send(HTTPStatus.OK, os.environ["VERSION"].encode())
            case ["config"]:
                found = settings(Path(os.environ["SETTINGS"]))
                self._send(HTTPStatus.OK, json.dumps(found).encode())
            case [store] if store in STORES:
                lines = (f"{n} {_sha256(body)}\n" for n, body in STORES[store].all())
                self._send(HTTPStatus.OK, "".join(lines).encode())
            case [store, n] if store in STORES and n.isdigit():
                body = STORES[store].get(int(n))
                status = HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK
                self._send(status, body or b"")
            case _:
                self._send(HTTPStatus.NOT_FOUND, b"")

    def _put(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.path.strip("/").split("/"):
            case [store, n] if store in STORES and n.isdigit():
                stored = STORES[store].put(int(n), body)
                self._send(HTTPStatus.OK, _sha256(stored).encode())
            case _:
                self._send(HTTPStatus.NOT_FOUND, b"")

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def main() -> None:
    """Serve until the pod is stopped."""
    server = ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
    server.daemon_threads = True

    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()


if __name__ == "__main__":
    main()
