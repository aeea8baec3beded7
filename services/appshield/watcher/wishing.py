"""Let `Backup` and `Restore` objects be done, and write into their statuses what becomes of them.

A request is published before the status says so, and again after a crash between the two: it is
the same request. What the status says is read from the run, whoever has written it last.
"""

import asyncio
from datetime import datetime
from typing import Any

import msgspec
import structlog

from appshield.bus import Bus, KeyExistsError
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS, CURSORS, RUNS
from appshield.doors.requesting import run_asked_by
from appshield.errors import AppShieldError, UnavailableError
from appshield.kubernetes import Cluster, Kind, Object
from appshield.language.problems import DocumentError
from appshield.service import Clock, pause
from appshield.watcher import wishes
from appshield.watcher.wish_rights import WishRights

_LOOK_EVERY_S = 2.0
KNOWN_WITHIN_S = 60.0
"""A Backup may come together with its Application, which takes a moment to be known."""


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Since when AppShield watches this cluster."""

    at: datetime


async def installed_at(
    bus: Bus, cluster: str, now: datetime, *, what: str = "installed"
) -> datetime:
    """Say since when AppShield watches a cluster, or does `what` there; remembered the first time.

    A bus that lost its memory counts as a new installation: old wishes are not done again then.
    """
    bucket, key = bus.bucket(CURSORS, Installed), f"_{what}.{cluster.replace('.', '_')}"
    whole = now.replace(microsecond=0)  # as the API server dates objects
    try:
        await bucket.create(key, Installed(at=whole))
    except KeyExistsError:
        entry = await bucket.get(key)
        return entry.value.at if entry else whole
    return whole


class Wishing:
    """The sink of the watch on objects of one of the two kinds."""

    def __init__(
        self,
        *,
        kind: Kind,
        bus: Bus,
        cluster: Cluster,
        cluster_name: str,
        since: datetime,
        clock: Clock,
        rights: WishRights,
    ) -> None:
        self._kind = kind
        self._bus = bus
        self._runs = bus.bucket(RUNS, Run)
        self._applications = bus.bucket(APPLICATIONS, ApplicationRecord)
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._since = since
        self._clock = clock
        self._rights = rights
        self._open: dict[str, Object] = {}
        """Objects of which something is still to become, by uid."""
        self._asked: set[str] = set()
        """The uids of those that were asked for by this process."""
        self._turn = asyncio.Lock()

    async def replace(self, objects: list[Object]) -> None:
        """Take in the whole list."""
        present = {obj["metadata"]["uid"] for obj in objects}
        for uid in self._open.keys() - present:
            self._forget(uid)
        for obj in objects:
            await self.changed(obj)

    async def changed(self, obj: Object) -> None:
        """Take in a new or changed object."""
        async with self._turn:
            phase = (obj.get("status") or {}).get("phase")
            why = wishes.why_left_alone(obj, self._since)
            if phase in wishes.ENDED and (phase != "LeftAlone" or why):
                self._forget(obj["metadata"]["uid"])
                return
            self._open[obj["metadata"]["uid"]] = obj
            await self._look(obj)

    async def deleted(self, obj: Object) -> None:
        """Take in that an object is gone: its run goes on, and its version stays."""
        async with self._turn:
            self._forget(obj["metadata"]["uid"])

    async def keep_written(self, stopping: asyncio.Event) -> None:
        """See to the objects of which something is still to become, until told to stop.

        Each of their runs is read: there are few, and far more runs that no object asked for.
        """
        while not stopping.is_set():
            async with self._turn:
                for obj in list(self._open.values()):
                    await self._look(obj)
            await pause(stopping, _LOOK_EVERY_S)

    async def _look(self, obj: Object) -> None:
        """Find the run of an object, or ask for it."""
        uid, now = obj["metadata"]["uid"], self._clock.now()
        if (run := await self._runs.get(run_asked_by(obj))) is not None:
            await self._tell(obj, run.value)
            return
        if uid in self._asked:
            return  # no planner has taken it up yet
        if why := wishes.why_left_alone(obj, self._since):
            await self._write(obj, wishes.left_alone(obj, why, now))
            return
        try:
            request = wishes.request_of(obj, self._cluster_name)
            if isinstance(request, RequestRestore):
                request = await self._rights.checked(request, wishes.requester(obj))
        except DocumentError as error:
            await self._write(obj, wishes.refused(obj, str(error), now))
            return
        except UnavailableError as error:
            await self._write(obj, wishes.waiting(obj, run_asked_by(obj), str(error), now))
            return
        if await self._has_to_wait(obj, request):
            why = f"application {request.app} is not known yet"
            await self._write(obj, wishes.waiting(obj, run_asked_by(obj), why, now))
            return
        await self._bus.publish(request)
        self._asked.add(uid)
        structlog.get_logger().info("asked", by=request.actor, run=run_asked_by(obj))
        why = "asked for; no planner has taken it up yet"
        await self._write(obj, wishes.waiting(obj, run_asked_by(obj), why, now))

    async def _has_to_wait(self, obj: Object, request: RequestBackup | RequestRestore) -> bool:
        """Say whether the application of a young Backup may become known in a moment.

        A Restore never waits: one that waited would be done long after anybody thinks of it.
        """
        made_at = datetime.fromisoformat(obj["metadata"]["creationTimestamp"])
        age_s = (self._clock.now() - made_at).total_seconds()
        if isinstance(request, RequestRestore) or age_s > KNOWN_WITHIN_S:
            return False
        return not await self._is_known(request.app)

    async def _is_known(self, app: AppRef) -> bool:
        async for entry in self._applications.items():
            if entry.value.app == app and entry.value.state == "active":
                return True
        return False

    async def _tell(self, obj: Object, run: Run) -> None:
        """Write how an object's run is; follow it to the one that it was folded into."""
        while run.state == "folded":
            other = await self._runs.get(run.folded_into)
            if other is None:
                break
            run = other.value
        await self._write(obj, wishes.status_of(run, obj, self._clock.now()))

    async def _write(self, obj: Object, status: dict[str, Any]) -> None:
        """Write a status, where it says something new; a cluster that is away is asked again."""
        meta = obj["metadata"]
        uid, before = meta["uid"], obj.get("status") or {}
        after = {name: value for name, value in (before | status).items() if value is not None}
        if after != before:
            try:
                await self._cluster.patch_status(
                    self._kind, meta["name"], status, namespace=meta["namespace"]
                )
            except AppShieldError as error:
                structlog.get_logger().warning("status not written", problem=str(error))
                return  # it is looked at again in a moment
        self._open[uid] = {**obj, "status": after}
        if status["phase"] in wishes.ENDED:
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        self._open.pop(uid, None)
        self._asked.discard(uid)
