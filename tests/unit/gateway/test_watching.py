"""What is kept in memory follows the buckets, and what is made of it with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import APPLICATIONS
from appshield.errors import UnavailableError
from appshield.gateway.api.known.watched_views import Revisions, WatchedViews
from memory_bus import MemoryBus
from rest_api import CLUSTER
from waiting import wait_until

DEADLINE_S = 10


async def put(bus: MemoryBus, name: str) -> None:
    """Write an application."""
    app = AppRef(cluster=CLUSTER, namespace="shop", name=name)
    record = ApplicationRecord(app_id=name, app=app, uid="u", vault="primary", state="active")
    await bus.bucket(APPLICATIONS, ApplicationRecord).put(name, record)


async def count(views: WatchedViews) -> int:
    """Say how many applications are known; -1 while not all of them are."""
    try:
        return len(await views.applications())
    except UnavailableError:
        return -1


@pytest.fixture
async def bus() -> MemoryBus:
    """One application, and the trace of another one."""
    bus = MemoryBus()
    await put(bus, "gone")
    await bus.bucket(APPLICATIONS, ApplicationRecord).delete("gone")
    await put(bus, "one")
    return bus


@pytest.fixture
async def views(bus: MemoryBus) -> AsyncIterator[WatchedViews]:
    """Follow the bus."""
    views, stopping = WatchedViews(bus), asyncio.Event()
    following = asyncio.create_task(views.keep(stopping))

    async def known() -> bool:
        return await count(views) == 1

    await wait_until(known, deadline_s=DEADLINE_S, what="everything known")
    yield views
    stopping.set()
    await following


async def test_what_is_made_is_remembered_until_something_changes(
    bus: MemoryBus, views: WatchedViews
) -> None:
    """Then it is made anew, of what is there by then."""
    assert views.remembered("count", lambda: 1) == 1
    assert views.remembered("count", lambda: 2) == 1
    await put(bus, "two")

    async def two() -> bool:
        return await count(views) == 2

    await wait_until(two, deadline_s=DEADLINE_S, what="the second one known")
    assert views.remembered("count", lambda: 2) == 2


async def test_nothing_is_said_before_everything_is_known() -> None:
    """A list that lacks something would be a lie."""
    assert await count(WatchedViews(MemoryBus())) == -1


async def test_who_was_there_before_something_went_unseen_is_told_that(
    views: WatchedViews,
) -> None:
    """Who knows of it already hears what came after it."""
    assert views.changed_since(Revisions()) is None
    now = views.revisions
    since_then = views.changed_since(now._replace(applications=now.applications - 1))
    assert since_then is not None
    assert [record.app_id for record in since_then.applications] == ["one"]
    assert views.changed_since(now._replace(runs=now.runs + 1)) is None
