"""Settings of the gateway that do not go together are refused before anything is open."""

import pytest

from appshield.errors import InvalidInputError
from appshield.gateway.settings import Settings, ensure_usable
from appshield.service import read_settings

PREFIX = "APPSHIELD_GATEWAY_"


def settings(**given: str) -> Settings:
    """Read settings, as from the environment."""
    needed = {"nats_url": "nats://localhost", "cluster": "test"}
    named = {f"{PREFIX}{name.upper()}": value for name, value in {**needed, **given}.items()}
    return read_settings(Settings, named, PREFIX)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"http_host": "::1", "http_port": "8470", "http_names": "a.example.org, b.example.org"},
        {"http_host": "0.0.0.0", "tls_certificate_file": "c", "tls_key_file": "k"},
        {"oidc_issuer": "https://id.example.org", "oidc_audience": "appshield"},
        {"token_audiences": "appshield"},
        {"trusted_proxies": "10.0.0.0/8, ::1"},
    ],
)
def test_what_goes_together_is_accepted(given: dict[str, str]) -> None:
    """Lists are written with commas."""
    found = settings(**given)
    ensure_usable(found)
    assert len(found.http_names) == (2 if "http_names" in given else 0)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"http_host": "0.0.0.0"}, "plain text"),
        ({"http_host": "10.1.2.3"}, "plain text"),
        ({"tls_key_file": "k"}, "needs its key"),
        ({"tls_certificate_file": "c"}, "needs its key"),
        ({"oidc_issuer": "https://id.example.org"}, "made for somebody else"),
        ({"trusted_proxies": "10.0.0.0/8, proxy"}, "neither an address nor a network"),
        ({"requests_per_s": "0"}, "limit of requests is 0"),
        ({"requests_burst": "0"}, "limit of requests is 0"),
        ({"oidc_issuer": "http://id.example.org", "oidc_audience": "a"}, "OpenID provider"),
        ({"oidc_login_name": "Example"}, "where it is, is not said"),
        ({"gate_at": "nowhere"}, "nowhere"),
    ],
)
def test_what_does_not_is_refused_with_the_next_step(given: dict[str, str], why: str) -> None:
    """Nothing is open by a mistake."""
    with pytest.raises(InvalidInputError, match=why) as refused:
        ensure_usable(settings(**given))
    assert PREFIX in refused.value.next_step


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Nobody corrects one thing after the other."""
    given = {"http_host": "0.0.0.0", "requests_burst": "0", "oidc_login_name": "Example"}
    with pytest.raises(InvalidInputError) as refused:
        ensure_usable(settings(**given))
    for said in ("plain text", "limit of requests", "Example"):
        assert said in refused.value.why
    for said in ("HTTP_HOST", "REQUESTS_BURST", "OIDC_ISSUER"):
        assert said in refused.value.next_step
