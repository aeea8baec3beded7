"""Watches of objects for whoever needs them: one of each kind, shared, only while it is needed.

    informers = Informers(cluster)
    informers.follow(kind, follower)          ask for a kind, at any time
    await informers.run(stopping)             keeps one watch of each kind that somebody follows

Objects come from the whole cluster. Nothing of an object is kept but what a follower's `keep` makes
of it, one by one as they come; where no follower wants more, the server sends metadata only. When
somebody joins, the set is read anew and told to all who follow the kind: being told twice does no
harm, as with any watch.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast

import msgspec

from appshield.kubernetes import Cluster, KeepingReflector, Kind, Object, Selection

T = TypeVar("T")


class Follower(Protocol[T]):
    """Receives what it keeps of the objects of the kinds that it follows.

    Calls about one kind come one at a time. One that raises an AppShieldError is repeated.
    """

    @property
    def metadata_only(self) -> bool:
        """Whether the metadata of objects is all that `keep` looks at."""
        ...

    def keep(self, kind: Kind, obj: Object) -> T:
        """Return what is kept of an object."""
        ...

    async def replace(self, kind: Kind, kept: list[T]) -> None:
        """Take the complete set of a kind: what is not in it does not exist."""
        ...

    async def changed(self, kind: Kind, kept: T) -> None:
        """Take an object that was added or modified."""
        ...

    async def deleted(self, kind: Kind, kept: T) -> None:
        """Take the last state of an object that is gone."""
        ...

    async def unknown(self, kind: Kind) -> None:
        """Take that nothing is known of a kind any more: its definition is gone."""
        ...


class _Share(msgspec.Struct, frozen=True):
    """One follower of a kind, whatever it keeps."""

    follower: object
    metadata_only: bool
    keep: Callable[[Object], object]
    replace: Callable[[list[object]], Coroutine[Any, Any, None]]
    changed: Callable[[object], Coroutine[Any, Any, None]]
    deleted: Callable[[object], Coroutine[Any, Any, None]]
    unknown: Callable[[], Coroutine[Any, Any, None]]


def _share(kind: Kind, follower: Follower[T]) -> _Share:
    # What comes back to a follower is what its own `keep` gave, so the casts hold.
    return _Share(
        follower=follower,
        metadata_only=follower.metadata_only,
        keep=lambda obj: follower.keep(kind, obj),
        replace=lambda kept: follower.replace(kind, cast("list[T]", kept)),
        changed=lambda kept: follower.changed(kind, cast("T", kept)),
        deleted=lambda kept: follower.deleted(kind, cast("T", kept)),
        unknown=lambda: follower.unknown(kind),
    )


class _Shared:
    """The sink of one watch; each follower gets its own part of what is kept."""

    def __init__(self, shares: tuple[_Share, ...], taken_in: Callable[[], None]) -> None:
        self._shares = shares
        self._taken_in = taken_in

    def keep(self, obj: Object) -> tuple[object, ...]:
        """Return what each follower keeps."""
        return tuple(share.keep(obj) for share in self._shares)

    async def replace(self, objects: list[tuple[object, ...]], /) -> None:
        """See `KeepingSink`."""
        for place, share in enumerate(self._shares):
            await share.replace([kept[place] for kept in objects])
        self._taken_in()

    async def changed(self, obj: tuple[object, ...], /) -> None:
        """See `KeepingSink`."""
        for share, kept in zip(self._shares, obj, strict=True):
            await share.changed(kept)

    async def deleted(self, obj: tuple[object, ...], /) -> None:
        """See `KeepingSink`."""
        for share, kept in zip(self._shares, obj, strict=True):
            await share.deleted(kept)

    async def unknown(self) -> None:
        """Tell every follower that nothing is known any more."""
        for share in self._shares:
            await share.unknown()


class _Watch:
    """The watch of one kind."""

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        shares: tuple[_Share, ...],
        taken_in: Callable[[], None],
    ) -> None:
        self.shares = shares
        shared = _Shared(shares, taken_in)
        self.reflector = KeepingReflector(
            cluster,
            kind,
            Selection(metadata_only=all(share.metadata_only for share in shares)),
            sink=shared,
            keep=shared.keep,
            lost=shared.unknown,
        )
        self.stopping = asyncio.Event()


class Informers:
    """All watches of one cluster; `taken_in` is called after each whole set of a kind."""

    def __init__(self, cluster: Cluster, taken_in: Callable[[], None] = lambda: None) -> None:
        self._cluster = cluster
        self._taken_in = taken_in
        self._wanted: dict[Kind, tuple[_Share, ...]] = {}
        self._watches: dict[Kind, _Watch] = {}
        self._stale: set[Kind] = set()
        self._news = asyncio.Event()

    def follow(self, kind: Kind, follower: Follower[T]) -> None:
        """Let a follower be told of the objects of a kind; again changes nothing."""
        shares = self._wanted.get(kind, ())
        if all(share.follower is not follower for share in shares):
            self._wanted[kind] = (*shares, _share(kind, follower))
            self._news.set()

    def unfollow(self, kind: Kind, follower: Follower[T]) -> None:
        """Tell a follower of a kind no more, but for what is on its way; without any it ends."""
        shares = self._wanted.get(kind, ())
        left = tuple(share for share in shares if share.follower is not follower)
        if left:
            self._wanted[kind] = left
        else:
            self._wanted.pop(kind, None)
        if left != shares:
            self._news.set()

    def read_again(self, kind: Kind) -> None:
        """Read all objects of a kind anew: what is kept of them is another way now."""
        if kind in self._watches:
            self._stale.add(kind)
            self._news.set()

    def synced(self, kind: Kind) -> bool:
        """Say whether all objects of a kind have been told."""
        watch = self._watches.get(kind)
        return watch is not None and watch.reflector.synced

    async def health(self) -> str:
        """Return what keeps watches from being well, in words; nothing when all are."""
        problems = [watch.reflector.problem for watch in self._watches.values()]
        return "; ".join(problem for problem in problems if problem)

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the watches that are wanted until told to stop."""
        async with asyncio.TaskGroup() as tasks:
            stop = tasks.create_task(stopping.wait())
            stop.add_done_callback(lambda _: self._news.set())
            while not stopping.is_set():
                self._news.clear()
                self._bring_in_line(tasks)
                await self._news.wait()
            for watch in self._watches.values():
                watch.stopping.set()

    def _bring_in_line(self, tasks: asyncio.TaskGroup) -> None:
        for kind, watch in list(self._watches.items()):
            if kind in self._stale or watch.shares != self._wanted.get(kind):
                watch.stopping.set()
                del self._watches[kind]
        self._stale.clear()
        for kind, shares in self._wanted.items():
            if kind not in self._watches:
                watch = self._watches[kind] = _Watch(self._cluster, kind, shares, self._taken_in)
                tasks.create_task(
                    watch.reflector.run(watch.stopping), name=f"watch {kind.resource}"
                )
