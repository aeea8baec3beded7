"""The keys by which an OpenID provider signs: found by its discovery document, read anew in time.

A key that is not known yet is looked for at once, so that a provider may change keys at any moment;
tokens that name made-up keys make us ask no more often than every few seconds. While the provider
is away its keys of before are used.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

from appshield.errors import UnavailableError
from appshield.gateway.access.provider_requests import ProviderRequests

_FRESH_FOR_S = 300.0
_ASKED_AGAIN_AFTER_S = 5.0


class SigningKeys:
    """The public keys of one provider."""

    def __init__(
        self, requests: ProviderRequests, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._requests = requests
        self._now_s = now_s
        self._keys: list[PyJWK] = []
        self._read_at_s = float("-inf")
        self._asked_at_s = float("-inf")
        self._problem = ""
        self._asking = asyncio.Lock()

    async def named(self, key_id: str) -> list[PyJWK]:
        """Return the keys of that id; every key for a token that names none.

        Raises:
            UnavailableError: there is none among those that were read, and the provider cannot be
                asked now.
        """
        if self._now_s() - self._read_at_s > _FRESH_FOR_S or not self._of(key_id):
            await self._read_again(key_id)
        return self._of(key_id)

    def _of(self, key_id: str) -> list[PyJWK]:
        signing = [key for key in self._keys if key.public_key_use in {None, "sig"}]
        return [key for key in signing if key.key_id == key_id] if key_id else signing

    async def _read_again(self, key_id: str) -> None:
        begun_s = self._now_s()
        async with self._asking:
            by_another = self._asked_at_s >= begun_s  # while we waited
            lately = self._now_s() - self._asked_at_s < _ASKED_AGAIN_AFTER_S and self._keys
            if not by_another and not lately:
                await self._ask()
        if self._problem and not self._of(key_id):
            raise self._requests.unusable(self._problem)

    async def _ask(self) -> None:
        self._asked_at_s = self._now_s()
        try:
            self._keys = await self._read()
        except UnavailableError as error:
            self._problem = error.why
            if self._keys:
                structlog.get_logger().warning("the keys of before are used", problem=str(error))
        else:
            self._problem, self._read_at_s = "", self._now_s()

    async def _read(self) -> list[PyJWK]:
        discovery = await self._requests.discovery()
        status, body = await self._requests.get(discovery.jwks_uri)
        self._requests.ensure_answered(status)
        try:
            return list(PyJWKSet.from_dict(msgspec.json.decode(body, type=dict[str, object])).keys)
        except (msgspec.MsgspecError, PyJWTError) as error:
            raise self._requests.unusable(str(error)) from error
