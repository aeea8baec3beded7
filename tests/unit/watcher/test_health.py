"""How applications are is told on the bus and in the cluster, once, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from appshield.contracts import decode
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import HealthChanged, MemberRef, Members
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS, MEMBERS, STATE
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, DEPLOYMENT, EVENT, PROFILE
from appshield.service import SystemClock
from appshield.watcher import damping, health
from appshield.watcher.health import HealthWatch
from appshield.watcher.informers import Informers
from fake_kubernetes import FakeKubernetes
from memory_bus import MemoryBus
from waiting import wait_until

APP = AppRef(cluster="test", namespace="shop", name="shop")
WIDGET = Kind("acme.io", "v1", "Widget", "widgets")
DEADLINE_S = 20


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing have to last long: how long is proved where time can be played."""
    for name in ("SETTLE", "RECOVER", "OTHER_REASONS"):
        monkeypatch.setattr(damping, name, timedelta(milliseconds=50))
    monkeypatch.setattr(damping, "LONGEST", timedelta(milliseconds=100))


def deployment(ready: int = 1, **spec: Any) -> Object:
    counts = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    status = dict.fromkeys(counts, ready) | {"observedGeneration": 99}
    volumes = [{"name": "s", "configMap": {"name": "settings"}}]
    template = {"spec": {"containers": [{"name": "web"}], "volumes": volumes}}
    meta = {"name": "web", "namespace": "shop", "labels": {"app": "shop"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 1, "template": template, **spec},
        "status": status,
    }


def stuck() -> Object:
    broken = deployment(ready=0)
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    broken["status"]["conditions"] = [condition]
    return broken


def plain(kind: Kind, name: str, **more: Any) -> Object:
    meta = {"name": name, **({"namespace": "shop"} if kind.namespaced else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **more}


class Watched:
    """A cluster with an application, and the watch on its health."""

    def __init__(self, fake: FakeKubernetes, bus: MemoryBus) -> None:
        self.fake = fake
        self.bus = bus

    async def facts(self) -> list[HealthChanged]:
        """Return the latest fact, where there is one."""
        found = [decode(one.body) async for one in self.bus.read(STATE)]
        return [fact for fact in found if isinstance(fact, HealthChanged)]

    async def becomes(self, status: str, object_: str = "") -> HealthChanged:
        """Wait until the latest fact says so."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for fact in await self.facts():
                    named = [reason.object for reason in fact.health.reasons]
                    if fact.health.status == status and (not object_ or object_ in named):
                        return fact
                await asyncio.sleep(0.02)  # the bus in memory has nobody to tell

    async def belong(self, *objects: tuple[str, str, str]) -> None:
        """Let a snapshot have been taken of these."""
        refs = tuple(
            MemberRef(group=group, kind=kind, namespace="shop", name=name)
            for group, kind, name in objects
        )
        members = Members(app=APP, app_id="a-1", run="b-1", objects=refs)
        await self.bus.bucket(MEMBERS, Members).put("a-1", members)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[HealthWatch]:
        stopping = asyncio.Event()
        async with self.fake.cluster() as cluster:
            informers = Informers(cluster)
            watch = HealthWatch(
                bus=self.bus,
                records=self.bus.bucket(APPLICATIONS, ApplicationRecord),
                cluster=cluster,
                informers=informers,
                cluster_name="test",
                clock=SystemClock(),
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(informers.run(stopping))
                tasks.create_task(watch.keep_told(stopping))
                try:
                    yield watch
                finally:
                    stopping.set()


@pytest.fixture
async def shop() -> AsyncIterator[Watched]:
    async with FakeKubernetes() as fake:
        fake.serve(APPLICATION, PROFILE)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        spec = {"resources": {"selector": {"matchLabels": {"app": "shop"}}}}
        made = fake.put(plain(APPLICATION, "shop", spec=spec))
        bus = MemoryBus("watcher")
        record = ApplicationRecord(
            app_id="a-1",
            app=APP,
            uid=made["metadata"]["uid"],
            vault="primary",
            state="active",
        )
        await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)
        fake.put(deployment())
        fake.put(plain(CONFIG_MAP, "settings"))
        yield Watched(fake, bus)


async def test_a_change_is_a_fact_on_the_bus_and_an_event_on_the_application(
    shop: Watched,
) -> None:
    async with shop.running():
        await shop.becomes("Healthy")
        shop.fake.put(stuck())
        fact = await shop.becomes("Degraded", "Deployment web")
        assert (fact.app, fact.before, fact.change) == (APP, "Healthy", 2)
        await wait_until(
            lambda: [
                event
                for event in shop.fake.store.of(EVENT).values()
                if event["reason"] == "HealthDegraded"
            ],
            deadline_s=DEADLINE_S,
            what="an event",
        )
    (event,) = [
        one for one in shop.fake.store.of(EVENT).values() if one["reason"] == "HealthDegraded"
    ]
    assert event["type"] == "Warning"
    assert event["involvedObject"]["name"] == "shop"
    assert "Deployment web: ProgressDeadlineExceeded" in event["message"]


async def test_after_a_restart_only_what_changed_meanwhile_is_told(shop: Watched) -> None:
    async with shop.running():
        first = await shop.becomes("Healthy")
    async with shop.running():
        shop.fake.put(stuck())
        second = await shop.becomes("Degraded")
    assert (first.change, second.change) == (1, 2)
    shop.fake.put(deployment())
    async with shop.running():
        third = await shop.becomes("Healthy")
    assert (third.change, third.before) == (3, "Degraded")


async def test_an_object_of_the_last_snapshot_that_went_is_missing(shop: Watched) -> None:
    """Of a kind whose metadata is enough, too, as long as a workload refers to it."""
    await shop.belong(("apps", "Deployment", "web"), ("", "ConfigMap", "settings"))
    async with shop.running():
        await shop.becomes("Healthy")
        shop.fake.remove(CONFIG_MAP, "settings", "shop")
        fact = await shop.becomes("Missing", "ConfigMap settings")
        assert fact.health.deliberate == ""
        shop.fake.put(plain(CONFIG_MAP, "settings"))
        await shop.becomes("Healthy")


async def test_a_namespace_that_somebody_deletes_is_deliberate(shop: Watched) -> None:
    """Whichever of the watches is first to see what goes."""
    await shop.belong(("apps", "Deployment", "web"))
    async with shop.running():
        await shop.becomes("Healthy")
        shop.fake.terminate("shop")
        shop.fake.remove(DEPLOYMENT, "web", "shop")
        fact = await shop.becomes("Missing")
        assert fact.health.deliberate == "namespace shop is being deleted"


async def test_a_kind_whose_definition_goes_makes_nothing_missing(shop: Watched) -> None:
    shop.fake.serve(WIDGET)
    shop.fake.put(plain(WIDGET, "w"))
    await shop.belong(("acme.io", "Widget", "w"))
    async with shop.running():
        await shop.becomes("Healthy")
        shop.fake.store.kinds.remove(WIDGET)
        shop.fake.cut_watches()
        await shop.becomes("Unknown", "Widget")


async def test_a_kind_that_is_served_later_is_known_then(
    shop: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the definitions were installed anew."""
    monkeypatch.setattr(health, "ASK_AGAIN", timedelta(milliseconds=50))
    await shop.belong(("acme.io", "Widget", "w"))
    async with shop.running():
        await shop.becomes("Unknown", "Widget")
        shop.fake.serve(WIDGET)
        await shop.becomes("Missing", "Widget w")
        shop.fake.put(plain(WIDGET, "w"))
        await shop.becomes("Healthy")


async def test_a_profile_says_how_a_kind_is(shop: Watched) -> None:
    """Applied later, objects are looked at again; taken away, conventions count again."""
    shop.fake.serve(WIDGET)
    shop.fake.put(plain(WIDGET, "w", status={"phase": "Broken"}))
    await shop.belong(("acme.io", "Widget", "w"))
    rule = {"of": "widgets.acme.io", "degraded": "object.status.phase == 'Broken'", "why": "oh"}
    async with shop.running():
        await shop.becomes("Healthy")
        shop.fake.put(plain(PROFILE, "acme", spec={"type": "acme", "health": [rule]}))
        fact = await shop.becomes("Degraded", "Widget w")
        assert fact.health.reasons[0].why == "oh"
        shop.fake.remove(PROFILE, "acme")
        await shop.becomes("Healthy")
