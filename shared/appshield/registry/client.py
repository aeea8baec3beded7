"""One registry: documents and blobs of images by digest, read and written."""

import hashlib
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Final

import msgspec

from appshield.errors import (
    AppShieldError,
    DamagedError,
    DeniedError,
    NotFoundError,
    RunFailedError,
    UnavailableError,
)
from appshield.registry.credentials import RegistryCredentials
from appshield.registry.documents import INDEXES, MANIFESTS
from appshield.registry.hosts import RegistryHost

_TIMEOUT_S: Final = 60.0
_DOCUMENT_BYTES_MAX: Final = 8 << 20
_TOLD_BYTES_MAX: Final = 400
_TOKEN_LEFT_S: Final = 15.0
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_ACCEPTED = ", ".join(sorted(INDEXES | MANIFESTS))

Read = Callable[[int], bytes]
"""Gives up to so many bytes, none at the end."""


class RegistryRefusedError(RunFailedError):
    """The registry understood, and does not take it."""


class ImageDocument(msgspec.Struct, frozen=True):
    """An index or a manifest: its bytes, verified, and their type."""

    media_type: str
    content: bytes

    @property
    def is_index(self) -> bool:
        """Whether it names manifests of several platforms."""
        return self.media_type in INDEXES


class Registry:
    """Speaks to one address of a registry as one user, or as nobody."""

    def __init__(self, host: RegistryHost, credentials: RegistryCredentials | None = None) -> None:
        self._url = host.url
        self._credentials = credentials
        self._challenge = ""
        self._tokens: dict[str, _Token] = {}
        self._opener = urllib.request.OpenerDirector()  # http and https, and no other scheme
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=host.context()),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def __str__(self) -> str:
        return self._url

    def document(self, repository: str, digest: str) -> ImageDocument:
        """Return an index or a manifest.

        Raises:
            NotFoundError, DeniedError, UnavailableError: it is not there, not for us, not now.
            DamagedError: the registry gave something else.
        """
        path = f"{repository}/manifests/{digest}"
        with self._sent("GET", path, repository, headers={"Accept": _ACCEPTED}) as answer:
            content = answer.read(_DOCUMENT_BYTES_MAX + 1)
            media_type = answer.headers.get_content_type()
        _verify(digest, _hashed(digest, content), path)
        return ImageDocument(media_type, content)

    @contextmanager
    def blob(self, repository: str, digest: str) -> Iterator[Read]:
        """Give what reads a blob; when the block ends, all of it was read and is right.

        Raises:
            NotFoundError, DeniedError, UnavailableError: it is not there, not for us, not now.
            DamagedError: the registry gave something else.
        """
        path = f"{repository}/blobs/{digest}"
        hashing = hashlib.new(digest.partition(":")[0])

        with self._sent("GET", path, repository) as answer:

            def read(size: int) -> bytes:
                with _reached(self._url, f"read {path}"):
                    data = answer.read(size)
                hashing.update(data)
                return data

            yield read
        _verify(digest, hashing.hexdigest(), path)

    def has(self, repository: str, kind: str, digest: str) -> bool:
        """Say whether a registry has a manifest (`manifests`) or a blob (`blobs`)."""
        headers = {"Accept": _ACCEPTED} if kind == "manifests" else {}
        try:
            with self._sent("HEAD", f"{repository}/{kind}/{digest}", repository, headers=headers):
                return True
        except NotFoundError:
            return False

    def put_blob(self, repository: str, digest: str, size: int, content: Iterable[bytes]) -> None:
        """Write a blob; the registry compares it with its digest.

        Raises:
            DeniedError, UnavailableError: not for us, not now.
            RegistryRefusedError: it does not take it.
        """
        begin = f"{repository}/blobs/uploads/"
        with self._sent("POST", begin, repository, data=b"", writes=True) as started:
            place = urllib.parse.urljoin(started.url, started.headers.get("Location", ""))
        joined = "&" if urllib.parse.urlsplit(place).query else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        target = f"{place}{joined}digest={urllib.parse.quote(digest)}"
        with self._sent("PUT", target, repository, headers=headers, data=content, writes=True):
            return

    def put_document(self, repository: str, digest: str, document: ImageDocument) -> None:
        """Write an index or a manifest, after all that it names.

        Raises:
            DeniedError, UnavailableError: not for us, not now.
            RegistryRefusedError: it does not take it, as something that it names is not there.
        """
        headers = {"Content-Type": document.media_type}
        path = f"{repository}/manifests/{digest}"
        with self._sent(
            "PUT", path, repository, headers=headers, data=document.content, writes=True
        ):
            return

    @contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        repository: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | Iterable[bytes] | None = None,
        writes: bool = False,
    ) -> Iterator[HTTPResponse]:
        """Send a request, once more with what proves who we are where that is asked for."""
        url = path if "://" in path else f"{self._url}/v2/{path}"
        scope = f"repository:{repository}:{'pull,push' if writes else 'pull'}"
        doing = f"{method} {url}"
        can_repeat = data is None or isinstance(data, bytes)
        for may_ask in (can_repeat, False):
            request = urllib.request.Request(  # noqa: S310 - the opener knows no other scheme
                url, method=method, headers=dict(headers or {}), data=data
            )
            if authorization := self._authorization(scope):
                request.add_unredirected_header("Authorization", authorization)
            try:
                with _reached(self._url, doing):
                    answer = self._opener.open(request, timeout=_TIMEOUT_S)
            except urllib.error.HTTPError as error:
                challenge = error.headers.get("WWW-Authenticate", "")
                if error.code == 401 and may_ask and challenge:
                    self._challenge = challenge
                    self._tokens.pop(scope, None)
                    continue
                raise _meaning(error, doing) from error
            with answer:
                yield answer
            return

    def _authorization(self, scope: str) -> str:
        """Say who we are as the registry wants it: by the password itself, or a token for it.

        A registry that has asked for nothing is told nothing. A token is asked for anew before it
        ends: what is sent piece by piece cannot be sent again after a refusal.
        """
        kind, _, rest = self._challenge.partition(" ")
        basic = self._credentials.header() if self._credentials else ""
        if kind.lower() != "bearer":
            return basic if kind else ""
        token = self._tokens.get(scope)
        if token is None or time.monotonic() >= token.good_until_s:
            token = self._tokens[scope] = self._token(dict(_CHALLENGE.findall(rest)), scope, basic)
        return token.header

    def _token(self, said: dict[str, str], scope: str, basic: str) -> "_Token":
        """Ask for a token (https://distribution.github.io/distribution/spec/auth/token/)."""
        realm = said.get("realm", "")
        query = {"scope": scope, **({"service": said["service"]} if "service" in said else {})}
        url = f"{realm}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url)  # noqa: S310 - the opener knows no other scheme
        if basic:
            request.add_unredirected_header("Authorization", basic)
        try:
            with _reached(url, "ask for a token"):
                answer = self._opener.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as error:
            raise _meaning(error, f"ask {realm} for a token") from error
        with answer:
            found = msgspec.json.decode(answer.read(_DOCUMENT_BYTES_MAX), type=_TokenAnswer)
        good_s = max(0.0, found.expires_in - _TOKEN_LEFT_S)
        return _Token(f"Bearer {found.token or found.access_token}", time.monotonic() + good_s)


class _TokenAnswer(msgspec.Struct, frozen=True):
    """What a token server says; a token that does not say how long it is good is so for 60 s."""

    token: str = ""
    access_token: str = ""
    expires_in: float = 60


class _Token(msgspec.Struct, frozen=True):
    """What is sent, and until when (by the monotonic clock)."""

    header: str
    good_until_s: float

    def __repr__(self) -> str:
        return "_Token(…)"


@contextmanager
def _reached(url: str, doing: str) -> Iterator[None]:
    """Turn what goes wrong on the way into one error; answers with a status are none."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UnavailableError(
            f"registry {url} cannot be reached",
            why=f"{doing}: {reason}",
            next_step="See that it runs and that this machine reaches it as the nodes do "
            "(`hosts.toml` of containerd says how).",
        ) from error


def _meaning(error: urllib.error.HTTPError, doing: str) -> AppShieldError:
    with error:
        told = error.read(_TOLD_BYTES_MAX).decode(errors="replace").strip()
    why = f"{doing}: {error.code} {told or error.reason}"
    if error.code in {401, 403}:
        return DeniedError(
            "the registry does not allow it",
            why=why,
            next_step="Give the application an image pull Secret for it.",
        )
    if error.code == 404:
        return NotFoundError("the registry does not have it", why=why)
    if error.code == 429 or error.code >= 500:
        return UnavailableError("the registry fails", why=why, next_step="It is tried again.")
    return RegistryRefusedError("the registry does not take it", why=why)


def _hashed(digest: str, content: bytes) -> str:
    return hashlib.new(digest.partition(":")[0], content).hexdigest()


def _verify(digest: str, found: str, path: str) -> None:
    if digest.partition(":")[2] != found:
        raise DamagedError(
            f"the registry gave something else as {path}",
            why=f"its digest is {found}",
            next_step="Push the image again.",
        )
