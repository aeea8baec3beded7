"""How applications are: watched, folded, damped, told.

    objects ─► sightings ─► fold ─► damp ─► fact on the bus, event on the Application

Only applications that the registry knows are told of, and only once all kinds are read that one of
them needs. What was told is in a cursor: after a restart nothing is told twice. Before something is
said to be missing, the API server is asked whether somebody is deleting the whole of it.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
import structlog

from appshield.bus import Bus, Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Health, HealthChanged, Members
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import CURSORS, MEMBERS
from appshield.errors import AppShieldError
from appshield.kubernetes import Cluster, Kind, ObjectRef
from appshield.kubernetes.kinds import APPLICATION, NAMESPACE
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.objects import Reference
from appshield.service import Clock
from appshield.watcher.damping import Damped, damp
from appshield.watcher.documents import DocumentsInForce, is_going
from appshield.watcher.folding import described, fold
from appshield.watcher.health_rules import HealthRules
from appshield.watcher.informers import Informers
from appshield.watcher.sightings import ALWAYS, Sightings

LOOK = timedelta(seconds=1)
ASK_AGAIN = timedelta(seconds=30)
"""How often it is asked whether a kind is served that was not."""
UNREAD_MAX = timedelta(seconds=60)
"""A kind that cannot be read for so long holds up nobody any more: nothing is known of it."""


class _Watched(msgspec.Struct):
    """An application that is watched."""

    app: AppRef
    app_id: str
    uid: str
    damped: Damped
    look_at: datetime | None = None


class HealthWatch:
    """Tells how the applications of one cluster are."""

    def __init__(
        self,
        *,
        bus: Bus,
        records: Watchable[ApplicationRecord],
        cluster: Cluster,
        informers: Informers,
        cluster_name: str,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._records = records
        self._cluster = cluster
        self._informers = informers
        self._cluster_name = cluster_name
        self._clock = clock
        self._cursors = bus.bucket(CURSORS, Damped)
        self._rules = HealthRules(informers, self._followed_kinds)
        self.sightings = Sightings(self._changed, self._rules.of)
        self._in_force = DocumentsInForce(self._touch)
        self._watched: dict[str, _Watched] = {}
        self._belonged: dict[str, tuple[Reference, ...]] = {}
        self._wanted_at: dict[Kind, datetime] = {}
        self._asked_at = clock.now()
        self._dirty: set[str] = set()
        self._news = asyncio.Event()

    async def keep_told(self, stopping: asyncio.Event) -> None:
        """Tell every change until told to stop."""
        self._informers.follow(APPLICATION, self._in_force)
        self._rules.follow()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_registry(stopping))
            tasks.create_task(self._watch_members(stopping))
            tasks.create_task(self._tell_all(stopping))

    async def _watch_registry(self, stopping: asyncio.Event) -> None:
        async for change in self._records.watch(stopping=stopping):
            record = change.value
            if record is None or record.app.cluster != self._cluster_name:
                continue
            if record.state == "active":
                await self._begin(record)
            elif record.uid in self._watched:
                del self._watched[record.uid]
                await self._cursors.delete(_cursor(record.app_id))

    async def _begin(self, record: ApplicationRecord) -> None:
        watched = self._watched.get(record.uid)
        if watched is not None and watched.app_id == record.app_id:
            return
        cursor = await self._cursors.get(_cursor(record.app_id))
        damped = cursor.value if cursor else Damped()
        self._watched[record.uid] = _Watched(record.app, record.app_id, record.uid, damped)
        self._touch([record.uid])

    async def _watch_members(self, stopping: asyncio.Event) -> None:
        async for change in self._bus.bucket(MEMBERS, Members).watch(stopping=stopping):
            if change.value is None:
                self._belonged.pop(change.key, None)
                continue
            self._belonged[change.key] = tuple(
                Reference(one.group, one.kind, one.namespace, one.name)
                for one in change.value.objects
            )
            app_id = change.value.app_id
            self._touch(uid for uid, one in self._watched.items() if one.app_id == app_id)

    def _changed(self, namespace: str) -> None:
        self._touch(
            uid
            for uid, watched in self._watched.items()
            if namespace in ("", watched.app.namespace)
        )

    def _touch(self, uids: Iterable[str]) -> None:
        self._dirty.update(uids)
        self._news.set()

    def _followed_kinds(self) -> list[Kind]:
        return list(self._wanted_at)

    async def _tell_all(self, stopping: asyncio.Event) -> None:
        """Look at what has changed, and at what has lasted long enough."""
        stopped = asyncio.create_task(stopping.wait())
        stopped.add_done_callback(lambda _: self._news.set())
        while not stopping.is_set():
            self._news.clear()
            now = self._clock.now()
            due = {uid for uid, one in self._watched.items() if one.look_at and one.look_at <= now}
            todo, self._dirty = self._dirty | due, set()
            for uid in todo:
                await self._look_safely(uid)
                await asyncio.sleep(0)  # others have their turn between many applications
            await self._wait()

    async def _wait(self) -> None:
        """Wait for the next thing to look at; what comes meanwhile is looked at together."""
        await asyncio.sleep(0.2)  # a rollout changes many objects at once: they are looked at once
        now = self._clock.now()
        times = [one.look_at for one in self._watched.values() if one.look_at is not None]
        seconds = max(0.0, (min(times) - now).total_seconds()) if times else None
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _look_safely(self, uid: str) -> None:
        watched, application = self._watched.get(uid), self._in_force.documents.get(uid)
        if watched is None or application is None:
            return
        try:
            await self._look(watched, application)
        except AppShieldError as error:
            structlog.get_logger().warning("health not told", problem=str(error))
            watched.look_at = self._clock.now() + LOOK

    async def _look(self, watched: _Watched, application: ResolvedApplication) -> None:
        now = self._clock.now()
        belonged = self._belonged.get(watched.app_id, ())
        unread = await self._unread(belonged, now)
        if unread is None:
            watched.look_at = now + LOOK
            return
        folded = fold(application, belonged, self.sightings.of(watched.app.namespace, unread))
        deliberate = self._deliberate(watched.app.namespace)
        decision = damp(watched.damped, folded, deliberate, now)
        told = decision.damped.told
        if decision.tell and told is not None:
            if told.status == "Missing" and not deliberate and await self._is_going(watched):
                watched.look_at = now + LOOK  # the watches will say so, too
                return
            await self._tell(watched, told, decision.damped)
        else:
            watched.damped = decision.damped
        watched.look_at = decision.look_at or (now + ASK_AGAIN if unread else None)

    async def _unread(
        self, belonged: tuple[Reference, ...], now: datetime
    ) -> frozenset[tuple[str, str]] | None:
        """Ask for all kinds that are needed; name those that cannot be read, None while waiting."""
        wanted, unserved = await self._kinds(belonged)
        if unserved and now - self._asked_at > ASK_AGAIN:
            self._asked_at = now
            self._cluster.refresh()  # a definition may be newer than the last look
            wanted, unserved = await self._kinds(belonged)
        unread = set(unserved)
        for kind in wanted:
            since = self._wanted_at.setdefault(kind, now)
            self._informers.follow(kind, self.sightings.looking(kind))
            if not self._informers.synced(kind) and not self.sightings.is_unknown(kind):
                if now - since < UNREAD_MAX:
                    return None
                unread.add((kind.group, kind.kind))
        return frozenset(unread)

    async def _kinds(
        self, belonged: tuple[Reference, ...]
    ) -> tuple[list[Kind], list[tuple[str, str]]]:
        wanted = dict.fromkeys(ALWAYS)
        unserved: list[tuple[str, str]] = []
        by_name = {(kind.group, kind.kind): kind for kind in await self._cluster.kinds()}
        for name in {(one.group, one.kind) for one in belonged}:
            if name in by_name:
                wanted[by_name[name]] = None
            else:
                unserved.append(name)
        return list(wanted), unserved

    def _deliberate(self, namespace: str) -> str:
        seen = self.sightings.namespace(namespace)
        if seen is None:
            return f"namespace {namespace} is not there"
        return f"namespace {namespace} is being deleted" if seen.going else ""

    async def _is_going(self, watched: _Watched) -> bool:
        """Ask the API server whether somebody deletes the application, or all around it."""
        name, namespace = watched.app.name, watched.app.namespace
        around = await self._cluster.get(NAMESPACE, namespace)
        obj = await self._cluster.get(APPLICATION, name, namespace)
        return any(one is None or is_going(one) for one in (around, obj))

    async def _tell(self, watched: _Watched, told: Health, damped: Damped) -> None:
        before = watched.damped.told
        fact = HealthChanged(
            app=watched.app,
            uid=watched.uid,
            change=damped.change,
            health=told,
            before=before.status if before else "Unknown",
        )
        await self._bus.publish(fact)
        await self._cursors.put(_cursor(watched.app_id), damped)
        watched.damped = damped
        structlog.get_logger().info("health told", app=str(watched.app), status=told.status)
        if before is None or before.status != told.status:
            await self._record(watched, told)

    async def _record(self, watched: _Watched, told: Health) -> None:
        about = ObjectRef(
            api_version=APPLICATION.api_version,
            kind=APPLICATION.kind,
            name=watched.app.name,
            namespace=watched.app.namespace,
            uid=watched.uid,
        )
        warning = told.status in ("Degraded", "Missing")
        await self._cluster.record_event(
            about, reason=f"Health{told.status}", message=described(told), warning=warning
        )


def _cursor(app_id: str) -> str:
    return f"_health.{app_id}"
