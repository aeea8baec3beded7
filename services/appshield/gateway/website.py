"""The web interface's files over HTTP, beside the API.

Files are kept in memory and found by name alone, so that no address leads to any other file. Each
is sent as it was compressed when it was built. Names with a digest of their content are kept by
browsers for ever; the page itself never is, since each load of it has a policy of its own.
"""

import mimetypes
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

BUILT = Path(__file__).with_name("web") / "dist"
"""Where the build lies, in a checkout and where the wheel is installed."""
API_PATHS = ("/api/", "/healthz")
PAGE = "index.html"
_NONCE = b"%NONCE%"
_HASHED = "assets/"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_FOR_EVER = "public, max-age=31536000, immutable"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NOT_BUILT = b"""<!doctype html><html lang=en><meta charset=utf-8><title>AppShield</title>
<h1>The web interface is not built</h1>
<p>The REST API under <a href="/api/v1/docs">/api/v1</a> works without it.</p>
<p>In a checkout <code>appshield up</code> builds it when it starts, and says so if it cannot:
Node.js 20.19 or newer has to be there. Reload this page when that is done.</p>
"""

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the build: its bytes, plain and by encoding."""

    content: bytes
    encoded: Mapping[str, bytes]
    media_type: str
    tag: str


class Website:
    """Serves the web interface for every address that is not the API's."""

    def __init__(self, application: ASGIApp, folder: Path = BUILT) -> None:
        self._application = application
        self._folder = folder
        self._files: Mapping[str, File] = {}
        self._built_at_ns = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(API_PATHS):
            await self._application(scope, receive, send)
            return
        if scope["method"] not in {"GET", "HEAD"}:
            await _send(send, HTTPStatus.METHOD_NOT_ALLOWED, ((b"allow", b"GET, HEAD"),), b"")
            return
        status, headers, body = self._answer(scope["path"], dict(scope["headers"]))
        await _send(send, status, headers, body, head_only=scope["method"] == "HEAD")

    def _answer(self, path: str, asked: Mapping[bytes, bytes]) -> tuple[HTTPStatus, Headers, bytes]:
        self._read_again()
        name = path.removeprefix("/")
        if name == PAGE or (name not in self._files and not name.startswith(_HASHED)):
            return self._page()
        file = self._files.get(name)
        if file is None:
            return HTTPStatus.NOT_FOUND, (), b""
        if asked.get(b"if-none-match", b"").decode("latin-1") == file.tag:
            return HTTPStatus.NOT_MODIFIED, ((b"etag", file.tag.encode()),), b""
        encoding, body = _encoded(file, asked.get(b"accept-encoding", b"").decode("latin-1"))
        kept = _FOR_EVER if name.startswith(_HASHED) else "no-cache"
        headers: Headers = (
            (b"content-type", file.media_type.encode()),
            (b"cache-control", kept.encode()),
            (b"etag", file.tag.encode()),
            (b"vary", b"accept-encoding"),
            *(((b"content-encoding", encoding.encode()),) if encoding else ()),
        )
        return HTTPStatus.OK, headers, body

    def _page(self) -> tuple[HTTPStatus, Headers, bytes]:
        """Answer with the page, which shows what its address names."""
        page, nonce = self._files.get(PAGE), secrets.token_urlsafe(16)
        headers: Headers = (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", _POLICY.format(nonce=nonce).encode()),
        )
        if page is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, headers, _NOT_BUILT
        return HTTPStatus.OK, headers, page.content.replace(_NONCE, nonce.encode())

    def _read_again(self) -> None:
        """Read the build where it is another one than before."""
        try:
            built_at_ns = (self._folder / PAGE).stat().st_mtime_ns
        except FileNotFoundError:
            built_at_ns, self._files = 0, {}
        if built_at_ns != self._built_at_ns:
            self._files = _files_in(self._folder)
            self._built_at_ns = built_at_ns


def _files_in(folder: Path) -> dict[str, File]:
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    suffixes = tuple(suffix for _, suffix in _ENCODINGS)
    return {
        name: _file(name, path, paths)
        for name, path in paths.items()
        if not name.endswith(suffixes)
    }


def _file(name: str, path: Path, paths: Mapping[str, Path]) -> File:
    content = path.read_bytes()
    encoded = {
        encoding: paths[name + suffix].read_bytes()
        for encoding, suffix in _ENCODINGS
        if name + suffix in paths
    }
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in {"application/json", "image/svg+xml"}
    return File(
        content=content,
        encoded=encoded,
        media_type=f"{kind}; charset=utf-8" if text else kind,
        tag=f'"{sha256(content).hexdigest()[:27]}"',
    )


def _encoded(file: File, accepted: str) -> tuple[str, bytes]:
    """Choose the smallest form that the browser reads."""
    names = {one.partition(";")[0].strip() for one in accepted.split(",") if "q=0" not in one}
    found = ((encoding, body) for encoding, body in file.encoded.items() if encoding in names)
    return next(found, ("", file.content))


async def _send(
    send: Send, status: HTTPStatus, headers: Headers, body: bytes, *, head_only: bool = False
) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send(
        {"type": "http.response.body", "body": b"" if head_only else body, "more_body": False}
    )
