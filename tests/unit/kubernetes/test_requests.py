"""Requests are repeated where that is safe, and refused in words."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appshield.errors import (
    AppShieldError,
    DeniedError,
    InvalidInputError,
    UnavailableError,
)
from appshield.kubernetes import BusyError, Cluster, kinds, listing, requests
from appshield.kubernetes.errors import Status, refusal, status_of
from appshield.kubernetes.retrying import backoff_s, pause_s
from fake_kubernetes import FakeKubernetes
from kubernetes_api import config_map, through_proxy
from waiting import wait_until


@pytest.fixture
async def fake() -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes() as running:
        yield running


@pytest.fixture
async def cluster(fake: FakeKubernetes) -> AsyncIterator[Cluster]:
    async with fake.cluster() as connected:
        fake.requests.clear()
        yield connected


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appshield.kubernetes.retrying.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("appshield.kubernetes.retrying.LONGEST_PAUSE_S", 0.02)


@pytest.mark.parametrize("code", [500, 503, 504, 429, 0])
async def test_a_passing_failure_of_a_read_is_not_seen(
    fake: FakeKubernetes, cluster: Cluster, code: int
) -> None:
    """Reads are repeated over server errors, throttling and cut connections."""
    fake.fail_next(3, code)
    assert await cluster.get(kinds.NAMESPACE, "default") is not None


async def test_a_create_of_unknown_fate_is_not_repeated(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """A create that may have happened is left to the caller."""
    fake.fail_next(1, 500, method="POST")
    with pytest.raises(UnavailableError, match="create configmaps one in namespace default"):
        await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace="default")
    assert [method for method, _ in fake.requests] == ["POST"]


async def test_a_create_that_was_turned_away_unread_is_repeated(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """429 means that nothing happened yet."""
    fake.fail_next(2, 429, method="POST")
    await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace="default")


async def test_the_server_says_when_to_come_back(fake: FakeKubernetes, cluster: Cluster) -> None:
    """Retry-After is honoured."""
    fake.fail_next(1, 429, retry_after_s=1)
    started = time.monotonic()
    await cluster.get(kinds.NAMESPACE, "default")
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize(("reason", "waits"), [("", True), ("TooManyRequests", False)])
async def test_an_overloaded_server_is_left_alone_by_all(
    fake: FakeKubernetes, cluster: Cluster, reason: str, waits: bool
) -> None:
    """Unless it speaks of one object alone, as a disruption budget or a webhook does."""
    fake.fail_next(1, 429, path="/first", retry_after_s=1, reason=reason)
    first = asyncio.create_task(cluster.get(kinds.NAMESPACE, "first"))
    await wait_until(lambda: bool(fake.requests), deadline_s=5, what="the first request")
    await asyncio.wait({first}, timeout=0.1)  # so that its answer is known
    other = asyncio.create_task(cluster.get(kinds.NAMESPACE, "default"))
    await asyncio.wait({other}, timeout=0.3)
    assert any("default" in path for _, path in fake.requests) is not waits
    assert await other is not None
    await first


def test_an_absurd_retry_after_is_bounded() -> None:
    """A server cannot make us wait for an hour."""
    assert pause_s(1, 3600.0) == 30.0


@pytest.mark.parametrize("failures", [1, 2, 5, 40, 5000])
def test_backoff_stays_in_its_bounds(failures: int) -> None:
    """However long it fails, a pause is between the first and the longest."""
    for _ in range(50):
        assert 0.5 <= backoff_s(failures, first_s=0.5, longest_s=30) <= 30


async def test_a_lasting_failure_ends_after_a_few_attempts(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """Patience has an end, and the error is the server's."""
    fake.fail_next(100, 429)
    with pytest.raises(BusyError, match="too busy to get namespaces default"):
        await cluster.get(kinds.NAMESPACE, "default")
    assert len(fake.requests) == requests.ATTEMPTS


async def test_a_refusal_names_verb_kind_and_namespace(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """What is not allowed is said in full."""
    fake.fail_next(1, 403, reason="Forbidden")
    with pytest.raises(DeniedError, match=r"not allowed to list deployments\.apps in namespace x"):
        await cluster.list(kinds.DEPLOYMENT, namespace="x")


async def test_a_refused_token_is_tried_once_more(fake: FakeKubernetes, cluster: Cluster) -> None:
    """A token that was renewed at that moment is no failure; a wrong one soon is."""
    fake.fail_next(1, 401)
    assert await cluster.get(kinds.NAMESPACE, "default") is not None
    fake.fail_next(2, 401)
    with pytest.raises(DeniedError, match="refuses the credentials"):
        await cluster.get(kinds.NAMESPACE, "default")


async def test_a_server_that_is_gone_is_named(fake: FakeKubernetes, cluster: Cluster) -> None:
    """Connection refused names the server and the kubeconfig."""
    await fake.stop()
    with pytest.raises(UnavailableError) as caught:
        await cluster.get(kinds.NAMESPACE, "default")
    assert f"http://127.0.0.1:{fake.port} cannot be reached" in str(caught.value)
    assert "kubeconfig" in caught.value.next_step


async def test_a_restart_of_the_server_is_not_seen(fake: FakeKubernetes, cluster: Cluster) -> None:
    """Kept connections that broke meanwhile do no harm."""
    await cluster.get(kinds.NAMESPACE, "default")
    await fake.stop()
    await fake.start()
    assert await cluster.get(kinds.NAMESPACE, "default") is not None


async def test_a_silent_server_is_given_up(
    fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request has a timeout."""
    async with through_proxy(fake.kubeconfig, tmp_path) as (proxy, cluster):
        proxy.blackhole = True
        call = requests.Call(method="GET", path="/api", doing="look", timeout_s=0.2, attempts=2)
        with pytest.raises(UnavailableError, match="gave no answer to look: nothing came in time"):
            await cluster.requests.send(call)


async def test_pages_that_expire_start_the_list_again(
    fake: FakeKubernetes, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """410 in the middle of a list is not seen."""
    monkeypatch.setattr(listing, "PAGE_LIMIT", 2)
    for number in range(5):
        body = config_map(f"n{number}")
        body["metadata"]["namespace"] = "default"
        fake.put(body)
    fake.fail_next(1, 410, path="continue")
    listed = await cluster.list(kinds.CONFIG_MAP)
    assert [obj["metadata"]["name"] for obj in listed] == [f"n{n}" for n in range(5)]
    fake.fail_next(3, 410, path="continue")
    assert len(await cluster.list(kinds.CONFIG_MAP)) == 5


async def test_a_page_of_a_proxy_is_not_taken_for_an_answer(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """What is not JSON is not from an API server."""
    call = requests.Call(method="GET", path="/api/v1/nothing/of/this", doing="look")
    with pytest.raises(AppShieldError, match="does not serve this kind"):
        await cluster.requests.send(call)


def test_a_refused_secret_does_not_show_its_values() -> None:
    """The server quotes invalid values; those of a Secret are kept out."""
    body = b"""{"kind": "Status", "reason": "Invalid", "message": "data: Invalid value: planted",
      "details": {"name": "db", "causes": [{"reason": "FieldValueInvalid", "field": "data[x]",
      "message": "Invalid value: planted"}]}}"""
    error = refusal(422, status_of(body), "create secrets db", confidential=True)
    assert isinstance(error, InvalidInputError)
    assert "planted" not in str(error)
    assert "data[x]: FieldValueInvalid" in str(error)


def test_what_a_server_says_in_whole_sentences_is_told_as_one() -> None:
    """It ends its own with a full stop, and so do we."""
    status = Status(message="Too many requests, please try again later.")
    assert str(refusal(429, status, "list pods")) == (
        "the API server is too busy to list pods: Too many requests, please try again later. "
        "Try again in a minute."
    )


def test_a_version_from_the_future_leads_to_a_new_list() -> None:
    """After a restore of etcd, versions can be larger than the server's."""
    status = Status(
        details=status_of(
            b'{"details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}}'
        ).details
    )
    assert type(refusal(504, status, "watch pods")).__name__ == "GoneError"
