"""Application objects in, facts out: each change is told once, a deletion missed is told late.

What was told about an object is kept in a cursor. After a restart or a lost watch the whole list
is compared with the cursors: what is new, changed or gone meanwhile is told then. A status that
AppShield itself writes changes nothing that is told.
"""

from typing import Protocol

import msgspec
import structlog

from appshield.bus import Bucket, Bus
from appshield.contracts.applications import ApplicationObserved
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import CURSORS
from appshield.kubernetes import Object
from appshield.watcher.reading import observe


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A cursor: the last fact told about one object, and what it said."""

    app: AppRef
    uid: str
    resource_version: str
    said: str


class Reporter(Protocol):
    """Tells people in the cluster that a document was refused."""

    async def refused(self, obj: Object, why: str) -> None:
        """Record it as an event about the object."""
        ...


class Telling:
    """The sink of the watch on Application objects."""

    def __init__(self, *, bus: Bus, cluster: str, reporter: Reporter) -> None:
        self._bus = bus
        self._cursors: Bucket[Told] = bus.bucket(CURSORS, Told)
        self._cluster = cluster
        self._reporter = reporter
        self._synced = False

    @property
    def synced(self) -> bool:
        """Whether a whole list has been taken in since the start."""
        return self._synced

    async def replace(self, objects: list[Object]) -> None:
        """Take in the whole list: tell what differs from what was told."""
        for obj in objects:
            await self.changed(obj)
        present = {obj["metadata"]["uid"] for obj in objects}
        async for entry in self._cursors.items(f"{_cluster_token(self._cluster)}."):
            if entry.value.uid not in present:
                await self._tell_gone(entry.value)
        self._synced = True

    async def changed(self, obj: Object) -> None:
        """Tell a new or changed object, unless what it says has been told."""
        fact = observe(obj, self._cluster)
        said = _said(fact)
        key = _key(fact.app.cluster, fact.uid)
        cursor = await self._cursors.get(key)
        if cursor is not None and cursor.value.said == said:
            return
        await self._bus.publish(fact)
        told = Told(app=fact.app, uid=fact.uid, resource_version=fact.resource_version, said=said)
        await self._cursors.put(key, told)
        structlog.get_logger().info("application told", app=str(fact.app), refused=fact.refused)
        if fact.refused:
            await self._reporter.refused(obj, fact.refused)

    async def deleted(self, obj: Object) -> None:
        """Tell that an object is gone."""
        meta = obj["metadata"]
        app = AppRef(cluster=self._cluster, namespace=meta["namespace"], name=meta["name"])
        await self._tell_gone(
            Told(app=app, uid=meta["uid"], resource_version=meta["resourceVersion"], said="")
        )

    async def _tell_gone(self, told: Told) -> None:
        await self._bus.publish(
            ApplicationObserved(
                app=told.app,
                uid=told.uid,
                resource_version=told.resource_version,
                exists=False,
            )
        )
        await self._cursors.delete(_key(told.app.cluster, told.uid))
        structlog.get_logger().info("application gone", app=str(told.app))


def _said(fact: ApplicationObserved) -> str:
    """Write down what a fact says, without the version of the object that said it."""
    return msgspec.json.encode(msgspec.structs.replace(fact, resource_version="")).decode()


def _key(cluster: str, uid: str) -> str:
    return f"{_cluster_token(cluster)}.{uid}"


def _cluster_token(cluster: str) -> str:
    return cluster.replace(".", "_")
