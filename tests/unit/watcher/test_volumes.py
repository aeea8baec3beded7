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
from appshield.watcher.volumes import KINDS, Volumes
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
