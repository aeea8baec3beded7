"""Who comes to the gateway, where an OpenID provider says so and nobody else."""

import time
from collections.abc import Callable

from appshield.bus import Bus
from appshield.gateway.access.authenticating import Authenticating, Limits
from appshield.gateway.access.limits import Buckets
from appshield.gateway.access.oidc import OidcTokens, Provider
from appshield.gateway.access.oidc_login import Client, OidcLogin
from appshield.gateway.access.provider_requests import ProviderRequests
from appshield.gateway.access.sessions import Sessions
from appshield.gateway.access.signing_keys import SigningKeys
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError
from appshield.service import SystemClock
from openid_provider import CLIENT, OpenIdProvider


class NoTokens:
    """A cluster that knows no token."""

    def knows(self, token: str) -> bool:
        """Know none."""
        return False

    async def caller(self, token: str) -> Caller:
        """Refuse."""
        raise UnauthenticatedError("unknown")


class Nobody:
    """A local user that is not there."""

    async def caller(self) -> Caller:
        """Refuse."""
        raise UnauthenticatedError("unknown")


def authenticating_at(
    provider: OpenIdProvider,
    bus: Bus,
    secret_file: str = "",
    *,
    now_s: Callable[[], float] = time.monotonic,
) -> Authenticating:
    """Recognize whom the provider sends; sessions are kept on the bus.

    By `now_s` is told when the provider's keys may be asked for again.
    """
    requests = ProviderRequests(provider.issuer)
    tokens = OidcTokens(
        Provider(issuer=provider.issuer, audience=CLIENT), SigningKeys(requests, now_s=now_s)
    )
    client = Client(name="Example", client_id=CLIENT, secret_file=secret_file)
    return Authenticating(
        cluster=NoTokens(),
        oidc=tokens,
        local=Nobody(),
        sessions=Sessions(bus, SystemClock()),
        limits=Limits(
            requests=Buckets(per_s=1, burst=100), failures=Buckets(per_s=1 / 60, burst=3)
        ),
        login_folder=None,
        provider=OidcLogin(client, requests, tokens),
    )
