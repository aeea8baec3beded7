"""Who hears what: listeners share what they may see only where they may see the same."""

import asyncio
from contextlib import aclosing

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.known.watched_views import WatchedViews
from appshield.gateway.api.live.listeners import Feed
from appshield.kubernetes import Actor
from appshield.language.kinds import GROUP
from appshield.rights.access import Access
from appshield.service import SystemClock
from memory_bus import MemoryBus
from rest_api import CLUSTER

DEADLINE_S = 30
APP = AppRef(cluster=CLUSTER, namespace="shop", name="web")
RECORD = ApplicationRecord(app_id="a-1", app=APP, uid="u", vault="primary", state="active")


class ByScope:
    """Allows everything to tokens of one scope, as clusters do whose tokens have scopes."""

    async def allows(
        self,
        caller: Actor,
        verb: str,
        resource: str,
        namespace: str,
        *,
        name: str = "",
        group: str = GROUP,
    ) -> bool:
        return caller.extra.get("scopes") == ("full",)


async def test_two_tokens_of_one_user_are_told_what_each_may_see() -> None:
    """The cluster decides by everything that it knows of somebody, and we by no less."""
    feed = Feed(WatchedViews(MemoryBus()), Access(ByScope()), SystemClock(), CLUSTER)
    narrow, full = (Caller(name="ann", extra={"scopes": (scope,)}) for scope in ("info", "full"))
    async with (
        asyncio.timeout(DEADLINE_S),
        aclosing(feed.listen(narrow, namespace="", last_event="")) as first,
        aclosing(feed.listen(full, namespace="", last_event="")) as second,
    ):
        for heard in (first, second):
            assert b"retry" in await anext(heard)
        telling = asyncio.create_task(feed.keep(asyncio.Event()))
        feed.application_changed(RECORD, gone=False)
        assert b"event: application" in await anext(second)
        telling.cancel()
