"""Each accepted content of any document is kept once, under its digest, and not for ever."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.doors.revisions import listed_of_object, revisions_of_object
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, CONTROLLER_REVISION, POLICY
from appshield.language.object_reading import read_object
from appshield.language.resolving import revision
from appshield.language.revisions import REVISIONS_MAX, read_revision
from appshield.watcher.revisions import keep_revision
from fake_kubernetes import FakeKubernetes


def application(generation: int, **spec: Any) -> Object:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "shop",
            "namespace": "shop",
            "uid": "0123456789-u",
            "generation": generation,
        },
        "spec": spec,
    }


def digest(obj: Object) -> str:
    return revision(read_object(obj).spec)


class Place:
    def __init__(self, fake: FakeKubernetes) -> None:
        self.fake = fake

    async def keep(self, obj: Object, *, told: str = "") -> None:
        async with self.fake.cluster() as cluster:
            await keep_revision(cluster, obj, told or digest(obj))

    async def kept(self, namespace: str = "shop") -> list[Object]:
        async with self.fake.cluster() as cluster:
            found = await cluster.list(CONTROLLER_REVISION, namespace=namespace)
        return sorted(found, key=lambda obj: int(obj["revision"]))


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as fake:
        fake.serve(APPLICATION, CONTROLLER_REVISION)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield Place(fake)


async def test_each_content_is_kept_once_with_its_digest(place: Place) -> None:
    """A label or a status changes no content; what is kept says the document again."""
    first, second = application(1, type="web"), application(2, type="web", criticality="gold")
    for obj in (first, first, second):
        await place.keep(obj)
    kept = [read_revision(obj) for obj in await place.kept()]
    assert [one.digest for one in kept] == [digest(first), digest(second)]
    assert [one.document["spec"] for one in kept] == [first["spec"], second["spec"]]
    assert digest(kept[1].document) == kept[1].digest


async def test_a_document_that_comes_back_to_an_earlier_content_is_the_newest_again(
    place: Place,
) -> None:
    """Its revision has the same digest and the new generation."""
    first, second = application(1, type="web"), application(2, type="cache")
    for obj in (first, second, application(3, type="web")):
        await place.keep(obj)
    assert [(obj["revision"], obj["data"]["spec"]) for obj in await place.kept()] == [
        (2, second["spec"]),
        (3, first["spec"]),
    ]


async def test_it_goes_with_its_application(place: Place) -> None:
    """The cluster removes what has lost its owner; versions hold their document themselves."""
    await place.keep(application(1, type="web"))
    (obj,) = await place.kept()
    (owner,) = obj["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Application", "shop", "0123456789-u")


async def test_what_is_refused_or_has_changed_again_is_not_kept(place: Place) -> None:
    """Only what is in force is a revision."""
    await place.keep(application(1, tpye="web"), told="any")
    await place.keep(application(2, type="web"), told=digest(application(1, type="cache")))
    assert await place.kept() == []


async def test_the_oldest_go_when_there_are_too_many(place: Place) -> None:
    """Somebody who changes a document all day does not fill the cluster."""
    async with place.fake.cluster() as cluster:
        for number in range(1, REVISIONS_MAX + 3):
            obj = application(number, type=f"web-{number}")
            await keep_revision(cluster, obj, digest(obj))
    kept = await place.kept()
    assert len(kept) == REVISIONS_MAX
    assert kept[0]["revision"] == 3


async def test_a_policy_has_its_revisions_in_the_namespace_of_appshield(place: Place) -> None:
    """It has no namespace itself; a Profile of the same name does not mix with it."""
    policy: Object = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": "gold", "uid": "policy-1", "generation": 1},
        "spec": {"match": "app.criticality == 'gold'", "alerts": {"rpo": "1h"}},
    }
    changed: Object = {
        **policy,
        "metadata": {**policy["metadata"], "generation": 2},
        "spec": {"match": "app.criticality == 'platinum'", "alerts": {"rpo": "1h"}},
    }
    profile: Object = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Profile",
        "metadata": {"name": "gold", "uid": "profile-1", "generation": 1},
        "spec": {"type": "database/own"},
    }
    for obj in (policy, changed, profile):
        await place.keep(obj)
    assert len(await place.kept(SYSTEM_NAMESPACE)) == 3
    async with place.fake.cluster() as cluster:
        found = await revisions_of_object(cluster, POLICY, policy)
    assert [(one.generation, one.digest) for one in found] == [
        (2, digest(changed)),
        (1, digest(policy)),
    ]
    assert found[0].document["metadata"] == {"name": "gold"}
    in_force = {**changed, "status": {"revision": digest(policy)}}
    assert [one.in_force for one in listed_of_object(found, in_force)] == [False, True]
