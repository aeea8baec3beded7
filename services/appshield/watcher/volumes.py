"""The volumes of applications, as policies may ask about them, kept up as the cluster changes.

Of the objects that lead to claims little is kept (see `manifests.claims`), written down as JSON.
The custom resources for which such objects were made are among them: their kinds are followed as
soon as something names them as its owner.

What a change in a namespace comes to is worked out soon after, once for many of them, and told on
only where the volumes of an application are others now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec
import structlog

from appshield.contracts.applications import DescribedVolume
from appshield.errors import AppShieldError
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    PVC,
    REPLICA_SET,
    STATEFUL_SET,
)
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.claims import leading_part, makers, volumes_of
from appshield.manifests.objects import Reference, reference_of
from appshield.service import pause
from appshield.watcher.informers import Informers

Changed = Callable[[str], Awaitable[None]]
"""Told the name of a namespace in which something has changed; empty: in all of them."""
KINDS = (PVC, POD, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET, CRON_JOB, JOB)
Served = Callable[[], Awaitable[Iterable[Kind]]]
"""Asks which kinds the API server serves at this moment."""
_TOGETHER_S = 0.1
"""Changes of one rollout come one after the other."""
_UNREAD_MAX_S = 60.0
"""A custom kind that cannot be read for so long holds up nobody any more."""


class Kept(msgspec.Struct, frozen=True):
    """What is kept of an object."""

    reference: Reference
    part: bytes
    makers: frozenset[tuple[str, str]] = frozenset()


class Volumes:
    """Follows what leads to claims; see `informers.Follower`."""

    metadata_only = False

    def __init__(self, changed: Changed) -> None:
        self.listed = asyncio.Event()
        self._changed = changed
        self._objects: dict[str, dict[Reference, bytes]] = {}
        self._settled: set[tuple[str, str]] = set()
        self._makers: set[tuple[str, str]] = set()
        self._asked: set[tuple[str, str]] = set()
        self._informers: Informers | None = None
        self._served: Served | None = None
        self._known: dict[str, dict[str, tuple[ResolvedApplication, tuple[DescribedVolume, ...]]]]
        self._known = {}
        self._dirty: set[str] = set()
        self._news = asyncio.Event()

    def follow(self, informers: Informers, served: Served) -> None:
        """Ask for the kinds that lead to claims; for those of custom resources as they appear."""
        self._informers, self._served = informers, served
        for kind in KINDS:
            informers.follow(kind, self)

    def of(self, application: ResolvedApplication) -> tuple[DescribedVolume, ...]:
        """Return the volumes of an application, by the name of their claim."""
        namespace = application.namespace
        known = self._known.setdefault(namespace, {})
        found = known.get(application.name)
        if found is None or found[0] != application or namespace in self._dirty:
            found = known[application.name] = (application, self._work_out(application))
        return found[1]

    async def keep_told(self, stopping: asyncio.Event) -> None:
        """Tell of every namespace in which the volumes of an application are others now."""
        while not stopping.is_set():
            await _either(self._news, stopping)
            self._news.clear()
            await pause(stopping, _TOGETHER_S)
            await self._follow_makers()
            dirty, self._dirty = self._dirty, set()
            for namespace in sorted(dirty):
                if self._differs(namespace):
                    await self._changed(namespace)

    def keep(self, kind: Kind, obj: Object) -> Kept:  # noqa: ARG002 - the protocol's shape
        """See `Follower`."""
        return Kept(reference_of(obj), msgspec.json.encode(leading_part(obj)), makers([obj]))

    async def replace(self, kind: Kind, kept: list[Kept]) -> None:
        """See `Follower`."""
        there = {one.reference for one in kept}
        for reference in [one for one in self._of_kind(kind) if one not in there]:
            self._put(reference, None)
        for one in kept:
            self._take(one)
        self._settle((kind.group, kind.kind))

    async def changed(self, kind: Kind, kept: Kept) -> None:  # noqa: ARG002 - as above
        """See `Follower`."""
        self._take(kept)

    async def deleted(self, kind: Kind, kept: Kept) -> None:  # noqa: ARG002 - as above
        """See `Follower`."""
        self._put(kept.reference, None)

    async def unknown(self, kind: Kind) -> None:
        """See `Follower`."""
        await self.replace(kind, [])

    async def _follow_makers(self) -> None:
        """Follow the custom kinds for which something was made, since nobody did before."""
        new = self._makers - self._asked
        if not new or self._informers is None or self._served is None:
            return
        try:
            served = {(kind.group, kind.kind): kind for kind in await self._served()}
        except AppShieldError as error:
            structlog.get_logger().warning("custom kinds not followed", problem=str(error))
            self._news.set()
            return
        self._asked |= new
        for name in sorted(new):
            kind = served.get(name)
            if kind is None or not kind.namespaced:
                self._settle(name)
                continue
            self._informers.follow(kind, self)
            asyncio.get_running_loop().call_later(_UNREAD_MAX_S, self._settle, name)

    def _settle(self, name: tuple[str, str]) -> None:
        """Note that all of a kind is known, or that nothing of it can be."""
        self._settled.add(name)
        wanted = {(kind.group, kind.kind) for kind in KINDS} | self._makers
        if self._settled.issuperset(wanted):
            self.listed.set()

    def _of_kind(self, kind: Kind) -> Iterable[Reference]:
        return (
            reference
            for objects in self._objects.values()
            for reference in objects
            if (reference.group, reference.kind) == (kind.group, kind.kind)
        )

    def _take(self, kept: Kept) -> None:
        if not self._makers.issuperset(kept.makers):
            self._makers |= kept.makers
            self._news.set()
        self._put(kept.reference, kept.part)

    def _put(self, reference: Reference, part: bytes | None) -> None:
        objects = self._objects.setdefault(reference.namespace, {})
        if objects.get(reference) == part:
            return
        if part is None:
            del objects[reference]
        else:
            objects[reference] = part
        self._dirty.add(reference.namespace)
        self._news.set()

    def _differs(self, namespace: str) -> bool:
        """Work the volumes of a namespace's applications out again."""
        known = self._known.get(namespace, {})
        before = {name: volumes for name, (_, volumes) in known.items()}
        for name, (application, _) in known.items():
            known[name] = (application, self._work_out(application))
        if not self._objects.get(namespace):
            self._objects.pop(namespace, None)
            self._known.pop(namespace, None)  # it is empty, or gone
        return before != {name: volumes for name, (_, volumes) in known.items()}

    def _work_out(self, application: ResolvedApplication) -> tuple[DescribedVolume, ...]:
        parts = self._objects.get(application.namespace, {}).values()
        return tuple(
            DescribedVolume(
                claim=one.claim, storage_class=one.storage_class, size_bytes=one.size_bytes
            )
            for one in volumes_of(application, map(msgspec.json.decode, parts))
        )


async def _either(*events: asyncio.Event) -> None:
    """Wait until one of some events has happened."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
