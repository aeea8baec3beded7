"""A newer definition takes the place of an older one, and the objects inside stay as they are.

The kinds of the cluster serve other tests, so both definitions are put under a group of this test.
"""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from appshield.errors import RefusedError
from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, kinds
from appshield.language.crds import crds
from appshield.language.kinds import GROUP
from appshield.language.reading import read_documents
from appshield.local.cluster import ClusterFacts
from appshield.watcher.kinds import install_kinds
from kubernetes_api import namespace_in

OLDER = Path(__file__).parent / "older_kinds" / "applications.yaml"
SHOP = Path(__file__).parents[1] / "unit" / "language" / "documents" / "shop.yaml"


class Place:
    """A group with the older definition in it, and one object in a namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.group = f"{secrets.token_hex(4)}.example.org"
        self.kind = Kind(self.group, "v1alpha1", "Application", "applications")
        self.older = self.renamed(yaml.safe_load(OLDER.read_text()))
        newest = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Application")
        self.newest = self.renamed(newest)

    def renamed(self, definition: Object) -> Object:
        """Return the definition under the group of this test, without names that may clash."""
        made: Object = json.loads(json.dumps(definition).replace(GROUP, self.group))
        del made["spec"]["names"]["shortNames"], made["spec"]["names"]["categories"]
        return made

    async def create(self) -> Object:
        """Put the shop into the cluster."""
        (read,) = read_documents(SHOP.read_text(), "shop.yaml")
        body = {**read.object, "apiVersion": self.kind.api_version, "metadata": {"name": "shop"}}
        return await self.cluster.create(self.kind, body, namespace=self.namespace)

    async def shop(self) -> Object:
        """Return the shop as it is now."""
        found = await self.cluster.get(self.kind, "shop", self.namespace)
        assert found is not None
        return found


@pytest.fixture
async def place(local_cluster: ClusterFacts) -> AsyncIterator[Place]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as cluster, namespace_in(cluster) as namespace:
        made = Place(cluster, namespace)
        await install_kinds(cluster, [made.older])
        yield made
        await cluster.delete(kinds.CRD, made.older["metadata"]["name"])


async def test_an_upgrade_keeps_every_object_as_it_was(place: Place) -> None:
    """Twice, as at every start; afterwards the new fields can be written."""
    before = await place.create()
    for _ in range(2):
        await install_kinds(place.cluster, [place.newest])
    after = await place.shop()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    await place.cluster.patch_status(place.kind, "shop", {"rpo": "1h"}, namespace=place.namespace)
    assert (await place.shop())["status"] == {"rpo": "1h"}


async def test_an_older_release_does_not_take_fields_away_that_are_used(place: Place) -> None:
    """The API server would drop their values with the next write; nothing is changed instead."""
    newer = json.loads(json.dumps(place.newest))
    schema = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["future"] = {"type": "string"}
    await install_kinds(place.cluster, [newer])
    await place.create()
    await install_kinds(place.cluster, [place.newest])  # nobody uses it: it may go
    await install_kinds(place.cluster, [newer])
    patch: Object = {"spec": {"future": "kept"}}
    await place.cluster.merge_patch(place.kind, "shop", patch, namespace=place.namespace)
    with pytest.raises(RefusedError, match=rf"spec\.future, and it is used by {place.namespace}/"):
        await install_kinds(place.cluster, [place.newest])
    assert (await place.shop())["spec"]["future"] == "kept"
