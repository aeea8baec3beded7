"""The API servers that the suite runs on: the fake, and the local cluster."""

from collections.abc import AsyncIterator

import pytest

from appshield.kubernetes import Cluster, ClusterAccess
from appshield.local.cluster import ClusterFacts
from fake_kubernetes import FakeKubernetes
from kubernetes_api import Api, FakeApi, RealApi, namespace_in


@pytest.fixture(params=["fake", "local_cluster"])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    if request.param == "fake":
        async with FakeKubernetes() as fake:
            yield FakeApi(fake)
    else:
        facts: ClusterFacts = request.getfixturevalue("local_cluster")
        real = RealApi(str(facts.kubeconfig))
        try:
            yield real
        finally:
            await real.let_go()


@pytest.fixture
async def cluster(api: Api) -> AsyncIterator[Cluster]:
    async with Cluster.connect(ClusterAccess(kubeconfig=api.kubeconfig)) as connected:
        yield connected


@pytest.fixture
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    async with namespace_in(cluster) as name:
        yield name
