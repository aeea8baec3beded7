"""Logging in at an OpenID provider that follows the specification, as a browser does it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from appshield.gateway.api.application import PATH
from memory_bus import MemoryBus
from openid_gateway import authenticating_at
from openid_provider import OpenIdProvider, openid_provider
from rest_api import RecordedActs, rest_api, served

START = f"{PATH}/session/oidc"
CALLBACK = f"{START}/callback"


class Door:
    """An API where people log in at a provider, and the audit of that."""

    def __init__(self, provider: OpenIdProvider, secret_file: str = "") -> None:
        self.bus, self.audit, self.address = MemoryBus(), RecordedActs(), ""
        self._authenticating = authenticating_at(provider, self.bus, secret_file)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Door"]:
        """Serve the API for the time of the block."""
        application = rest_api(self.bus, authenticating=self._authenticating, auditor=self.audit)
        async with served(application) as self.address:
            yield self

    def browser(self) -> httpx.AsyncClient:
        """Open a browser that has been nowhere yet."""
        return httpx.AsyncClient(base_url=self.address, timeout=30)


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with openid_provider() as running:
        yield running


@pytest.fixture
async def door(provider: OpenIdProvider) -> AsyncIterator[Door]:
    async with Door(provider).open() as opened:
        yield opened


async def sent_back(client: httpx.AsyncClient, to: str = "/") -> dict[str, str]:
    """Leave for the provider and log in there; return what it sends the browser back with."""
    left = await client.get(START, params={"to": to})
    assert left.status_code == 302, left.text
    async with httpx.AsyncClient() as elsewhere:
        at_provider = await elsewhere.get(left.headers["Location"])
    back = urlsplit(at_provider.headers["Location"])
    assert back.path == CALLBACK
    assert str(client.base_url).startswith(f"{back.scheme}://{back.netloc}")
    return {name: values[0] for name, values in parse_qs(back.query).items()}


async def arrived_at(client: httpx.AsyncClient, answer: Mapping[str, str]) -> str:
    """Come back with this; return where the page goes on to."""
    page = await client.get(CALLBACK, params=dict(answer))
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
    assert "script" not in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    return page.text.partition('content="0;url=')[2].partition('"')[0]


async def test_a_browser_logs_in_at_the_provider(provider: OpenIdProvider, door: Door) -> None:
    """It comes back to the page that was wanted, with a session that holds."""
    async with door.browser() as client:
        offered = (await client.get(f"{PATH}/login-methods")).json()["oidc"]
        assert offered == {"name": "Example", "start": START}
        page = "/applications/shop/web?history=a-1"
        assert await arrived_at(client, await sent_back(client, page)) == page
        me = (await client.get(f"{PATH}/me")).json()
        assert (me["name"], me["how"]) == ("oidc:ann", "session")
        assert "oidc:sales" in me["groups"]
        provider.away = True
        assert (await client.get(f"{PATH}/me")).status_code == 200
    (act,) = door.audit.acts
    assert (act.action, act.outcome, act.caller.name) == ("log-in", "allowed", "oidc:ann")


async def test_cookies_are_as_strict_as_they_can_be(door: Door) -> None:
    """That of a session is never sent from elsewhere; that of the way is good for the way only."""
    async with door.browser() as client:
        left = await client.get(START)
        (way,) = SimpleCookie(left.headers["Set-Cookie"]).values()
        assert (way["samesite"], way["path"], bool(way["httponly"])) == ("lax", START, True)
        assert int(way["max-age"]) == 600
        answer = await sent_back(client)
        page = await client.get(CALLBACK, params=answer)
        session, ended = (
            next(iter(SimpleCookie(one).values())) for one in page.headers.get_list("Set-Cookie")
        )
        assert (session["samesite"], session["path"]) == ("strict", PATH)
        assert session["httponly"]
        assert (ended.key, ended.value, int(ended["max-age"])) == (way.key, "", 0)


async def test_only_the_browser_that_left_can_come_back(door: Door) -> None:
    """Nobody is logged in as somebody else by a link, and no answer is good twice."""
    async with door.browser() as client, door.browser() as other:
        answer = await sent_back(client)
        assert await arrived_at(other, answer) == "/login?problem=expired"
        await other.get(START)
        assert await arrived_at(other, answer) == "/login?problem=expired"
        assert await arrived_at(client, answer) == "/"
        assert await arrived_at(client, answer) == "/login?problem=expired"
        assert (await other.get(f"{PATH}/me")).status_code == 401
    refused = [act for act in door.audit.acts if act.outcome == "denied"]
    assert len(refused) == 2  # that it was tried more often is told a minute later
    assert refused[0].action == "log-in"
    assert answer["code"] not in str(door.audit.acts)


async def test_a_code_that_was_stolen_is_of_no_use(door: Door) -> None:
    """Its thief has not the verifier, whatever else they send."""
    async with door.browser() as client, door.browser() as thief:
        stolen = await sent_back(client)
        own = await sent_back(thief)
        mixed = {**own, "code": stolen["code"]}
        assert await arrived_at(thief, mixed) == "/login?problem=not-accepted"
        assert (await thief.get(f"{PATH}/me")).status_code == 401


@pytest.mark.parametrize(
    "claims", [{"nonce": "of another login"}, {"nonce": None}, {"azp": "other"}, {"aud": "other"}]
)
async def test_a_token_of_another_login_or_for_others_is_refused(
    provider: OpenIdProvider, door: Door, claims: dict[str, str | None]
) -> None:
    """Also where the provider itself hands it out."""
    provider.claims = dict(claims)
    async with door.browser() as client:
        assert await arrived_at(client, await sent_back(client)) == "/login?problem=not-accepted"
        assert (await client.get(f"{PATH}/me")).status_code == 401


async def test_whom_the_provider_does_not_let_in_is_told_so(
    provider: OpenIdProvider, door: Door
) -> None:
    """As one whom another provider sends."""
    provider.denies = "access_denied"
    async with door.browser() as client:
        answer = await sent_back(client)
        assert await arrived_at(client, answer) == "/login?problem=refused"
        provider.denies = ""
        other = {**await sent_back(client), "iss": "https://evil.example.org"}
        assert await arrived_at(client, other) == "/login?problem=not-accepted"


async def test_a_provider_that_is_away_is_no_refusal(provider: OpenIdProvider, door: Door) -> None:
    """At the beginning and at the end of the way."""
    provider.away = True
    async with door.browser() as client:
        left = await client.get(START)
        assert "/login?problem=unavailable" in left.text
        provider.away = False
        answer = await sent_back(client)
        provider.away = True
        assert await arrived_at(client, answer) == "/login?problem=unavailable"
    assert not [act for act in door.audit.acts if act.outcome == "allowed"]


async def test_a_client_with_a_secret_shows_it(provider: OpenIdProvider, tmp_path: Path) -> None:
    """From a file that may change at any time."""
    file = tmp_path / "secret"
    provider.secret = "a secret: with/signs"
    file.write_text("an old one\n")
    async with Door(provider, str(file)).open() as door, door.browser() as client:
        assert await arrived_at(client, await sent_back(client)) == "/login?problem=not-accepted"
        file.write_text("a secret: with/signs\n")
        assert await arrived_at(client, await sent_back(client)) == "/"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example.org",
        "https://evil.example.org",
        "/\\evil.example.org",
        "javascript:alert(1)",
        "/api/v1/audit/export",
        "/a\nb",
        "",
    ],
)
async def test_nobody_is_led_elsewhere(door: Door, elsewhere: str) -> None:
    """A link to our login leads to our pages only."""
    async with door.browser() as client:
        assert await arrived_at(client, await sent_back(client, elsewhere)) == "/"
        quoted = await arrived_at(client, await sent_back(client, '/x"><script>'))
        assert not set(quoted) & set('<>"')


async def test_who_comes_back_wrongly_again_and_again_is_not_listened_to(door: Door) -> None:
    """As with bad tokens."""
    async with door.browser() as client:
        for _ in range(3):
            assert await arrived_at(client, {"state": "x"}) == "/login?problem=expired"
        assert await arrived_at(client, await sent_back(client)) == "/login?problem=too-often"
