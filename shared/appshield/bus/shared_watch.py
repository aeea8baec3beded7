"""One watch of a bucket for all parts of a service that follow it.

Reading and decoding are done once, however many follow; each gets what is there, a marker, and
every change after it, as from a watch of its own. Values are shared: nobody may change them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, Protocol, TypeVar

from appshield.bus.port import Bucket
from appshield.bus.values import Change
from appshield.bus.waiting import first_of

T = TypeVar("T")


class Watchable(Protocol[T]):
    """What can be watched: a bucket, or a share in the watch of one."""

    def watch(self, *, stopping: asyncio.Event, traces: bool = False) -> AsyncIterator[Change[T]]:
        """See `Bucket.watch`."""
        ...


class _Follower(Generic[T]):
    """What waits for one who follows; with `traces`, what went and was never there, too."""

    def __init__(self, *, traces: bool) -> None:
        self.traces = traces
        self.waiting: deque[Change[T]] = deque()
        self.news = asyncio.Event()

    def take(self, change: Change[T]) -> None:
        """Keep a change until it is asked for."""
        self.waiting.append(change)
        self.news.set()


class SharedWatch(Generic[T]):
    """See `Watchable`; nothing comes before `keep` runs."""

    def __init__(self, bucket: Bucket[T]) -> None:
        self._bucket = bucket
        self._present: dict[str, Change[T]] = {}
        self._gone: dict[str, Change[T]] = {}
        self._marker: Change[T] | None = None
        self._followers: list[_Follower[T]] = []

    async def keep(self, stopping: asyncio.Event) -> None:
        """Watch the bucket, for whoever follows, until told to stop."""
        async for change in self._bucket.watch(stopping=stopping, traces=True):
            is_trace = self._keep(change)
            for follower in self._followers:
                if follower.traces or not is_trace:
                    follower.take(change)

    def _keep(self, change: Change[T]) -> bool:
        """Keep a change for who comes later; say whether it is of a key that was not there."""
        if change.is_marker:
            self._marker = change
        elif change.value is not None:
            self._gone.pop(change.key, None)
            self._present[change.key] = change
        else:
            self._gone[change.key] = change
            return self._present.pop(change.key, None) is None
        return False

    async def watch(
        self, *, stopping: asyncio.Event, traces: bool = False
    ) -> AsyncIterator[Change[T]]:
        """See `Bucket.watch`; who comes later is given what is there by then."""
        follower: _Follower[T] = _Follower(traces=traces)
        follower.waiting.extend(self._present.values())
        if traces:
            follower.waiting.extend(self._gone.values())
        if self._marker is not None:
            follower.waiting.append(self._marker)
        self._followers.append(follower)
        try:
            while not stopping.is_set():
                follower.news.clear()
                while follower.waiting:
                    yield follower.waiting.popleft()
                await first_of(follower.news.wait(), stopping.wait())
        finally:
            self._followers.remove(follower)
