"""Backup and Restore objects are asked for once, and their statuses follow their runs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appshield.contracts import decode, streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run, RunState, Trigger
from appshield.doors.requesting import request_by, run_asked_by
from appshield.errors import UnavailableError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import BACKUP, RESTORE
from appshield.language.requesters import RUN_ANYWAY
from appshield.rights.access import Access
from appshield.watcher.wish_rights import WishRights
from appshield.watcher.wishing import KNOWN_WITHIN_S, Wishing, installed_at
from fake_kubernetes import FakeKubernetes
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from rest_api import KindsByTable, RightsByTable
from waiting import wait_until

APP = AppRef(cluster="test", namespace="shop", name="shop")


class Place:
    """A fake cluster, a bus, and as many watchers as a test makes."""

    def __init__(self, fake: FakeKubernetes, cluster: Cluster) -> None:
        self.fake = fake
        self.cluster = cluster
        self.bus = MemoryBus("watcher")
        self.clock = FixedClock(datetime.now(UTC))
        self.since = datetime.now(UTC) - timedelta(hours=1)

    def watcher(self, kind: str = "Backup") -> Wishing:
        return Wishing(
            kind=BACKUP if kind == "Backup" else RESTORE,
            bus=self.bus,
            cluster=self.cluster,
            cluster_name="test",
            since=self.since,
            clock=self.clock,
            rights=WishRights(self.bus, Access(RightsByTable({})), KindsByTable()),
        )

    async def know(self) -> None:
        record = ApplicationRecord(
            app_id="a-1", app=APP, uid="u", vault="primary", state="active", revision="r"
        )
        await self.bus.bucket(streams.APPLICATIONS, ApplicationRecord).put("a-1", record)

    def put(self, kind: str = "Backup", *, name: str = "w", **spec: Any) -> Object:
        self.fake.serve(BACKUP if kind == "Backup" else RESTORE)
        return self.fake.put(
            {
                "apiVersion": "appshield.io/v1alpha1",
                "kind": kind,
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {"application": "shop", **spec},
            }
        )

    def now(self, kind: str = "Backup") -> Object:
        found = self.fake.take(BACKUP if kind == "Backup" else RESTORE, "w", "shop")
        assert found is not None
        return found

    async def requests(self) -> list[RequestBackup | RequestRestore]:
        found = [decode(stored.body) async for stored in self.bus.read(streams.REQUESTS)]
        return [one for one in found if isinstance(one, RequestBackup | RequestRestore)]

    async def run(self, obj: Object, state: RunState, **changes: Any) -> None:
        made = Run(
            id=changes.pop("id", run_asked_by(obj)),
            kind="backup",
            app=APP,
            app_id="a-1",
            vault="primary",
            trigger=Trigger(kind="manual", identity="any"),
            state=state,
            epoch=1,
            requested_at=self.clock.at,
            **changes,
        )
        await self.bus.bucket(streams.RUNS, Run).put(made.id, made)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with FakeKubernetes() as fake:
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        async with fake.cluster() as cluster:
            yield Place(fake, cluster)


async def test_an_object_is_asked_for_once_however_often_it_is_seen(place: Place) -> None:
    """Listed again, changed, and seen by a watcher that knows nothing of the one before."""
    await place.know()
    obj = place.put()
    first = place.watcher()
    await first.replace([obj])
    await first.changed(place.now())
    await place.watcher().replace([obj])  # its status was not written yet when this was read
    requests = await place.requests()
    assert {request.request_id for request in requests} == {request_by(obj)}
    status = place.now()["status"]
    assert (status["phase"], status["run"]) == ("Pending", run_asked_by(obj))


async def test_the_status_follows_the_run_to_its_end(place: Place) -> None:
    """Also through the one that it was folded into; afterwards nothing more is written."""
    await place.know()
    obj = place.put()
    watcher, stopping = place.watcher(), asyncio.Event()
    await watcher.replace([obj])
    writing = asyncio.create_task(watcher.keep_written(stopping))

    async def phase(wanted: str) -> None:
        await wait_until(
            lambda: place.now()["status"]["phase"] == wanted, deadline_s=20, what=wanted
        )

    await place.run(obj, "running")
    await phase("Running")
    await place.run(obj, "folded", folded_into="b-other")
    await place.run(obj, "succeeded", id="b-other", version=7)
    await phase("Succeeded")
    stopping.set()
    await writing
    status = place.now()["status"]
    assert (status["run"], status["version"]) == ("b-other", 7)


async def test_a_status_that_could_not_be_written_is_written_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is out already, and stays one."""
    await place.know()
    obj = place.put()
    watcher, patch = place.watcher(), place.cluster.patch_status
    away = [UnavailableError("the API server is away")]

    async def flaky(*given: Any, **named: Any) -> None:
        if away:
            raise away.pop()
        await patch(*given, **named)

    monkeypatch.setattr(place.cluster, "patch_status", flaky)
    await watcher.replace([obj])
    assert "status" not in place.now()
    await place.run(obj, "running")
    await watcher.changed(place.now())
    assert place.now()["status"]["phase"] == "Running"
    assert len(await place.requests()) == 1


async def test_what_is_older_than_the_installation_is_asked_for_when_annotated(
    place: Place,
) -> None:
    """Left alone until then, with the reason in its status."""
    await place.know()
    place.since = datetime.now(UTC) + timedelta(hours=1)
    obj = place.put("Restore", version="1")
    watcher = place.watcher("Restore")
    await watcher.replace([obj])
    left = place.now("Restore")
    assert left["status"]["phase"] == "LeftAlone"
    assert "run-anyway=true" in left["status"]["message"]
    await watcher.changed(left)
    assert await place.requests() == []

    left["metadata"]["annotations"] = {RUN_ANYWAY: "true"}
    await watcher.changed(place.fake.put(left))
    assert len(await place.requests()) == 1
    assert place.now("Restore")["status"]["phase"] == "Pending"


async def test_a_young_backup_waits_a_moment_for_its_application(place: Place) -> None:
    """Both may be applied together."""
    obj = place.put()
    watcher = place.watcher()
    await watcher.replace([obj])
    assert await place.requests() == []
    assert "not known yet" in place.now()["status"]["message"]
    await place.know()
    await watcher.changed(place.now())
    assert len(await place.requests()) == 1


async def test_nobody_waits_for_long(place: Place) -> None:
    """A Backup whose application does not come is asked for all the same, to be refused."""
    obj = place.put()
    place.clock.at += timedelta(seconds=KNOWN_WITHIN_S + 5)
    await place.watcher().replace([obj])
    assert len(await place.requests()) == 1


async def test_a_restore_never_waits_for_its_application(place: Place) -> None:
    """It would be done when nobody thinks of it any more."""
    await place.watcher("Restore").replace([place.put("Restore", version="1")])
    assert len(await place.requests()) == 1


async def test_a_deleted_object_asks_for_nothing_more(place: Place) -> None:
    """Its run, if there is one, goes on."""
    obj = place.put()
    watcher = place.watcher()
    await watcher.replace([obj])
    await watcher.deleted(obj)
    await place.know()
    await watcher.replace([])
    assert await place.requests() == []


async def test_the_time_of_the_installation_is_remembered() -> None:
    """The first watcher says when it is; each cluster has its own."""
    bus, first = MemoryBus("watcher"), datetime(2026, 11, 1, tzinfo=UTC)
    later = first + timedelta(days=1)
    assert await installed_at(bus, "one", first) == first
    assert await installed_at(bus, "one", later) == first
    assert await installed_at(bus, "two", later) == later
    within = later + timedelta(seconds=0.9)
    assert await installed_at(bus, "three", within) == later  # objects have whole seconds, too
