"""Policies see the volumes that a backup takes in, and hear of it when others belong to it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import DEPLOYMENT, POD, PVC, REPLICA_SET, STATEFUL_SET
from appshield.language.kinds import Application
from appshield.language.object_reading import read_object
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve
from appshield.manifests.membership import select
from appshield.watcher.informers import Informers
from appshield.watcher.volumes import KINDS, Volumes
from fake_kubernetes import FakeKubernetes
from waiting import wait_until

SELECTING = {"selector": {"matchLabels": {"app": "shop"}}}


def application(name: str = "shop", **spec: Any) -> ResolvedApplication:
    body = {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": "web", **spec},
    }
    read = read_object(body)
    assert isinstance(read, Application)
    return resolve(read)


def made(kind: Kind, name: str, spec: Object | None = None, **meta: Any) -> Object:
    version = f"{kind.group}/{kind.version}".removeprefix("/")
    return {
        "apiVersion": version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": "shop", **meta},
        "spec": spec or {},
    }


def owned(kind: Kind, name: str) -> Object:
    version = f"{kind.group}/{kind.version}".removeprefix("/")
    owner = {"apiVersion": version, "kind": kind.kind, "name": name, "uid": "u", "controller": True}
    return {"ownerReferences": [owner]}


def mounting(*claims: str) -> Object:
    return {
        "volumes": [
            {"name": "code", "configMap": {"name": "code"}},
            *({"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims),
        ],
        "containers": [{"name": "main", "image": "x"}],
    }


SHOP = {"labels": {"app": "shop"}}
OBJECTS = [
    made(PVC, "mine", **SHOP),
    made(PVC, "named"),
    made(PVC, "of-pod"),
    made(PVC, "data-db-0"),
    made(PVC, "data-db-x"),
    made(PVC, "neighbour", labels={"app": "other"}),
    made(PVC, "cache", labels={"app": "shop", "appshield.io/exclude": "true"}),
    made(DEPLOYMENT, "web", {"template": {"spec": mounting("named")}}, **SHOP),
    made(DEPLOYMENT, "made", {"template": {"spec": mounting("of-pod")}}),
    made(REPLICA_SET, "made-1", **owned(DEPLOYMENT, "made")),
    made(POD, "made-1-a", mounting(), **SHOP, **owned(REPLICA_SET, "made-1")),
    made(STATEFUL_SET, "db", {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}),
]
"""What leads to claims by labels, by name, by the owners of a pod, and by a set's templates."""


class Place:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.volumes = Volumes(self._changed)

    async def _changed(self, namespace: str) -> None:
        self.told.append(namespace)

    async def put(self, *objects: Object) -> None:
        for kind in KINDS:
            mine = [obj for obj in objects if obj["kind"] == kind.kind]
            await self.volumes.replace(kind, [self.volumes.keep(kind, obj) for obj in mine])

    def claims(self, app: ResolvedApplication) -> list[str]:
        return [volume.claim for volume in self.volumes.of(app)]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    found, stopping = Place(), asyncio.Event()
    telling = asyncio.create_task(found.volumes.keep_told(stopping))
    yield found
    stopping.set()
    await telling


DATABASE = [{"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["data-db-0", "data-db-x", "mine", "named", "neighbour", "of-pod"]),
        ({"resources": SELECTING}, ["mine", "named", "of-pod"]),
        (
            {"resources": SELECTING, "components": DATABASE},
            ["data-db-0", "mine", "named", "of-pod"],
        ),
        ({"resources": {**SELECTING, "follow": False}}, ["mine"]),
        ({"resources": {**SELECTING, "exclude": ["persistentvolumeclaims"]}}, []),
        ({"resources": {"objects": [{"kind": "StatefulSet", "group": "apps", "name": "db"}]}},
         ["data-db-0"]),
    ],
    ids=["all", "selector", "component", "not followed", "excluded", "named"],
)  # fmt: skip
async def test_policies_see_the_volumes_that_a_backup_takes_in(
    place: Place, spec: dict[str, Any], expected: list[str]
) -> None:
    """As membership decides it on whole objects; a neighbour's and an excluded one are none."""
    await place.put(*OBJECTS)
    app = application(**spec)
    assert place.claims(app) == expected
    members = select(app, OBJECTS).objects
    claims = [obj["metadata"]["name"] for obj in members if obj["kind"] == PVC.kind]
    assert sorted(claims) == expected


async def test_a_change_that_leads_to_another_volume_is_told(place: Place) -> None:
    """A workload that mounts one more claim; what changes nothing is not told."""
    await place.put(*OBJECTS)
    app = application(resources=SELECTING)
    assert place.claims(app) == ["mine", "named", "of-pod"]
    another = made(
        DEPLOYMENT, "web", {"template": {"spec": mounting("named", "data-db-0")}}, **SHOP
    )
    await place.volumes.changed(DEPLOYMENT, place.volumes.keep(DEPLOYMENT, another))
    await wait_until(lambda: place.told == ["shop"], deadline_s=20, what="the change is told")
    assert place.claims(app) == ["data-db-0", "mine", "named", "of-pod"]
    more = {**another, "status": {"replicas": 3}}
    await place.volumes.changed(DEPLOYMENT, place.volumes.keep(DEPLOYMENT, more))
    unrelated = made(PVC, "unrelated", labels={"app": "other"})
    await place.volumes.changed(PVC, place.volumes.keep(PVC, unrelated))
    await place.volumes.deleted(PVC, place.volumes.keep(PVC, OBJECTS[0]))
    await wait_until(lambda: len(place.told) == 2, deadline_s=20, what="the deletion is told")
    assert place.claims(app) == ["data-db-0", "named", "of-pod"]


async def test_it_is_known_when_every_kind_was_listed(place: Place) -> None:
    """Before that nothing is told of any application, and nothing half."""
    for kind in KINDS[1:]:
        await place.volumes.replace(kind, [])
    assert not place.volumes.listed.is_set()
    await place.volumes.replace(KINDS[0], [])
    assert place.volumes.listed.is_set()


async def test_a_kind_that_is_gone_leads_to_nothing(place: Place) -> None:
    """And a namespace that is empty is forgotten."""
    await place.put(*OBJECTS)
    app = application()
    assert place.claims(app)
    await place.volumes.unknown(PVC)
    assert place.claims(app) == []


DATABASE_KIND = Kind("acme.io", "v1", "Database", "databases")
STACK_KIND = Kind("acme.io", "v1", "Stack", "stacks")
OPERATED = [
    made(STACK_KIND, "all", **SHOP),
    made(DATABASE_KIND, "main", {"existingClaim": "archive"}, **owned(STACK_KIND, "all")),
    made(DATABASE_KIND, "other"),
    made(PVC, "archive"),
    made(PVC, "main-1", **owned(DATABASE_KIND, "main")),
    made(PVC, "data-main-0"),
    made(PVC, "other-1", **owned(DATABASE_KIND, "other")),
    made(
        STATEFUL_SET,
        "main",
        {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
        **owned(DATABASE_KIND, "main"),
    ),
]
"""What operators made: claims of custom resources, of their sets, and one that a field names."""


async def test_claims_that_an_operator_makes_belong_to_whom_its_custom_resource_belongs() -> None:
    """Only custom resources carry the labels; their kinds are followed since things were made."""
    app, told, stopping = application(resources=SELECTING), list[str](), asyncio.Event()

    async def changed(namespace: str) -> None:
        told.append(namespace)

    async with FakeKubernetes() as fake:
        fake.serve(DATABASE_KIND, STACK_KIND)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for obj in OPERATED:
            fake.put(obj)
        async with fake.cluster() as cluster, asyncio.TaskGroup() as tasks:
            informers, volumes = Informers(cluster), Volumes(changed)
            volumes.follow(informers, cluster.kinds)
            tasks.create_task(informers.run(stopping))
            tasks.create_task(volumes.keep_told(stopping))
            try:
                async with asyncio.timeout(30):
                    await volumes.listed.wait()
                assert [one.claim for one in volumes.of(app)] == [
                    "archive",
                    "data-main-0",
                    "main-1",
                ]
                fake.put(made(PVC, "main-2", **owned(DATABASE_KIND, "main")))
                await wait_until(lambda: told[-1:] == ["shop"], deadline_s=30, what="the new claim")
                assert "main-2" in [one.claim for one in volumes.of(app)]
            finally:
                stopping.set()
    members = select(app, OPERATED).objects
    claims = [obj["metadata"]["name"] for obj in members if obj["kind"] == PVC.kind]
    assert sorted(claims) == ["archive", "data-main-0", "main-1"]


async def test_a_custom_kind_that_is_not_served_holds_up_nobody(place: Place) -> None:
    """Its objects cannot be read by anybody."""
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        place.volumes.follow(Informers(cluster), _nothing)
    await place.put(made(PVC, "main-1", **owned(DATABASE_KIND, "main")))
    async with asyncio.timeout(30):
        await place.volumes.listed.wait()


async def _nothing() -> tuple[Kind, ...]:
    return ()
