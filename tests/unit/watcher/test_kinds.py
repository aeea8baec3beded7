"""Kinds are installed in place, and never over something that would be lost."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from appshield.errors import RefusedError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION, CRD
from appshield.language.crds import crds
from appshield.watcher.kinds import install_kinds
from fake_kubernetes import FakeKubernetes

ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}


def definition(**status: Any) -> Object:
    made = deepcopy(next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "Application"))
    return made | {"status": {**ESTABLISHED, "storedVersions": ["v1alpha1"], **status}}


def with_a_field_of_the_future(**status: Any) -> Object:
    made = definition(**status)
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["future"] = {"type": "string"}
    return made


def application(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


@pytest.fixture
async def fake() -> AsyncIterator[FakeKubernetes]:
    async with FakeKubernetes() as running:
        running.serve(APPLICATION)
        running.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield running


async def _install(cluster: Cluster) -> None:
    await install_kinds(cluster, [definition()])


async def test_a_field_that_is_used_is_not_taken_away(fake: FakeKubernetes) -> None:
    """An older release does not replace the kinds of a newer one; the objects are named."""
    fake.put(with_a_field_of_the_future())
    fake.put(application("shop", future="yes"))
    fake.put(application("web"))
    async with fake.cluster() as cluster:
        with pytest.raises(RefusedError, match=r"spec\.future, and it is used by shop/shop"):
            await _install(cluster)
        present = await cluster.get(CRD, "applications.appshield.io")
    assert present is not None
    assert present["spec"] == with_a_field_of_the_future()["spec"]


async def test_a_field_that_nobody_uses_may_go(fake: FakeKubernetes) -> None:
    """Nothing is lost."""
    fake.put(with_a_field_of_the_future())
    fake.put(application("web"))
    async with fake.cluster() as cluster:
        await _install(cluster)
        present = await cluster.get(CRD, "applications.appshield.io")
    assert present is not None
    assert present["spec"] == definition()["spec"]


async def test_a_version_in_which_objects_are_stored_is_not_taken_away(
    fake: FakeKubernetes,
) -> None:
    """The error says which one, and what to run."""
    fake.put(definition(storedVersions=["v1alpha1", "v1alpha9"]))
    async with fake.cluster() as cluster:
        with pytest.raises(RefusedError, match="stores objects as v1alpha9, which this release"):
            await _install(cluster)
