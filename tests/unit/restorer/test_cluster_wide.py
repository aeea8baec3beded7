"""What an application shares with its cluster is made where absent, and else left and told of."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from appshield.kubernetes import Cluster, Kind, Object
from appshield.restorer.cluster_wide import absent, is_shared, make_where_absent
from fake_kubernetes import FakeKubernetes

RBAC = "rbac.authorization.k8s.io"
ROLE = Kind(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
STORAGE = "storage.k8s.io/v1"


def role(name: str, *verbs: str) -> Object:
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": list(verbs)}]
    return whole(f"{RBAC}/v1", "ClusterRole", name, rules=rules)


def whole(api_version: str, kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


@pytest.fixture
async def fake() -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes() as running:
        running.serve(ROLE)
        yield running


@pytest.fixture
async def cluster(fake: FakeKubernetes) -> AsyncIterator[Cluster]:
    async with fake.cluster() as connected:
        yield connected


async def test_only_what_is_absent_is_planned_and_a_difference_is_told(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """An equal one needs no word; nothing here asks to overwrite anything."""
    fake.put(role("same", "get"))
    fake.put(role("other", "get", "list"))
    own: Object = {"apiVersion": "v1", "kind": "Secret"}
    own["metadata"] = {"name": "own", "namespace": "shop"}
    objects = [role("same", "get"), role("other", "get"), role("new", "get"), own]
    wanted, told = await absent(cluster, objects, ())
    assert [obj["metadata"]["name"] for obj in wanted] == ["new"]
    (text,) = told
    assert "ClusterRole other is there already, differs" in text
    assert "/rules/0/verbs: has 1 entries and 2" in text


async def test_what_is_there_is_never_overwritten(fake: FakeKubernetes, cluster: Cluster) -> None:
    """Others may live by it now."""
    fake.put(role("other", "get", "list"))
    there = await make_where_absent(cluster, role("other", "get"), ())
    assert there is not None
    assert there["rules"][0]["verbs"] == ["get", "list"]
    made = await make_where_absent(cluster, role("new", "get"), ())
    assert made is not None
    assert made["metadata"]["uid"]
    assert "annotations" not in made["metadata"]


async def test_a_class_of_storage_is_made_only_when_a_path_names_it(
    fake: FakeKubernetes, cluster: Cluster
) -> None:
    """It describes the machines of one cluster."""
    fast = whole(STORAGE, "StorageClass", "fast", provisioner="btrfs.csi")
    wanted, told = await absent(cluster, [fast], ())
    assert wanted == []
    assert "StorageClass fast is not in this cluster and is not made" in told[0]
    assert await make_where_absent(cluster, fast, ("manifests",)) is None
    named = ("manifests/storageclass.storage.k8s.io/fast.json",)
    assert await absent(cluster, [fast], named) == ([fast], ())
    fake.put(fast)
    assert await absent(cluster, [fast], ()) == ([], ())


def test_a_namespace_is_the_applications_own() -> None:
    """It has no namespace, and is no matter of the whole cluster."""
    assert not is_shared(whole("v1", "Namespace", "shop"))
    assert is_shared(role("a"))
