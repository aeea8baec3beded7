"""What the API server says about tokens, and for how long that is used."""

import json
import time
from typing import Any

import jwt
import pytest

from appshield.errors import DeniedError, UnavailableError
from appshield.gateway.access.tokens import ClusterTokens, claims_of, ends_at
from appshield.gateway.api.frame.callers import Caller, UnauthenticatedError
from appshield.kubernetes import Object
from appshield.kubernetes.requests import Call
from moving_time import MovingTime

ANN = {
    "authenticated": True,
    "user": {
        "username": "ann",
        "uid": "u-1",
        "groups": ["sales"],
        "extra": {"scopes": ["a", "b"]},
        "something-new": True,
    },
}


class ApiServer:
    """Answers every review with one status; or fails."""

    def __init__(self, status: dict[str, Any]) -> None:
        self.status = status
        self.error: Exception | None = None
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> Object:
        self.calls.append(call)
        if self.error:
            raise self.error
        return {"kind": "TokenReview", "status": self.status}


async def test_a_good_token_is_asked_about_once_in_a_while() -> None:
    """Everything that rights can be given by is taken over."""
    server = ApiServer(ANN)
    tokens = ClusterTokens(server)
    caller = Caller(name="ann", uid="u-1", groups=("sales",), extra={"scopes": ("a", "b")})
    assert [await tokens.caller("t"), await tokens.caller("t")] == [caller, caller]
    (call,) = server.calls
    assert call.body is not None
    assert call.body["spec"] == {"token": "t"}
    assert call.confidential


async def test_a_token_is_never_used_beyond_its_end() -> None:
    """Nor is what was said about it."""
    server, now = ApiServer(ANN), MovingTime(time.time())
    tokens = ClusterTokens(server, now_s=now)
    over = jwt.encode({"exp": now.now_s - 1}, "k" * 32)
    await tokens.caller(over)
    assert not tokens.knows(over)
    fresh = jwt.encode({"exp": now.now_s + 3600}, "k" * 32)
    await tokens.caller(fresh)
    assert tokens.knows(fresh)


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"authenticated": False, "error": "token expired"},
        {"authenticated": True, "user": {}},
        {**ANN, "authenticated": False},
    ],
)
async def test_whoever_the_api_server_does_not_know_is_nobody(status: dict[str, Any]) -> None:
    """And is asked about again, as that may change."""
    server = ApiServer(status)
    tokens = ClusterTokens(server)
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await tokens.caller("t")
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    ("audiences", "good"), [(["ours", "x"], True), (["theirs"], False), ([], False)]
)
async def test_an_api_server_that_knows_no_audiences_lets_nobody_in(
    audiences: list[str], *, good: bool
) -> None:
    """It would say of a token for somebody else that it is good."""
    tokens = ClusterTokens(ApiServer({**ANN, "audiences": audiences}), ["ours"])
    if good:
        assert (await tokens.caller("t")).name == "ann"
    else:
        with pytest.raises(UnauthenticatedError):
            await tokens.caller("t")


async def test_a_right_that_appshield_lacks_is_not_the_callers_fault() -> None:
    """It is told as such, with the role that is missing."""
    server = ApiServer(ANN)
    server.error = DeniedError("not allowed")
    with pytest.raises(UnavailableError, match="system:auth-delegator"):
        await ClusterTokens(server).caller("t")


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a." + "W10" + ".c", "é.é.é", "a.MQ.c"])
def test_what_says_nothing_of_itself_says_nothing(token: str) -> None:
    """Whatever it is."""
    assert (claims_of(token), ends_at(token)) == ({}, None)


def test_a_token_can_lie_only_about_itself() -> None:
    """Its end is a number or none; deep nesting is no way to end us."""
    assert ends_at(jwt.encode({"exp": 12}, "k" * 32)) == 12
    assert ends_at(_unsigned({"exp": "soon"})) is None
    assert claims_of(_unsigned('{"a":' * 20_000 + "1" + "}" * 20_000)) == {}


def _unsigned(content: object) -> str:
    import base64

    text = content if isinstance(content, str) else json.dumps(content)
    return f"a.{base64.urlsafe_b64encode(text.encode()).rstrip(b'=').decode()}.c"
