"""The API server accepts our kinds and refuses wrong documents by itself, before we see them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appshield.errors import InvalidInputError
from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, kinds
from appshield.language.crds import crds
from appshield.language.object_reading import read_object
from appshield.language.reading import read_documents
from appshield.local.cluster import ClusterFacts

DOCUMENTS = Path(__file__).parents[1] / "unit" / "language" / "documents"
KINDS = {
    "Application": kinds.APPLICATION,
    "Policy": kinds.POLICY,
    "Vault": kinds.VAULT,
}
RULE: dict[str, Any] = {"name": "a", "on": {"rpo": "1h"}}
COMPONENT = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}
HOOK = {"command": ["x"]}


def _established(obj: Object | None) -> bool:
    conditions = (obj or {}).get("status", {}).get("conditions", [])
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.fixture
async def cluster(local_cluster: ClusterFacts) -> AsyncIterator[Cluster]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as connected:
        for crd in crds():
            await connected.apply(kinds.CRD, crd)
            name = crd["metadata"]["name"]
            await connected.wait_for(
                kinds.CRD, name, "", _established, timeout_s=30, what=f"{name} served"
            )
        yield connected


async def _try(cluster: Cluster, kind: Kind, body: Object) -> Object:
    namespace = "default" if kind.namespaced else ""
    if kind.namespaced:
        body = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    return await cluster.create(kind, body, namespace=namespace, dry_run=True)


@pytest.mark.parametrize("name", ["shop", "small", "policy", "vault"])
async def test_what_we_accept_the_api_server_accepts_unchanged(cluster: Cluster, name: str) -> None:
    """Nothing is pruned, and what comes back is the document that was read."""
    (read,) = read_documents((DOCUMENTS / f"{name}.yaml").read_text(), name)
    kind = KINDS[type(read.resource).__name__]
    stored = await _try(cluster, kind, {**read.object, "metadata": {"name": f"try-{name}"}})
    again = read_object(stored)
    assert again.spec == read.resource.spec


async def test_an_unquoted_on_as_kubectl_sends_it_is_accepted(cluster: Cluster) -> None:
    """YAML 1.1 makes the key `true` of it; the document means the same."""
    spec = {"protect": [{"name": "a", "true": {"manual": True}}]}
    stored = await _try(cluster, kinds.APPLICATION, _application(spec))
    assert read_object(stored) is not None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"protect": [{**RULE, "on": {"rpo": "1h", "manual": True}}]}, "exactly one trigger"),
        ({"protect": [{**RULE, "on": {}}]}, "exactly one trigger"),
        ({"protect": [{"name": "a"}]}, "must be given once"),
        ({"protect": [{**RULE, "true": {"manual": True}}]}, "must be given once"),
        ({"protect": [{**RULE, "keep": {}}]}, "must keep something"),
        ({"protect": [RULE, RULE]}, "Duplicate value"),
        ({"components": [{**COMPONENT, "quiesce": HOOK}]}, "a quiesce needs a resume"),
        ({"components": [{**COMPONENT, "dump": HOOK}]}, "a dump needs a load"),
        ({"components": [{**COMPONENT, "strategy": "dump"}]}, "strategy dump needs a dump"),
        ({"components": [{**COMPONENT, "strategy": "snap"}]}, "Unsupported value"),
        ({"images": "tag"}, "Unsupported value"),
    ],
)
async def test_the_api_server_refuses_wrong_documents(
    cluster: Cluster, spec: dict[str, Any], said: str
) -> None:
    """Whoever uses kubectl learns at once what is wrong."""
    with pytest.raises(InvalidInputError, match=said):
        await _try(cluster, kinds.APPLICATION, _application(spec))


def _application(spec: dict[str, Any]) -> Object:
    return {
        "apiVersion": kinds.APPLICATION.api_version,
        "kind": "Application",
        "metadata": {"name": "try"},
        "spec": spec,
    }
