"""Objects in, facts out: each change is told once, a deletion missed is told late.

What was told about an object is kept in a cursor. After a restart or a lost watch the whole list
is compared with the cursors: what is new, changed or gone meanwhile is told then. A status that
AppShield itself writes changes nothing that is told. Of what each object said last a digest is in
memory: where thousands get a status, or something changes around them, nobody is asked about each,
and a document that changes then does not wait for that.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias
from weakref import WeakValueDictionary

import msgspec
import structlog

from appshield.bus import Bucket, Bus
from appshield.contracts.applications import ApplicationObserved
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyObserved, policy_place
from appshield.contracts.streams import CURSORS
from appshield.kubernetes import Object
from appshield.language.profiles import Profiles, shipped_profiles
from appshield.service import together
from appshield.watcher.reading import Describe, observe, observe_policy

Fact: TypeAlias = ApplicationObserved | PolicyObserved
_AT_ONCE = 128
"""So many objects are told side by side, where something has changed around all of them."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A cursor: the last fact told about one object, and what it said.

    `again` counts the facts about this version of the object: what is around it may change too.
    """

    app: AppRef
    uid: str
    resource_version: str
    said: str
    again: int = 0


class Reading(Protocol):
    """What is told about the objects of one kind; `cursors` begins the keys of their cursors."""

    @property
    def cursors(self) -> str:
        """Where the cursors are; no two kinds' keys begin alike."""
        ...

    def seen(self, obj: Object) -> Fact:
        """Say what an object says."""
        ...

    def gone(self, told: Told) -> Fact:
        """Say that an object is gone."""
        ...

    def place(self, obj: Object) -> AppRef:
        """Say what an object is about."""
        ...


class Applications:
    """What is told about Application objects."""

    def __init__(
        self,
        cluster: str,
        describe: Describe,
        profiles: Callable[[], Profiles] = shipped_profiles,
    ) -> None:
        self._cluster = cluster
        self._describe = describe
        self._profiles = profiles
        self.cursors = f"{cluster.replace('.', '_')}."

    def seen(self, obj: Object) -> Fact:
        """See `Reading`."""
        return observe(obj, self._cluster, self._describe, self._profiles())

    def gone(self, told: Told) -> Fact:
        """See `Reading`."""
        return ApplicationObserved(
            app=told.app, uid=told.uid, resource_version=told.resource_version, exists=False
        )

    def place(self, obj: Object) -> AppRef:
        """See `Reading`."""
        meta = obj["metadata"]
        return AppRef(cluster=self._cluster, namespace=meta["namespace"], name=meta["name"])


class Policies:
    """What is told about Policy objects."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self.cursors = f"_policies.{cluster.replace('.', '_')}."

    def seen(self, obj: Object) -> Fact:
        """See `Reading`."""
        return observe_policy(obj, self._cluster)

    def gone(self, told: Told) -> Fact:
        """See `Reading`."""
        return PolicyObserved(
            app=told.app, uid=told.uid, resource_version=told.resource_version, exists=False
        )

    def place(self, obj: Object) -> AppRef:
        """See `Reading`."""
        return policy_place(self._cluster, obj["metadata"]["name"])


class Reporter(Protocol):
    """Tells people in the cluster that a document was refused."""

    async def refused(self, obj: Object, why: str) -> None:
        """Record it as an event about the object."""
        ...


class Telling:
    """The sink of the watch on the objects of one kind; different objects may come side by side."""

    def __init__(self, *, bus: Bus, reading: Reading, reporter: Reporter) -> None:
        self._bus = bus
        self._cursors: Bucket[Told] = bus.bucket(CURSORS, Told)
        self._reading = reading
        self._reporter = reporter
        self._objects: dict[str, Object] = {}
        self._said: dict[str, bytes] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._synced = False

    @property
    def synced(self) -> bool:
        """Whether a whole list has been taken in since the start."""
        return self._synced

    async def replace(self, objects: list[Object]) -> None:
        """Take in the whole list: tell what differs from what was told."""
        present = {obj["metadata"]["uid"] for obj in objects}
        known = [entry.value async for entry in self._cursors.items(self._reading.cursors)]
        self._said = {told.uid: _digest(told.said) for told in known}
        self._objects = {obj["metadata"]["uid"]: obj for obj in objects}
        await self._tell_each(self._objects)
        for told in known:
            if told.uid not in present:
                await self._tell_gone(told)
        self._synced = True

    async def changed(self, obj: Object) -> None:
        """Tell a new or changed object, unless what it says has been told."""
        uid = obj["metadata"]["uid"]
        self._objects[uid] = obj
        await self._tell_news(uid)

    def doubt(self) -> None:
        """Trust the cursors alone until they were read again: the bus may have lost something."""
        self._said.clear()

    async def look_again(self, namespace: str) -> None:
        """Tell what the objects of a namespace say now, or all: what is around them has changed."""
        around = [
            uid
            for uid, obj in self._objects.items()
            if namespace in ("", obj["metadata"].get("namespace"))
        ]
        await self._tell_each(around)

    async def deleted(self, obj: Object) -> None:
        """Tell that an object is gone."""
        meta = obj["metadata"]
        self._objects.pop(meta["uid"], None)
        async with self._turn(meta["uid"]):
            await self._tell_gone(
                Told(
                    app=self._reading.place(obj),
                    uid=meta["uid"],
                    resource_version=meta["resourceVersion"],
                    said="",
                )
            )

    def _turn(self, uid: str) -> asyncio.Lock:
        return self._turns.setdefault(uid, asyncio.Lock())

    async def _tell_each(self, uids: Iterable[str]) -> None:
        """Tell what is news of many objects, some side by side; between them others have a turn."""
        uids = list(uids)
        for first in range(0, len(uids), _AT_ONCE):
            await together(map(self._tell_news, uids[first : first + _AT_ONCE]), at_once=_AT_ONCE)

    async def _tell_news(self, uid: str) -> None:
        """Tell what an object says now, unless that is what it said last."""
        async with self._turn(uid):
            obj = self._objects.get(uid)
            if obj is None:
                return
            fact = self._reading.seen(obj)
            said = _said(fact)
            if self._said.get(uid) != _digest(said):
                await self._tell(obj, fact, said)

    async def _tell(self, obj: Object, fact: Fact, said: str) -> None:
        key = f"{self._reading.cursors}{fact.uid}"
        cursor = await self._cursors.get(key)
        if cursor is not None and cursor.value.said == said:
            self._said[fact.uid] = _digest(said)
            return
        told = Told(app=fact.app, uid=fact.uid, resource_version=fact.resource_version, said=said)
        if isinstance(fact, ApplicationObserved) and cursor is not None:
            told = msgspec.structs.replace(told, again=_again(cursor.value, fact))
            fact = msgspec.structs.replace(fact, again=told.again)
        await self._bus.publish(fact)
        await self._cursors.put(key, told)
        self._said[fact.uid] = _digest(said)
        structlog.get_logger().info("told", fact=fact.noun, of=str(fact.app), refused=fact.refused)
        if fact.refused and not told.again:  # what changes around it is no news about the document
            await self._reporter.refused(obj, fact.refused)

    async def _tell_gone(self, told: Told) -> None:
        fact = self._reading.gone(told)
        await self._bus.publish(fact)
        await self._cursors.delete(f"{self._reading.cursors}{told.uid}")
        self._said.pop(told.uid, None)
        structlog.get_logger().info("gone", fact=fact.noun, of=str(fact.app))


def _again(before: Told, fact: ApplicationObserved) -> int:
    return before.again + 1 if before.resource_version == fact.resource_version else 0


def _said(fact: Fact) -> str:
    """Write down what a fact says, without the version of the object that said it."""
    return msgspec.json.encode(msgspec.structs.replace(fact, resource_version="")).decode()


def _digest(said: str) -> bytes:
    return hashlib.blake2b(said.encode(), digest_size=16).digest()
