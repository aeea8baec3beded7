"""Commands: a request on the bus, once for each `Idempotency-Key`, also after a crash (ADR 45).

    who asks + method + path + key ─► the request's id ─► the run's id   (nobody else can tell it)
    written down (first wins) ─► published ─► written down as published ─► 202

Whoever comes again with the same key finds what is written down: the answer is the same, and what
was not published yet is published now. Other words under the same key are refused. Without a key
each request is another one.
"""

import hashlib
import hmac
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, TypeAlias

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter

from appshield.bus import Bucket, KeyExistsError
from appshield.contracts.identities import RunKind, run_id
from appshield.contracts.message import Request
from appshield.contracts.requests import Asked
from appshield.contracts.streams import ASKED
from appshield.doors.asking import Asker
from appshield.doors.wanting import needs
from appshield.errors import InvalidInputError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.problems import AnyRequest, UnprocessableError

_RUNS = "/api/v1/runs"

Make = Callable[[Asker], Awaitable[Request]]
Ensure = Callable[[], Awaitable[None]]
IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=255,
        description="Any text: the same one with the same request is one command, for a week.",
    ),
]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A command was taken up: `run` does it, empty where it makes no run; `links` lead on."""

    run: str
    links: dict[str, str]


class Commands:
    """What one request may ask for."""

    def __init__(self, backend: Backend, caller: Caller, request: AnyRequest, key: str) -> None:
        self._backend = backend
        self._caller = caller
        self._request = request
        self._key = key
        self._asked: Bucket[Asked] = backend.bus.bucket(ASKED, Asked)

    async def ask(
        self, make: Make, *, kind: RunKind, ensure: Ensure | None = None
    ) -> Response[Accepted]:
        """Ask for a run; `make` builds the request, or says why it cannot be.

        `ensure` has the last word before it is published.

        Raises:
            UnprocessableError: the key came with another request before.
            DeniedError: the caller lacks a right that the request needs.
        """
        asker = self._asker()
        run = run_id(kind, f"request/{asker.request_id}")
        await self._once(make, asker, run, kind, ensure)
        return accepted(run)

    async def tell(self, make: Make, *, run: str = "", about: str = "") -> Response[Accepted]:
        """Ask for something that makes no run of its own, of a run or `about` an address."""
        asker = self._asker()
        await self._once(make, asker, asker.request_id, None)
        return accepted(run) if run else _answer("", {"application": about})

    def _asker(self) -> Asker:
        fresh = str(uuid.uuid4())
        name = [self._caller.name, self._request.method, self._request.url.path, self._key or fresh]
        digest = hmac.digest(self._backend.identity_key, msgspec.json.encode(name), "sha256")
        identity = uuid.UUID(bytes=digest[:16], version=4)
        return Asker(
            actor=self._caller.name,
            request_id=str(identity),
            cluster=self._backend.cluster,
            door="rest",
            address=self._caller.address,
        )

    async def _once(
        self,
        make: Make,
        asker: Asker,
        key: str,
        kind: RunKind | None,
        ensure: Ensure | None = None,
    ) -> None:
        digest = await self._digest()
        known = await self._known(key, digest)
        if known is not None and known.published:
            return
        wish = await make(asker)
        for need in needs(wish):
            await self._backend.access.require(self._caller, need.action, need.namespace)
        if ensure is not None:
            await ensure()
        asked = Asked(
            app=wish.app,
            kind=kind,
            actor=asker.actor,
            digest=digest,
            at=self._backend.clock.now(),
        )
        if known is None:
            try:
                await self._asked.create(key, asked)
            except KeyExistsError:  # another request with the same key was a moment earlier
                await self._known(key, digest)
        await self._backend.bus.publish(wish)
        await self._asked.put(key, msgspec.structs.replace(asked, published=True))

    async def _known(self, key: str, digest: str) -> Asked | None:
        entry = await self._asked.get(key) if self._key else None
        if entry is None:
            return None
        if entry.value.digest != digest:
            raise UnprocessableError(
                "this Idempotency-Key came with another request before",
                why="the same key means the same command",
                next_step="Mint a new key for each command, and repeat a command unchanged.",
            )
        return entry.value

    async def _digest(self) -> str:
        """Name what the request says; how its JSON is written makes no difference.

        Raises:
            InvalidInputError: what it says is no JSON, where the route itself reads nothing of it.
        """
        body = await self._request.body()
        try:
            said = msgspec.json.encode(msgspec.json.decode(body), order="sorted") if body else b""
        except msgspec.DecodeError as error:
            raise InvalidInputError("the body is no JSON", why=str(error)) from error
        query = self._request.url.query.encode()
        return hashlib.sha256(b"%d %b %b" % (len(query), query, said)).hexdigest()


AsCommands: TypeAlias = NamedDependency[Commands]


async def commands_of(
    request: AnyRequest, backend: OnBackend, caller: AsCaller, idempotency_key: IdempotencyKey = ""
) -> Commands:
    """Say what a request may ask for, for routes."""
    return Commands(backend, caller, request, idempotency_key)


def accepted(run: str) -> Response[Accepted]:
    """Answer with the run that does it, which may not exist yet."""
    at = f"{_RUNS}/{run}"
    parts = ("progress", "logs", "plan", "cancel", "approve")
    return _answer(run, {"run": at, **{part: f"{at}/{part}" for part in parts}})


def _answer(run: str, links: Mapping[str, str]) -> Response[Accepted]:
    return Response(
        Accepted(run=run, links=dict(links)),
        status_code=HTTPStatus.ACCEPTED,
        headers={"Location": next(iter(links.values()))},
    )
