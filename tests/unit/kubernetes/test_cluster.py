"""What a cluster does beyond what every API server can show: odd servers, odd moments."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from appshield.errors import DeadlineError, InvalidInputError, RefusedError, RunFailedError
from appshield.kubernetes import Cluster, Kind, Object, ObjectRef, kinds
from appshield.kubernetes.discovery import Discovery
from fake_kubernetes import FakeKubernetes
from kubernetes_api import config_map
from waiting import wait_until


@pytest.fixture
async def fake() -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes() as running:
        yield running


@pytest.fixture
async def cluster(fake: FakeKubernetes) -> AsyncIterator[Cluster]:
    async with fake.cluster() as connected:
        yield connected


def test_paths_and_names_follow_the_api() -> None:
    """Core and named groups, with and without a namespace, subresources, odd characters."""
    assert kinds.POD.path() == "/api/v1/pods"
    assert kinds.POD.path("shop", "db-0", "exec") == "/api/v1/namespaces/shop/pods/db-0/exec"
    assert kinds.DEPLOYMENT.path("shop", "web") == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert kinds.PV.path("ignored", "a/b:c") == "/api/v1/persistentvolumes/a%2Fb%3Ac"
    assert (kinds.POD.api_version, kinds.DEPLOYMENT.api_version) == ("v1", "apps/v1")
    assert (kinds.POD.resource, kinds.DEPLOYMENT.resource) == ("pods", "deployments.apps")


def test_an_object_of_a_namespaced_kind_needs_a_namespace() -> None:
    """A forgotten namespace is told before the server guesses."""
    with pytest.raises(InvalidInputError, match="Pod db-0 lives in a namespace"):
        kinds.POD.path("", "db-0")


async def test_a_plural_of_two_groups_is_ambiguous(fake: FakeKubernetes, cluster: Cluster) -> None:
    """The candidates are listed instead of one being guessed."""
    fake.serve(kinds.APPLICATION, Kind("argoproj.io", "v1", "Application", "applications"))
    with pytest.raises(InvalidInputError, match=r"applications\.appshield\.io, applications\.argo"):
        await cluster.kind_named("applications")
    assert await cluster.kind_named("applications.appshield.io") == kinds.APPLICATION


async def test_a_group_whose_server_is_down_is_told(cluster: Cluster) -> None:
    """What cannot be listed now is not simply missing; other versions stay known."""

    class Asked(Discovery):
        async def _ask(self, path: str) -> Object:
            resource = {"resource": "things", "responseKind": {"kind": "Thing"}, "verbs": ["list"]}
            served = {"version": "v1", "resources": [resource], "freshness": "Current"}
            older = {"version": "v1beta1", "resources": [resource], "freshness": "Current"}
            stale = {"version": "v1", "freshness": "Stale"}
            return {
                "items": [
                    {"metadata": {"name": "metrics.k8s.io"}, "versions": [stale]},
                    {"metadata": {"name": "things.io"}, "versions": [served, older]},
                ]
            }

    found = await Asked(cluster.requests).served()
    assert found.unavailable_groups == ("metrics.k8s.io",)
    assert {kind.version for kind in found.preferred} == {"v1"}
    assert {kind.version for kind in found.every} == {"v1", "v1beta1"}


async def test_a_server_without_aggregated_discovery_is_too_old(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The minimum version is told instead of an empty cluster."""

    async def older(_call: object) -> Object:
        return {"kind": "APIVersions", "versions": ["v1"]}

    monkeypatch.setattr(cluster.requests, "send", older)
    with pytest.raises(RefusedError, match=r"needs Kubernetes 1\.27"):
        await cluster.kinds()


async def test_kinds_are_remembered_until_refreshed(fake: FakeKubernetes, cluster: Cluster) -> None:
    """Discovery costs two requests, once."""
    await cluster.kinds()
    fake.requests.clear()
    await cluster.kinds()
    assert fake.requests == []
    cluster.refresh()
    await cluster.kinds()
    assert sorted(path for _, path in fake.requests) == ["/api", "/apis"]


async def test_what_the_condition_raises_ends_the_waiting(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """A caller that sees failure need not wait for the deadline."""

    def ready(obj: Object | None) -> bool:
        if obj is not None:
            raise RunFailedError("it will never be")
        return False

    async with asyncio.TaskGroup() as tasks:

        async def waiting() -> None:
            with pytest.raises(RunFailedError, match="it will never be"):
                await cluster.wait_for(
                    kinds.CONFIG_MAP, "one", "default", ready, timeout_s=20, what="there"
                )

        tasks.create_task(waiting())
        await wait_until(
            lambda: any("watch=true" in path for _, path in fake.requests),
            deadline_s=10,
            what="it watches",
        )
        body = config_map("one")
        body["metadata"]["namespace"] = "default"
        fake.put(body)


async def test_waiting_for_what_never_comes_says_that_it_is_not_there(cluster: Cluster) -> None:
    """A missing object is the reason."""
    with pytest.raises(DeadlineError, match=r"was not there within 0\.3 s: it does not exist"):
        await cluster.wait_for(
            kinds.CONFIG_MAP, "one", "default", bool, timeout_s=0.3, what="there"
        )


async def test_waiting_survives_a_restart_of_the_server(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """The deadline counts, not the connection."""
    waiting = asyncio.create_task(
        cluster.wait_for(kinds.CONFIG_MAP, "one", "default", bool, timeout_s=20, what="there")
    )
    await wait_until(
        lambda: any("watch=true" in path for _, path in fake.requests),
        deadline_s=10,
        what="it watches",
    )
    await fake.stop()
    body = config_map("one")
    body["metadata"]["namespace"] = "default"
    fake.put(body)
    await fake.start()
    assert (await waiting)["metadata"]["name"] == "one"


async def test_an_event_that_cannot_be_written_is_no_failure(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """A courtesy never fails the work it tells about."""
    fake.fail_next(1, 403, path="events")
    about = ObjectRef("v1", "Pod", "db-0", "shop")
    await cluster.record_event(about, reason="BackupDone", message="v1", warning=False)
    assert not fake.store.of(kinds.EVENT)


async def test_an_event_of_a_long_name_fits(fake: FakeKubernetes, cluster: Cluster) -> None:
    """Names and messages have limits of their own."""
    about = ObjectRef("v1", "PersistentVolume", "p" * 253)
    await cluster.record_event(about, reason="Lost", message="m" * 5000, warning=True)
    (event,) = fake.store.of(kinds.EVENT).values()
    assert len(event["metadata"]["name"]) <= 253
    assert len(event["message"]) == 1024
    assert (event["type"], event["metadata"]["namespace"]) == ("Warning", "default")


def test_kinds_can_be_sent_and_compared() -> None:
    """A kind is a value."""
    assert msgspec.json.decode(msgspec.json.encode(kinds.POD), type=Kind) == kinds.POD
    assert len({kinds.POD, Kind("", "v1", "Pod", "pods")}) == 1
