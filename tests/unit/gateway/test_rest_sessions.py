"""Sessions through the API itself: cookies, headers, and what comes of them."""

from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from appshield.errors import UnavailableError
from appshield.gateway.access.authenticating import Authenticating, Limits
from appshield.gateway.access.limits import Buckets
from appshield.gateway.access.login_links import new_code
from appshield.gateway.access.sessions import Sessions
from appshield.gateway.api.application import PATH
from appshield.gateway.api.frame.audit import Act
from appshield.gateway.api.frame.callers import OWN_HEADER, Caller, UnauthenticatedError
from appshield.service import SystemClock
from memory_bus import MemoryBus
from rest_api import ADMIN, RecordedActs, problem_of, rest_api

OWN = {OWN_HEADER: "1"}
SESSION = f"{PATH}/session"
ME = f"{PATH}/me"


class OneToken:
    """Knows one token."""

    def knows(self, token: str) -> bool:
        return False

    async def caller(self, token: str) -> Caller:
        if token != "good":
            raise UnauthenticatedError("the token is not accepted")
        return Caller(name=ADMIN)


class Ann:
    """The local user."""

    async def caller(self) -> Caller:
        return Caller(name="ann")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logins"


@pytest.fixture
def authenticating(folder: Path) -> Authenticating:
    return Authenticating(
        cluster=OneToken(),
        oidc=None,
        local=Ann(),
        sessions=Sessions(MemoryBus(), SystemClock()),
        limits=Limits(
            requests=Buckets(per_s=1, burst=100), failures=Buckets(per_s=1 / 60, burst=2)
        ),
        login_folder=folder,
    )


def client_of(
    authenticating: Authenticating, scheme: str = "http", auditor: RecordedActs | None = None
) -> AsyncTestClient[Litestar]:
    """Talk to an API that recognizes people in earnest."""
    application = rest_api(MemoryBus(), authenticating=authenticating, auditor=auditor)
    return AsyncTestClient(application, base_url=f"{scheme}://appshield.local:8470")


async def test_a_browser_logs_in_by_a_link_and_out_again(
    authenticating: Authenticating, folder: Path
) -> None:
    """What it gets is a cookie that no script can read and no other page can use."""
    async with client_of(authenticating) as client:
        answer = await client.post(SESSION, json={"code": new_code(folder)}, headers=OWN)
        assert (answer.status_code, answer.content) == (204, b"")
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        assert cookie.key == "appshield-session-8470"
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", PATH)
        assert not cookie["secure"]
        assert (await client.get(ME)).json()["name"] == "ann"
        out = await client.delete(SESSION, headers=OWN)
        assert out.status_code == 204
        assert not client.cookies
        client.cookies.set(cookie.key, cookie.value)
        assert (await client.get(ME)).status_code == 401


async def test_with_tls_the_cookie_goes_nowhere_without(
    authenticating: Authenticating, folder: Path
) -> None:
    """The mark that browsers keep to."""
    async with client_of(authenticating, "https") as client:
        answer = await client.post(SESSION, json={"token": "good"}, headers=OWN)
        (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        assert cookie["secure"]
        assert (await client.get(ME)).json() == {"name": ADMIN, "groups": [], "how": "session"}


async def test_pages_of_others_log_nobody_in_or_out(
    authenticating: Authenticating, folder: Path
) -> None:
    """They cannot set the header, so their requests end before anything is looked at."""
    async with client_of(authenticating) as client:
        code = new_code(folder)
        assert (await client.post(SESSION, json={"code": code})).status_code == 403
        assert (await client.post(SESSION, json={"code": code}, headers=OWN)).status_code == 204
        assert (await client.delete(SESSION)).status_code == 403
        assert (await client.get(ME)).status_code == 200


async def test_a_login_that_is_none_is_told_as_such(authenticating: Authenticating) -> None:
    """And too many of them are not listened to, with the time after which they are."""
    async with client_of(authenticating) as client:
        for body in ({}, {"code": "a", "token": "b"}, {"code": 7}, {"other": "x"}):
            assert (await client.post(SESSION, json=body, headers=OWN)).status_code == 400
        for body in ({"code": "a"}, {"token": "bad"}):
            answer = await client.post(SESSION, json=body, headers=OWN)
            assert answer.status_code == 401
            assert "Set-Cookie" not in answer.headers
        answer = await client.post(SESSION, json={"token": "good"}, headers=OWN)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert "failed logins" in str(problem_of(answer.content)["detail"])


async def test_logins_and_logouts_are_on_record(
    authenticating: Authenticating, folder: Path
) -> None:
    """Who, with what, and whoever was refused; never with what they had shown."""
    auditor = RecordedActs()
    async with client_of(authenticating, auditor=auditor) as client:
        await client.post(SESSION, json={"code": new_code(folder)}, headers=OWN)
        await client.delete(SESSION, headers=OWN)
        await client.delete(SESSION, headers=OWN)
        await client.post(SESSION, json={"token": "bad-secret"}, headers=OWN)
        await client.post(SESSION, json={"token": "good"}, headers=OWN)
    told = [(one.action, one.outcome, one.caller.name, one.object) for one in auditor.acts]
    assert told == [
        ("log-in", "allowed", "ann", "login link"),
        ("log-out", "allowed", "ann", ""),
        ("log-in", "denied", "", "POST /api/v1/session"),
        ("log-in", "allowed", ADMIN, "token"),
    ]
    assert "bad-secret" not in str(auditor.acts)
    assert all(one.caller.address and one.request_id for one in auditor.acts)


async def test_what_cannot_be_put_on_record_begins_no_session(
    authenticating: Authenticating,
) -> None:
    """Somebody is logged in only when that is known."""

    class Full(RecordedActs):
        async def record(self, act: Act) -> None:
            raise UnavailableError("the audit cannot be written")

    async with client_of(authenticating, auditor=Full()) as client:
        answer = await client.post(SESSION, json={"token": "good"}, headers=OWN)
        assert answer.status_code == 503
        assert "Set-Cookie" not in answer.headers


async def test_how_one_can_log_in_is_said_to_everybody(authenticating: Authenticating) -> None:
    """Without a provider none is offered, and nobody is sent to one."""
    async with client_of(authenticating) as client:
        offered = (await client.get(f"{PATH}/login-methods")).json()
        assert offered == {"token": True, "login_link": True, "oidc": None}
        answer = await client.get(f"{SESSION}/oidc", follow_redirects=False)
        assert answer.status_code == 404
