"""Notices out: a reaction's CloudEvent goes to the webhook that its policy names.

The address and the Secret that signs are read from the policy in force when it is sent; a policy
that does not ask for it any more has nothing sent. What a receiver refuses for good is parked among
the dead letters, everything else is tried again, ever more seldom. No address is ever logged: many
hold a token.
"""

import base64
import binascii

import aiohttp
import msgspec
import structlog

from appshield.bus import Delivery, Reject, Retry
from appshield.contracts.cloud_events import CONTENT_TYPE, event_of
from appshield.contracts.health import SendNotice
from appshield.errors import AppShieldError, InvalidInputError, NotFoundError
from appshield.gateway.webhook_signing import headers_of, signing_key
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import POLICY, SECRET
from appshield.language.in_force import policy_in_force
from appshield.language.protection import SecretReference
from appshield.language.reaction_names import digest_of
from appshield.language.resolving import resolve_policy
from appshield.service import Clock

ANSWER_WITHIN_S = 10.0
PAUSE_MAX_S = 600.0
_FIELD = "secret"
_PASSING = frozenset({408, 409, 425, 429})
"""Answers of the kind 4xx that another try may change."""


class Target(msgspec.Struct, frozen=True):
    """Where a notice goes, and what signs it."""

    webhook: str
    secret: SecretReference | None


class Notices:
    """Sends notices."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._cluster = cluster
        self._session = session
        self._clock = clock

    async def handle(self, delivery: Delivery) -> None:
        """Send one notice.

        Raises:
            Retry: the receiver, or the cluster that knows of it, is away.
            Reject: the receiver refuses it, or its Secret is none.
        """
        notice = delivery.message
        if not isinstance(notice, SendNotice):
            raise Reject(f"the gateway does not handle {type(notice).__name__}")
        pause_s = min(2.0 ** (delivery.deliveries - 1), PAUSE_MAX_S)
        try:
            target = await self._target(notice)
            if target is None:
                structlog.get_logger().info("notice not wanted any more", policy=notice.policy)
                return
            key = await self._key(target.secret) if target.secret is not None else None
        except (InvalidInputError, NotFoundError) as error:
            raise Reject(str(error)) from error
        except AppShieldError as error:
            raise Retry(str(error), after_s=pause_s) from error
        await self._send(notice, target, key, pause_s)

    async def _target(self, notice: SendNotice) -> Target | None:
        obj = await self._cluster.get(POLICY, notice.policy)
        document, _ = policy_in_force(obj) if obj is not None else (None, "")
        if document is None:
            return None
        for reaction in resolve_policy(document).react:
            notify = reaction.do.notify
            if digest_of(reaction) == notice.reaction and notify is not None and notify.webhook:
                return Target(notify.webhook, notify.secret)
        return None

    async def _key(self, reference: SecretReference) -> bytes:
        named = f"Secret {reference.namespace}/{reference.name}, which signs notices,"
        obj = await self._cluster.get(SECRET, reference.name, reference.namespace)
        if obj is None:
            raise NotFoundError(f"{named} does not exist", next_step="Create it.")
        try:
            secret = base64.b64decode((obj.get("data") or {})[_FIELD], validate=True)
        except (KeyError, TypeError, binascii.Error) as error:
            raise InvalidInputError(
                f"{named} has no key {_FIELD!r}", next_step="Add it to the Secret."
            ) from error
        return signing_key(secret)

    async def _send(
        self, notice: SendNotice, target: Target, key: bytes | None, pause_s: float
    ) -> None:
        body = event_of(notice)
        headers = headers_of(notice.notice, body, key, self._clock.now())
        what = f"the webhook of policy {notice.policy}"
        try:
            async with self._session.post(
                target.webhook,
                data=body,
                headers={**headers, "Content-Type": CONTENT_TYPE},
                timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
                allow_redirects=False,
            ) as response:
                status, asked = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError) as error:
            # the text of the error may repeat the address
            raise Retry(f"{what} gave no answer: {type(error).__name__}", after_s=pause_s) from None
        if 200 <= status < 300:
            structlog.get_logger().info("notice sent", policy=notice.policy, notice=notice.notice)
            return
        if status >= 500 or status in _PASSING:
            asked_s = min(float(asked), PAUSE_MAX_S) if asked.isdecimal() else 0.0
            raise Retry(f"{what} answered {status}", after_s=max(pause_s, asked_s))
        raise Reject(f"{what} refuses the notice with {status}")
