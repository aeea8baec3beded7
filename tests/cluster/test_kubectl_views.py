"""What kubectl shows of our kinds, from the API server's own answers, read as kubectl reads them.

`kubectl get` asks for a Table, `kubectl explain` reads the server's OpenAPI document.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, kinds
from appshield.kubernetes.requests import Call
from appshield.local.cluster import ClusterFacts
from appshield.watcher.kinds import install_kinds
from kubernetes_api import namespace_in
from waiting import wait_until

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
OPENAPI = "/openapi/v3/apis/appshield.io/v1alpha1"
OURS = (
    kinds.APPLICATION,
    kinds.POLICY,
    kinds.VAULT,
    kinds.PROFILE,
    kinds.BACKUP,
    kinds.RESTORE,
)
STATUS = {
    "health": "Degraded",
    "lastVersion": 17,
    "lastBackupAt": "2026-01-01T00:00:00Z",
    "rpo": "at-risk",
}


@pytest.fixture
async def cluster(local_cluster: ClusterFacts) -> AsyncIterator[Cluster]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as connected:
        await install_kinds(connected)
        yield connected


async def table(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """Read a list as a table, a row by its columns' names."""
    call = Call(method="GET", path=path, doing="list as a table", accept=TABLE)
    answer = await cluster.requests.send(call)
    names = [column["name"] for column in answer["columnDefinitions"]]
    return [dict(zip(names, row["cells"], strict=True)) for row in answer["rows"]]


async def test_a_list_shows_health_last_version_rpo_and_age(cluster: Cluster) -> None:
    """As the status says them, without opening the object."""
    async with namespace_in(cluster) as namespace:
        spec = {"type": "web", "criticality": "gold"}
        body = {
            "apiVersion": kinds.APPLICATION.api_version,
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": namespace},
        }
        await cluster.create(kinds.APPLICATION, {**body, "spec": spec}, namespace=namespace)
        path = f"/apis/appshield.io/v1alpha1/namespaces/{namespace}/applications"
        status = Call(
            method="PATCH",
            path=f"{path}/shop/status",
            doing="write a status",
            body={"status": STATUS},
            content_type="application/merge-patch+json",
        )
        await cluster.requests.send(status)
        (row,) = await table(cluster, path)
    assert (row["Name"], row["Type"], row["Criticality"]) == ("shop", "web", "gold")
    assert (row["Health"], row["Version"], row["RPO"]) == ("Degraded", 17, "at-risk")
    assert row["Backup"].endswith("d")  # days ago, as kubectl prints them
    assert row["Age"].endswith("s")


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.kind)
async def test_every_field_is_explained(cluster: Cluster, kind: Kind) -> None:
    """Down to the last one, in a sentence; a field without words makes a reader open the source."""
    schema = await _schema(cluster, kind)
    assert schema["description"]
    fields = dict(_fields(schema["properties"]["spec"], "spec"))
    fields |= dict(_fields(schema["properties"].get("status", {}), "status"))
    assert len(fields) > 3
    assert [name for name, text in fields.items() if len(text.split()) < 2] == []


async def _schema(cluster: Cluster, kind: Kind) -> Object:
    """Wait for the server's document to hold the kind: it is made a moment after the definition."""
    name = f"io.appshield.v1alpha1.{kind.kind}"

    async def look() -> Object | None:
        call = Call(method="GET", path=OPENAPI, doing="read the server's OpenAPI document")
        document = await cluster.requests.send(call)
        found: Object | None = document["components"]["schemas"].get(name)
        return found

    return await wait_until(look, deadline_s=30, what=f"{kind.kind} in the OpenAPI document")


def _fields(schema: Object, path: str) -> Iterator[tuple[str, str]]:
    """Give every field below with its description."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field.get("description", "")
        yield from _fields(field, f"{path}.{name}")
    if isinstance(inner := schema.get("items"), dict):
        yield from _fields(inner, f"{path}[]")
    if isinstance(inner := schema.get("additionalProperties"), dict):
        yield from _fields(inner, f"{path}.*")
