"""Settings of the gateway, from `APPSHIELD_GATEWAY_*`."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from appshield.errors import InvalidInputError
from appshield.gate import GateAddress
from appshield.gateway.access.provider_requests import ensure_safe
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
    answers for the gate on `gate_host` and the port of that address. With a `gate_client_ca_file`
    it answers nobody there who shows no certificate of that authority, which the API server then
    has to have (its `--admission-control-config-file`).
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
    gate_client_ca_file: str = ""
    gate_host: str = "0.0.0.0"  # noqa: S104 - the API server asks from elsewhere, over TLS


_PREFIX = "APPSHIELD_GATEWAY_"


def ensure_usable(settings: Settings) -> None:
    """Check what settings mean together, before anything is open.

    Raises:
        InvalidInputError: lists everything that does not go together, and what to set.
    """
    problems = list(_problems(settings))
    if problems:
        raise InvalidInputError(
            "the settings of the gateway cannot be used",
            why="; ".join(why for why, _ in problems),
            next_step=" ".join(next_step for _, next_step in problems),
        )


def _problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what does not go together: why not, and what to set."""
    if bool(settings.tls_certificate_file) != bool(settings.tls_key_file):
        yield (
            "a certificate needs its key, and a key its certificate",
            f"Set {_PREFIX}TLS_CERTIFICATE_FILE and _TLS_KEY_FILE both.",
        )
    if not is_loopback(settings.http_host) and not settings.tls_certificate_file:
        yield (
            f"on {settings.http_host} without TLS tokens would travel in plain text",
            f"Set {_PREFIX}TLS_CERTIFICATE_FILE and _TLS_KEY_FILE, or no {_PREFIX}HTTP_HOST.",
        )
    for proxy in settings.trusted_proxies:
        if not _is_network(proxy):
            yield (
                f"{proxy} cannot be trusted: it is neither an address nor a network",
                f"Correct {_PREFIX}TRUSTED_PROXIES.",
            )
    if settings.requests_per_s <= 0 or settings.requests_burst < 1:
        yield (
            "nobody could ask anything: a limit of requests is 0",
            f"Correct {_PREFIX}REQUESTS_PER_S and _REQUESTS_BURST.",
        )
    yield from _problems_of_provider(settings)
    if settings.gate_client_ca_file and not Path(settings.gate_client_ca_file).is_file():
        yield (
            f"nobody could reach the gate: there is no file {settings.gate_client_ca_file}",
            f"Correct {_PREFIX}GATE_CLIENT_CA_FILE.",
        )
    if settings.gate_at:
        try:
            GateAddress.read(settings.gate_at)
        except InvalidInputError as error:
            yield str(error), f"Correct {_PREFIX}GATE_AT."


def _problems_of_provider(settings: Settings) -> Iterator[tuple[str, str]]:
    if not settings.oidc_issuer:
        if settings.oidc_login_name:
            yield (
                f"nobody can log in at {settings.oidc_login_name}: where it is, is not said",
                f"Set {_PREFIX}OIDC_ISSUER and _OIDC_AUDIENCE.",
            )
        return
    try:
        ensure_safe(settings.oidc_issuer)
    except InvalidInputError as error:
        yield error.what, error.next_step
    if not settings.oidc_audience:
        yield (
            "tokens that the OpenID provider made for somebody else would be accepted",
            f"Set {_PREFIX}OIDC_AUDIENCE to AppShield's client id there.",
        )
    if settings.oidc_login_name and "openid" not in settings.oidc_scopes:
        yield (
            "without the scope openid the provider says of nobody who that is",
            f"Add it to {_PREFIX}OIDC_SCOPES.",
        )


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
