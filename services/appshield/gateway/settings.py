"""Settings of the gateway, from `APPSHIELD_GATEWAY_*`."""

import ipaddress

from appshield.errors import InvalidInputError
from appshield.gateway.hardening import is_loopback
from appshield.kubernetes.settings import ApiSettings


class Settings(ApiSettings, frozen=True, kw_only=True):
    """What the gateway needs to run.

    The REST API listens on `http_host` and `http_port`, a free port for 0, and answers under the
    names of this machine and `http_names`. Where others than this machine reach it, it needs a
    certificate: `tls_certificate_file` with `tls_key_file`, in PEM, read again when they change.
    `trusted_proxies`, addresses or networks, are believed when they say where a request came from.

    Callers are recognized by tokens of the cluster, with `token_audiences` only by those made for
    one of them; and, with an `oidc_issuer`, by tokens of that OpenID provider for
    `oidc_audience`, whose claims name people and groups. With an `oidc_login_name`, which is what
    people call the provider, they can log in there: with `oidc_scopes`, and the secret in
    `oidc_client_secret_file` where AppShield has one there; the provider has to know the address
    `https://NAME/api/v1/session/oidc/callback`. With a `login_folder`, whoever can write
    there can make login links. Each caller may make `requests_burst` requests at once and
    `requests_per_s` for long.

    With `operator_seed_file`, the key of the user `operator` of the bus, dead letters can be sent
    again and removed.

    With `gate_at`, which is where the API server reaches it (see the watcher's setting), it
    answers for the gate on `gate_host` and the port of that address.
    """

    http_host: str = "127.0.0.1"
    http_port: int = 0
    http_names: tuple[str, ...] = ()
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    trusted_proxies: tuple[str, ...] = ()
    token_audiences: tuple[str, ...] = ()
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_username_claim: str = "sub"
    oidc_username_prefix: str = "oidc:"
    oidc_groups_claim: str = "groups"
    oidc_groups_prefix: str = "oidc:"
    oidc_ca_file: str = ""
    oidc_login_name: str = ""
    oidc_client_secret_file: str = ""
    oidc_scopes: tuple[str, ...] = ("openid", "profile", "email")
    login_folder: str = ""
    requests_per_s: float = 100
    requests_burst: float = 400
    operator_seed_file: str = ""
    gate_at: str = ""
    gate_host: str = "0.0.0.0"  # noqa: S104 - the API server asks from elsewhere, over TLS


def ensure_usable(settings: Settings) -> None:
    """Check what settings mean together.

    Raises:
        InvalidInputError: something that is needed beside another one is missing.
    """
    if bool(settings.tls_certificate_file) != bool(settings.tls_key_file):
        raise InvalidInputError(
            "the settings of TLS are not complete",
            why="a certificate needs its key, and a key its certificate",
            next_step="Set APPSHIELD_GATEWAY_TLS_CERTIFICATE_FILE and _TLS_KEY_FILE both.",
        )
    if not is_loopback(settings.http_host) and not settings.tls_certificate_file:
        raise InvalidInputError(
            f"the REST API does not listen on {settings.http_host} without TLS",
            why="tokens would travel in plain text",
            next_step="Set APPSHIELD_GATEWAY_TLS_CERTIFICATE_FILE and _TLS_KEY_FILE, or leave "
            "APPSHIELD_GATEWAY_HTTP_HOST at 127.0.0.1.",
        )
    for proxy in settings.trusted_proxies:
        _ensure_network(proxy)
    if settings.oidc_issuer and not settings.oidc_audience:
        raise InvalidInputError(
            "the settings of the OpenID provider are not complete",
            why="tokens that it made for somebody else would be accepted",
            next_step="Set APPSHIELD_GATEWAY_OIDC_AUDIENCE to AppShield's client id there.",
        )
    if settings.requests_per_s <= 0 or settings.requests_burst < 1:
        raise InvalidInputError(
            "nobody could ask anything",
            why="a limit of requests is 0",
            next_step="Correct APPSHIELD_GATEWAY_REQUESTS_PER_S and _REQUESTS_BURST.",
        )


def _ensure_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{text} cannot be trusted as a proxy",
            why="it is neither an address nor a network",
            next_step="Correct APPSHIELD_GATEWAY_TRUSTED_PROXIES.",
        ) from error
