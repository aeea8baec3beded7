"""Applications follow the foreign documents that they are made from; others are not touched."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import APPLICATION, EVENT
from appshield.language.adapters import (
    ADAPTED_IN_PART,
    ADAPTER_LABEL,
    Adapted,
    Adapter,
    ForeignKind,
    Place,
)
from appshield.language.adapters.adapter import application
from appshield.language.problems import DocumentError
from appshield.watcher.adapting import Adapting
from fake_kubernetes import FakeKubernetes

KIND = ForeignKind("example.org", "v1", "Thing", "things")


def _place(document: Object) -> Place | None:
    name = document["spec"].get("about", "")
    return Place("shop", name) if name else None


def _adapt(document: Object, _: Any) -> Adapted:
    spec = document["spec"]
    if "wrong" in spec:
        raise DocumentError([spec["wrong"]])
    place = _place(document)
    assert place
    made = {"type": spec["type"]} if "type" in spec else {"typ": "misspelt"}
    return Adapted(application("thing", document, place, made), tuple(spec.get("notes", ())))


ADAPTER = Adapter(
    name="thing",
    kind=KIND,
    place=_place,
    asks=lambda one: one["spec"].get("asks", True),
    adapt=_adapt,
    rank=lambda one: one["spec"].get("rank", 0),
)


def thing(uid: str, **spec: Any) -> Object:
    return {
        "apiVersion": "example.org/v1",
        "kind": "Thing",
        "metadata": {"name": f"thing-{uid}", "namespace": "shop", "uid": uid},
        "spec": spec,
    }


class World:
    """The sink of one adapter, and a fake cluster."""

    def __init__(self, fake: FakeKubernetes, cluster: Cluster) -> None:
        self.fake = fake
        self.cluster = cluster
        self.adapting = Adapting(ADAPTER, cluster)

    async def types(self) -> dict[str, str]:
        """Return the type of each Application, by name."""
        found = await self.cluster.list(APPLICATION, namespace="shop")
        return {one["metadata"]["name"]: one["spec"].get("type", "") for one in found}

    async def events(self) -> list[str]:
        """Return what people were told, with the reason."""
        return [
            f"{event['reason']}: {event.get('message') or event.get('note')}"
            for event in await self.cluster.list(EVENT, namespace="shop")
        ]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeKubernetes() as fake, Cluster.connect(fake.access) as cluster:
        fake.serve(APPLICATION)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield World(fake, cluster)


async def test_an_application_is_made_changed_and_deleted_with_its_document(world: World) -> None:
    """It is marked as the adapter's."""
    await world.adapting.replace([thing("1", about="shop", type="web")])
    assert await world.types() == {"shop": "web"}
    made = await world.cluster.get(APPLICATION, "shop", "shop")
    assert made
    assert made["metadata"]["labels"] == {ADAPTER_LABEL: "thing"}
    await world.adapting.changed(thing("1", about="shop", type="cache"))
    assert await world.types() == {"shop": "cache"}
    await world.adapting.deleted(thing("1", about="shop", type="cache"))
    assert await world.types() == {}


async def test_a_document_about_another_application_moves_it(world: World) -> None:
    """The one that nothing is about any more goes."""
    await world.adapting.replace([thing("1", about="shop", type="web")])
    await world.adapting.changed(thing("1", about="other", type="web"))
    assert await world.types() == {"other": "web"}
    await world.adapting.changed(thing("1", type="web"))
    assert await world.types() == {}


async def test_of_several_documents_the_highest_counts(world: World) -> None:
    """When it goes, the one below takes its place and the Application stays the same object."""
    await world.adapting.replace([thing("1", about="shop", type="old", rank=1)])
    before = await world.cluster.get(APPLICATION, "shop", "shop")
    await world.adapting.changed(thing("2", about="shop", type="new", rank=2))
    assert await world.types() == {"shop": "new"}
    await world.adapting.deleted(thing("2", about="shop", type="new", rank=2))
    assert await world.types() == {"shop": "old"}
    after = await world.cluster.get(APPLICATION, "shop", "shop")
    assert before
    assert after
    assert before["metadata"]["uid"] == after["metadata"]["uid"]


async def test_the_highest_takes_back_what_others_asked_for(world: World) -> None:
    """As a release of Helm does that was uninstalled, while its history is kept."""
    old, new = (
        thing("1", about="shop", type="old", rank=1),
        thing("2", about="shop", rank=2, asks=False),
    )
    await world.adapting.replace([old])
    assert await world.types() == {"shop": "old"}
    await world.adapting.changed(new)
    assert await world.types() == {}
    await world.adapting.replace([old, new])
    await world.adapting.changed(old)
    assert await world.types() == {}
    assert await world.events() == []


async def test_of_two_equal_documents_the_same_one_counts_always_and_the_other_is_told(
    world: World,
) -> None:
    """Whichever is seen first: Applications of Argo CD in two namespaces may have one name."""
    first, second = (thing(uid, about="shop", type=uid) for uid in "12")
    await world.adapting.replace([second, first])
    await world.adapting.changed(second)
    await world.adapting.changed(first)
    assert await world.types() == {"shop": "1"}
    assert await world.events() == [
        "NotAdapted: Application shop/shop is made of shop/thing-1 already; rename one of them"
    ]


async def test_a_document_deleted_while_nobody_watched_takes_its_application_along(
    world: World,
) -> None:
    """A new watcher sees only what is there, and what an earlier one made."""
    await world.adapting.replace([thing("1", about="shop", type="web")])
    later = Adapting(ADAPTER, world.cluster)
    await later.replace([])
    assert await world.types() == {}


async def test_an_application_of_a_person_is_never_touched(world: World) -> None:
    """Neither overwritten nor deleted; the foreign document's owner is told."""
    own: Object = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"type": "own"},
    }
    await world.cluster.create(APPLICATION, own)
    document = thing("1", about="shop", type="web")
    await world.adapting.replace([document])
    await world.adapting.deleted(document)
    assert await world.types() == {"shop": "own"}
    (told,) = await world.events()
    assert told.startswith("NotAdapted: Application shop/shop was made by somebody else")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [({"wrong": "it means nothing"}, "it means nothing"), ({}, "did you mean type?")],
)
async def test_while_a_document_is_wrong_the_last_good_application_stays(
    world: World, spec: dict[str, str], expected: str
) -> None:
    """Whether the adapter or the language refuses it; said once however often it is seen."""
    await world.adapting.replace([thing("1", about="shop", type="web")])
    for _ in range(2):
        await world.adapting.changed(thing("1", about="shop", **spec))
    assert await world.types() == {"shop": "web"}
    (told,) = await world.events()
    assert told.startswith("NotAdapted: ")
    assert expected in told


async def test_what_is_left_out_is_told(world: World) -> None:
    """The Application is made all the same."""
    await world.adapting.replace([thing("1", about="shop", type="web", notes=["not the other"])])
    assert await world.types() == {"shop": "web"}
    assert await world.events() == ["AdaptedInPart: not the other"]
    made = await world.cluster.get(APPLICATION, "shop", "shop")
    assert made
    assert made["metadata"]["annotations"][ADAPTED_IN_PART] == "not the other"


async def test_nothing_is_written_when_nothing_changed(world: World) -> None:
    """Frameworks write the status of their documents all the time."""
    document = thing("1", about="shop", type="web")
    await world.adapting.replace([document])
    before = [method for method, _ in world.fake.requests if method == "PATCH"]
    await world.adapting.changed({**document, "status": {"seen": 1}})
    assert [method for method, _ in world.fake.requests if method == "PATCH"] == before
