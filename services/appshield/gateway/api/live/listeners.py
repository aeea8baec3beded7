"""Listeners of what changes: bounded in number and in what waits for each (ADR 46).

    buckets ─► gathered for a moment ────► told to each audience ─► to each of its listeners
                (one for all listeners)     (one caller: its rights)   (one connection: its queue)

Whoever reads too slowly is told to begin anew, and closed. Nobody waits for anybody else.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

import msgspec
import structlog

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.runs import Progress, Run
from appshield.doors.actions import SEE_APPLICATIONS, SEE_POLICIES, SEE_RUNS
from appshield.errors import AppShieldError, RefusedError
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.known.watched_views import WatchedViews
from appshield.gateway.api.live.changes import (
    Gathering,
    Reset,
    Told,
    Visible,
    position_line,
    written,
)
from appshield.gateway.api.live.positions import Position
from appshield.rights.access import EVERYWHERE, Access
from appshield.service import Clock, pause

TICK_S = 0.75
"""At most one event of an application in so long: two in any second, also where one is late."""
HEARTBEAT_S = 15.0
LIFE_S = 600.0
"""How long one connection may listen; who comes again is recognized again."""
WAITING_BYTES_MAX = 1024 * 1024
WAITING_MAX = 20
"""How much may wait for a listener: ten seconds of events, or so many bytes of them."""
LISTENERS_MAX = 2_000
LISTENERS_OF_A_CALLER_MAX = 600
RESUMED_RUNS_MAX = 500
_PIECE_BYTES = 64 * 1024


class Listener:
    """One connection: what waits to be sent to it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._over = False

    def offer(self, content: bytes) -> None:
        """Let something be sent; what is too much for a slow reader becomes a reset."""
        if self._over or not content:
            return
        self._waiting.append(content)
        self._size += len(content)
        self._news.set()
        if len(self._waiting) > WAITING_MAX or self._size > WAITING_BYTES_MAX:
            self.reset("the connection is too slow for what happens")

    def reset(self, why: str) -> None:
        """Tell the reader to begin anew, and nothing after that."""
        if not self._over:
            self._over = True
            self._waiting.clear()
            self._waiting.append(written("reset", Reset(why=why)))
            self._news.set()

    async def sent(self) -> AsyncIterator[bytes]:
        """Give what is to be sent, until there is no more to come."""
        until = time.monotonic() + LIFE_S
        while time.monotonic() < until:
            while self._waiting:
                content = self._waiting.popleft()
                self._size -= len(content)
                for at in range(0, len(content), _PIECE_BYTES):
                    yield content[at : at + _PIECE_BYTES]
            if self._over:
                return
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield b":\n\n"


class Audience:
    """The listeners of one caller: what they may see is asked once for all of them."""

    def __init__(self, caller: Caller, access: Access) -> None:
        self.listeners: set[Listener] = set()
        self._caller = caller
        self._access = access
        self._told: asyncio.Queue[Told] = asyncio.Queue(WAITING_MAX)
        self._telling = asyncio.create_task(self._tell(), name="audience")

    def offer(self, told: Told) -> None:
        """Let something be told."""
        try:
            self._told.put_nowait(told)
        except asyncio.QueueFull:
            self._reset("it cannot be found out in time what you may see")

    async def as_seen(self, told: Told, namespace: str) -> bytes:
        """Write what the caller may see of something.

        Raises:
            UnavailableError: that cannot be found out now.
        """
        return told.as_seen(await self._visible(told.namespaces), namespace)

    def close(self) -> None:
        """Tell nothing any more."""
        self._telling.cancel()

    async def _tell(self) -> None:
        while True:
            told = await self._told.get()
            try:
                visible = await self._visible(told.namespaces)
            except AppShieldError as error:
                structlog.get_logger().warning("listeners are reset", problem=str(error))
                self._reset("it cannot be found out what you may see")
                continue
            for listener in self.listeners:
                listener.offer(told.as_seen(visible, listener.namespace))

    async def _visible(self, namespaces: Iterable[str]) -> Visible:
        access, caller = self._access, self._caller
        return Visible(
            await access.visible(caller, SEE_APPLICATIONS, namespaces),
            await access.visible(caller, SEE_RUNS, namespaces),
            await access.may(caller, SEE_POLICIES, EVERYWHERE),
        )

    def _reset(self, why: str) -> None:
        for listener in self.listeners:
            listener.reset(why)


class Feed:
    """Tells listeners what changes."""

    def __init__(self, views: WatchedViews, access: Access, clock: Clock, cluster: str) -> None:
        self._views = views
        self._access = access
        self._clock = clock
        self._cluster = cluster
        self._audiences: dict[bytes, Audience] = {}
        self._gathered = Gathering(cluster)
        self._news = asyncio.Event()

    def application_changed(self, record: ApplicationRecord, *, gone: bool) -> None:
        """Hear of an application."""
        self._gathered.application(record, gone=gone)
        self._news.set()

    def run_changed(self, run: Run) -> None:
        """Hear of a run."""
        self._gathered.run(run)
        self._news.set()

    def policy_changed(self, record: PolicyRecord, *, gone: bool) -> None:
        """Hear of a policy."""
        self._gathered.policy(record, gone=gone)
        self._news.set()

    def progressed(self, progress: Progress) -> None:
        """Hear how far a step is."""
        self._gathered.progress(progress, self._views.app_id_of(progress.run))
        self._news.set()

    async def keep(self, stopping: asyncio.Event) -> None:
        """Tell until told to stop; the first change after a silence at once."""
        while not stopping.is_set():
            news = asyncio.create_task(self._news.wait())
            stop = asyncio.create_task(stopping.wait())
            await asyncio.wait({news, stop}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            stop.cancel()
            self._news.clear()
            if self._gathered:
                told = self._gathered.told(str(self._position()))
                for audience in self._audiences.values():
                    audience.offer(told)
            await pause(stopping, TICK_S)
        for audience in self._audiences.values():
            for listener in audience.listeners:
                listener.reset("the gateway stops")

    async def listen(
        self, caller: Caller, *, namespace: str, last_event: str
    ) -> AsyncGenerator[bytes, None]:
        """Give events for one connection; with the id of the last one those after it, too.

        Raises:
            RefusedError: too many listen already.
            UnavailableError: it cannot be found out now what the caller may see.
        """
        key = _same_rights(caller)
        self._ensure_room(self._audiences.get(key))
        if key not in self._audiences:
            self._audiences[key] = Audience(caller, self._access)
        audience = self._audiences[key]
        listener = Listener(namespace)
        audience.listeners.add(listener)  # before looking back, so that nothing falls in between
        try:
            opening = await self._opening(audience, namespace, last_event)
            yield opening
            if opening.startswith(b"event: reset"):
                return
            async for content in listener.sent():
                yield content
        finally:
            audience.listeners.discard(listener)
            if not audience.listeners and self._audiences.get(key) is audience:
                del self._audiences[key]
                audience.close()

    async def _opening(self, audience: Audience, namespace: str, last_event: str) -> bytes:
        """Write what a connection begins with: what it missed, and the position."""
        position = position_line(str(self._position()))
        if not last_event:
            return b"retry: 2000\n" + position
        missed = await self._missed(last_event)
        if missed is None:
            return written("reset", Reset(why="what happened since then is not known any more"))
        return b"retry: 2000\n" + await audience.as_seen(missed, namespace) + position

    async def _missed(self, last_event: str) -> Told | None:
        since = Position.read(last_event)
        if since is None or since.is_too_old(self._clock.now()):
            return None
        changed = self._views.changed_since(since.revisions)
        if changed is None or len(changed.runs) > RESUMED_RUNS_MAX:
            return None
        gathered = Gathering(self._cluster)
        for record in changed.applications:
            gathered.application(record, gone=False)
        for policy in changed.policies:
            gathered.policy(policy, gone=False)
        for row in changed.runs:
            if (run := await self._views.run(row.id)) is not None:
                gathered.run(run)
        return gathered.told(str(self._position()))

    def _position(self) -> Position:
        return Position(self._views.revisions, self._clock.now())

    def _ensure_room(self, audience: Audience | None) -> None:
        of_all = sum(len(one.listeners) for one in self._audiences.values())
        of_caller = len(audience.listeners) if audience else 0
        if of_all >= LISTENERS_MAX or of_caller >= LISTENERS_OF_A_CALLER_MAX:
            raise RefusedError(
                "too many listen to events already", next_step="Close some, or try again later."
            )


def _same_rights(caller: Caller) -> bytes:
    """Name all that the cluster decides by who somebody is."""
    known = (caller.name, caller.uid, caller.groups, caller.extra)
    return msgspec.json.encode(known, order="sorted")
