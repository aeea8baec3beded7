"""Following a collection: the whole set once, then every change, across any interruption.

The life of a `Reflector`:

1. The set comes as a stream (WatchList) that ends with a marked bookmark, or in pages from a server
   that has no WatchList. The sink receives it in one call, so that what was deleted meanwhile
   is seen to be gone.
2. The watch goes on from that resource version. A version counts as done only after the sink
   took the change, so a sink that failed is given the change again.
   Where `side_by_side`, changes of different objects that came together are taken side by side,
   those of one object one after the other; none counts as done before all are.
3. A stream that ends is opened again from the last version. History that is gone (410) leads back
   to 1. Every failure, 410 included, waits 0.5 to 30 s, longer each time, spread at random.

A kind that is not served (its CustomResourceDefinition is missing) is waited for and reports
`synced = False`; it never makes objects look deleted.

Where objects are many and little of each is needed, `keep` cuts them down as they come in, one by
one, and `metadata_only` asks the server for no more.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

import aiohttp
import msgspec
import structlog

from appshield.errors import AppShieldError, InvalidInputError, UnavailableError
from appshield.kubernetes.errors import (
    BusyError,
    GoneError,
    NotServedError,
    refusal,
    status_of_object,
)
from appshield.kubernetes.kinds import Kind, Object
from appshield.kubernetes.listing import Keep, Selection, complete, list_all, whole
from appshield.kubernetes.requests import Call, Requests
from appshield.kubernetes.retrying import backoff_s, longer_if_asked_s
from appshield.service.together import together

WATCH_S = 300.0
"""How long the server keeps one stream open."""
SILENCE_S = 90.0
"""A stream that is silent for so long is opened again: bookmarks come about once a minute."""
SHORT_STREAM_S = 5.0
"""A stream that ends sooner without a word counts as a failure, or it would be a tight loop."""
INITIAL_SET_S = 120.0
FIRST_PAUSE_S = 0.5
BUSY_PAUSE_S = 2.0
LONGEST_PAUSE_S = 30.0
_AT_ONCE = 256


T = TypeVar("T")


class KeepingSink(Protocol[T]):
    """Receives what is kept of a collection and of its changes, one call at a time.

    A call that raises an AppShieldError is repeated later, so each must be harmless twice. Other
    errors are defects and end the reflector.
    """

    async def replace(self, objects: list[T], /) -> None:
        """Take the complete set: what is not in it does not exist."""

    async def changed(self, obj: T, /) -> None:
        """Take an object that was added or modified."""

    async def deleted(self, obj: T, /) -> None:
        """Take the last state of an object that is gone."""


Lost = Callable[[], Awaitable[None]]
WatchSink = KeepingSink[Object]
"""Receives whole objects."""


class Reader(Protocol):
    """What a reflector needs of a `Cluster`."""

    @property
    def requests(self) -> Requests:
        """Sends calls to the API server."""


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: Object


class _NoWatchListError(UnavailableError):
    """The server cannot stream the initial set."""


class KeepingReflector(Generic[T]):
    """Keeps a sink in step with what `keep` leaves of the objects of one kind.

    `lost` is called when the kind is served no more, so that nothing is known of its objects.
    """

    def __init__(
        self,
        cluster: Reader,
        kind: Kind,
        selection: Selection,
        *,
        sink: KeepingSink[T],
        keep: Keep[T],
        lost: Lost | None = None,
        side_by_side: bool = False,
    ) -> None:
        self._requests = cluster.requests
        self._kind = kind
        self._selection = selection
        self._sink = sink
        self._keep = keep
        self._lost = lost
        self._side_by_side = side_by_side
        self._resource_version: str | None = None
        self._streams_initial_set = True
        self._failures = 0
        self._synced = False
        self._problem = ""
        self._log = structlog.get_logger().bind(kind=kind.resource, namespace=selection.namespace)

    @property
    def synced(self) -> bool:
        """Whether the sink has had the complete set and the kind is served."""
        return self._synced

    @property
    def problem(self) -> str:
        """Why the last attempt failed, in words; empty while all is well."""
        return self._problem

    async def run(self, stopping: asyncio.Event) -> None:
        """Feed the sink until `stopping` is set."""
        following = asyncio.create_task(self._follow())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({following, stop}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
        finally:
            for task in (following, stop):
                task.cancel()
            await asyncio.gather(following, stop, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_once()
            except AppShieldError as error:
                was_synced = self._synced
                self._learn_from(error)
                if was_synced and not self._synced and self._lost is not None:
                    await self._lost()
                pause_s = self._pause_s(error)
                self._log.warning("watch.interrupted", why=str(error), again_in_s=pause_s)
                await asyncio.sleep(pause_s)

    async def _read_once(self) -> None:
        """Read the set if it is needed, then one stream of changes to its end."""
        if self._resource_version is None and not self._streams_initial_set:
            listing = await list_all(self._requests, self._kind, self._selection, self._keep)
            await self._replace(listing.objects, listing.resource_version)
        started = time.monotonic()
        if self._resource_version is None:
            await self._stream_from_nothing()
        else:
            async with aclosing(self._events(self._changes_query())) as arriving:
                async for events in arriving:
                    await self._take_all(events)
        if time.monotonic() - started < SHORT_STREAM_S:
            raise UnavailableError("the API server ended the watch at once")

    async def _stream_from_nothing(self) -> None:
        initial: dict[tuple[str, str], T] | None = {}
        try:
            async with (
                asyncio.timeout(INITIAL_SET_S) as limit,
                aclosing(self._events(_INITIAL_QUERY)) as arriving,
            ):
                async for events in arriving:
                    if initial is None:
                        await self._take_all(events)
                        continue
                    for place, event in enumerate(events):
                        if _ends_initial_set(event):
                            limit.reschedule(None)
                            metadata = event.object["metadata"]
                            await self._replace(list(initial.values()), metadata["resourceVersion"])
                            initial = None
                            await self._take_all(events[place + 1 :])
                            break
                        self._collect(initial, event)
        except TimeoutError as error:
            raise _NoWatchListError("the initial set did not come in time") from error
        except InvalidInputError as error:
            raise _NoWatchListError("the API server does not stream the initial set") from error
        if initial is not None:
            raise UnavailableError("the stream ended before the initial set was complete")

    async def _events(
        self, query: tuple[tuple[str, str], ...]
    ) -> AsyncGenerator[list[_Event], None]:
        """Give what has come, as it comes: what came together is one list."""
        namespace = self._selection.namespace
        watched_s = WATCH_S * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load
        call = Call(
            method="GET",
            path=self._kind.path(namespace),
            query=(
                *self._selection.query,
                ("watch", "true"),
                ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", str(int(watched_s))),
                *query,
            ),
            doing=f"watch {self._kind.described(namespace=namespace)}",
            accept=self._selection.accept("PartialObjectMetadata"),
        )
        async with self._requests.stream(call, silence_s=SILENCE_S) as content:
            async for lines in _lines(content):
                events: list[_Event] = []
                for line in lines:
                    event = _decode(line)
                    if event.type == "ERROR":
                        yield events
                        status = status_of_object(event.object)
                        raise refusal(status.code or 500, status, call.doing)
                    events.append(event)
                yield events

    def _changes_query(self) -> tuple[tuple[str, str], ...]:
        return (("resourceVersion", self._resource_version or ""),)

    async def _take_all(self, events: list[_Event]) -> None:
        if not self._side_by_side:
            for event in events:
                await self._take(event)
                self._done_with(event)
            return
        by_object: dict[str, list[_Event]] = {}
        for event in events:
            by_object.setdefault(event.object["metadata"].get("uid", ""), []).append(event)
        await together(map(self._take_in_order, by_object.values()), at_once=_AT_ONCE)
        if events:
            self._done_with(events[-1])

    async def _take_in_order(self, events: list[_Event]) -> None:
        for event in events:
            await self._take(event)

    async def _take(self, event: _Event) -> None:
        if event.type == "DELETED":
            await self._sink.deleted(self._kept(event))
        elif event.type != "BOOKMARK":
            await self._sink.changed(self._kept(event))

    def _done_with(self, event: _Event) -> None:
        self._resource_version = event.object["metadata"]["resourceVersion"]
        self._recovered()

    def _kept(self, event: _Event) -> T:
        return self._keep(complete(self._kind, event.object))

    def _collect(self, initial: dict[tuple[str, str], T], event: _Event) -> None:
        metadata = event.object["metadata"]
        key = (metadata.get("namespace", ""), metadata.get("name", ""))
        if event.type == "DELETED":
            initial.pop(key, None)
        elif event.type != "BOOKMARK":
            initial[key] = self._kept(event)

    async def _replace(self, objects: list[T], resource_version: str) -> None:
        await self._sink.replace(objects)
        self._resource_version = resource_version
        self._synced = True
        self._recovered()

    def _recovered(self) -> None:
        self._failures = 0
        self._problem = ""

    def _learn_from(self, error: AppShieldError) -> None:
        self._failures += 1
        self._problem = str(error)
        if isinstance(error, GoneError):
            self._resource_version = None
        if isinstance(error, NotServedError):
            self._resource_version = None
            self._synced = False
        if isinstance(error, _NoWatchListError):
            self._streams_initial_set = False

    def _pause_s(self, error: AppShieldError) -> float:
        if isinstance(error, _NoWatchListError):
            return 0.0
        own_s = backoff_s(self._failures, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)
        asked_s = (error.retry_after_s or BUSY_PAUSE_S) if isinstance(error, BusyError) else None
        return longer_if_asked_s(own_s, asked_s)


class Reflector(KeepingReflector[Object]):
    """Keeps a sink in step with the objects of one kind until it is told to stop."""

    def __init__(
        self,
        cluster: Reader,
        kind: Kind,
        *,
        sink: WatchSink,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        side_by_side: bool = False,
    ) -> None:
        selection = Selection(namespace, label_selector, field_selector)
        super().__init__(cluster, kind, selection, sink=sink, keep=whole, side_by_side=side_by_side)


_INITIAL_QUERY = (("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"))


def _ends_initial_set(event: _Event) -> bool:
    annotations = event.object["metadata"].get("annotations") or {}
    return event.type == "BOOKMARK" and annotations.get("k8s.io/initial-events-end") == "true"


def _decode(line: bytes) -> _Event:
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError as error:
        raise UnavailableError("the watch brought something that is not an event") from error


_DECODER = msgspec.json.Decoder(_Event)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[list[bytes]]:
    """Yield complete lines of any length, as many as have come; a cut one at the end is dropped."""
    buffer = bytearray()
    searched = 0
    async for chunk in content.iter_any():
        buffer += chunk
        last = buffer.rfind(b"\n", searched)
        if last >= 0:
            lines = bytes(buffer[:last]).split(b"\n")
            del buffer[: last + 1]
            yield [line for line in lines if line.strip()]
        searched = len(buffer)
