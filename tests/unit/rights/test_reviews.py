"""What is asked of the API server about rights, and for whom the answer counts."""

import asyncio
from typing import Any

import pytest

from appshield.errors import DeniedError, UnavailableError
from appshield.kubernetes import Actor, Object
from appshield.kubernetes.requests import Call
from appshield.rights.reviews import Reviews

ANN = Actor(name="ann", uid="u-1", groups=("sales",), extra={"scopes": ("a",)})
ALLOWED = {"allowed": True}


class ApiServer:
    """Answers every review with one status; or fails."""

    def __init__(self, status: dict[str, Any]) -> None:
        self.status = status
        self.error: Exception | None = None
        self.asked: list[Object] = []

    async def __call__(self, call: Call) -> Object:
        assert call.body is not None
        self.asked.append(call.body["spec"])
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return {"status": self.status}


async def test_the_question_names_the_caller_and_the_part() -> None:
    """As the API server wants it; what is empty is left out."""
    server = ApiServer(ALLOWED)
    reviews = Reviews(server)
    assert await reviews.allows(ANN, "get", "versions/data", "shop", name="web")
    assert await reviews.allows(Actor(name="bob"), "create", "secrets", "", group="")
    first, second = server.asked
    assert first == {
        "user": "ann",
        "uid": "u-1",
        "groups": ["sales"],
        "extra": {"scopes": ["a"]},
        "resourceAttributes": {
            "verb": "get",
            "group": "appshield.io",
            "resource": "versions",
            "subresource": "data",
            "namespace": "shop",
            "name": "web",
        },
    }
    assert second == {
        "user": "bob",
        "resourceAttributes": {"verb": "create", "resource": "secrets"},
    }


@pytest.mark.parametrize(
    "other",
    [
        {"caller": Actor(name="bob", uid="u-1", groups=("sales",), extra=ANN.extra)},
        {"caller": Actor(name="ann", uid="u-2", groups=("sales",), extra=ANN.extra)},
        {"caller": Actor(name="ann", uid="u-1", groups=(), extra=ANN.extra)},
        {"caller": Actor(name="ann", uid="u-1", groups=("sales",))},
        {"verb": "list"},
        {"resource": "applications/pause"},
        {"namespace": "bank"},
        {"namespace": ""},
        {"name": "web"},
        {"group": ""},
    ],
)
async def test_an_answer_counts_for_its_own_question_only(other: dict[str, Any]) -> None:
    """Every part of it makes another one."""
    server = ApiServer(ALLOWED)
    reviews = Reviews(server)
    question: dict[str, Any] = {
        "caller": ANN,
        "verb": "get",
        "resource": "applications",
        "namespace": "shop",
    }
    for _ in range(2):
        assert await reviews.allows(**question)
    assert len(server.asked) == 1
    server.status = {"allowed": False}
    assert not await reviews.allows(**{**question, **other})


async def test_many_who_ask_the_same_ask_once() -> None:
    """A page that shows many things asks for many at once."""
    server = ApiServer(ALLOWED)
    reviews = Reviews(server)
    asked = [reviews.allows(ANN, "get", "applications", "shop") for _ in range(100)]
    assert all(await asyncio.gather(*asked))
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [{}, {"allowed": False}, {"allowed": True, "denied": True}])
async def test_what_is_not_allowed_is_refused(status: dict[str, Any]) -> None:
    """Also where one rule allows and another one denies."""
    assert not await Reviews(ApiServer(status)).allows(ANN, "get", "applications", "shop")


async def test_when_it_cannot_be_asked_nobody_may_anything() -> None:
    """And that is not remembered."""
    server = ApiServer(ALLOWED)
    reviews = Reviews(server)
    server.error = UnavailableError("away")
    with pytest.raises(UnavailableError, match="away"):
        await reviews.allows(ANN, "get", "applications", "shop")
    server.error = DeniedError("not allowed")
    with pytest.raises(UnavailableError, match="system:auth-delegator"):
        await reviews.allows(ANN, "get", "applications", "shop")
    server.error = None
    assert await reviews.allows(ANN, "get", "applications", "shop")
