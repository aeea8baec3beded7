"""Documents on record: who wrote each, and that one is gone, told to the audit once.

It stands before whatever else watches documents, and only notes: nobody waits for the audit. What
was told of a document is kept, so that what was written while nobody watched is told later; of
several writes in that time the last one. Documents that were there before the audit knew of
documents at all are not told.
"""

import asyncio
from collections import deque
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from appshield.bus import Bucket, Bus
from appshield.contracts.audit import AuditEvent
from appshield.contracts.streams import CURSORS
from appshield.doors.documents import document_place, generation_text, named_document
from appshield.errors import AppShieldError
from appshield.kubernetes import Object
from appshield.language.writers import writer_of
from appshield.service import Clock, pause, together

TELLER = "watcher"
_AT_ONCE = 64
_AGAIN_S = 2.0


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A cursor: the last generation of a document that was told."""

    kind: str
    namespace: str
    name: str
    generation: int


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was seen; `generation` 0 is one that is gone."""

    uid: str
    kind: str
    namespace: str
    name: str
    generation: int
    made_at: datetime
    by: str

    @property
    def cursor(self) -> Recorded:
        """What is kept once this is told."""
        return Recorded(
            kind=self.kind, namespace=self.namespace, name=self.name, generation=self.generation
        )


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """All documents of a kind, as they were at one moment."""

    kind: str
    documents: tuple[Written, ...]


class Sink(Protocol):
    """Who is told of documents after this."""

    async def replace(self, objects: list[Object]) -> None:
        """Take the complete set."""

    async def changed(self, obj: Object) -> None:
        """Take an object that was added or modified."""

    async def deleted(self, obj: Object) -> None:
        """Take the last state of an object that is gone."""


class Recording:
    """Tells the audit who wrote the documents of a cluster; since when it does is kept, too."""

    def __init__(self, bus: Bus, cluster: str, clock: Clock, since: datetime) -> None:
        self._bus = bus
        self._cluster = cluster
        self._clock = clock
        self._since = since
        self._prefix = f"_documents.{cluster.replace('.', '_')}."
        self._cursors: Bucket[Recorded] = bus.bucket(CURSORS, Recorded)
        self._known: dict[str, Recorded] = {}
        self._news: deque[Written | Listed] = deque()
        self._has_news = asyncio.Event()

    @property
    def told(self) -> bool:
        """Whether all that was noted is told."""
        return not self._news

    def noting(self, kind: str, sink: Sink) -> Sink:
        """Return a sink that notes the documents of a kind, and hands all on."""
        return _Noting(self, kind, sink)

    def note(self, news: Written | Listed) -> None:
        """Have this told, unless it is: most changes of an object are of its status."""
        if isinstance(news, Written) and news.generation and self._is_told(news):
            return
        self._news.append(news)
        self._has_news.set()

    async def keep_told(self, stopping: asyncio.Event) -> None:
        """Tell what is noted until told to stop; what cannot be told now is told later."""
        known = False
        while not stopping.is_set():
            try:
                if not known:
                    await self._load()
                    known = True
                await self._tell_all()
            except AppShieldError as error:
                structlog.get_logger().warning("documents not audited", problem=str(error))
                await pause(stopping, _AGAIN_S)
                continue
            await _either(self._has_news, stopping)

    async def _load(self) -> None:
        entries = self._cursors.items(self._prefix)
        self._known = {entry.key.removeprefix(self._prefix): entry.value async for entry in entries}

    async def _tell_all(self) -> None:
        while self._news:
            news = self._news[0]
            batch = self._all_of(news) if isinstance(news, Listed) else [news]
            await together(map(self._tell, batch), at_once=_AT_ONCE)
            self._news.popleft()  # only now: what failed is told again, as the same
        self._has_news.clear()

    def _all_of(self, listed: Listed) -> list[Written]:
        """Give what a list says: what is there, and what is gone."""
        present = {one.uid for one in listed.documents}
        gone = [
            _gone(uid, known, self._clock.now())
            for uid, known in self._known.items()
            if known.kind == listed.kind and uid not in present
        ]
        return [*listed.documents, *gone]

    async def _tell(self, document: Written) -> None:
        """Tell of one document, unless that is told; what is older than the record is only kept."""
        uid, known = document.uid, self._known.get(document.uid)
        if not document.generation:
            if known is not None:
                await self._bus.publish(self._event(document))
                await self._cursors.delete(f"{self._prefix}{uid}")
                del self._known[uid]
            return
        if self._is_told(document):
            return
        if known is not None or document.made_at >= self._since:
            await self._bus.publish(self._event(document))
        await self._cursors.put(f"{self._prefix}{uid}", document.cursor)
        self._known[uid] = document.cursor

    def _is_told(self, document: Written) -> bool:
        known = self._known.get(document.uid)
        return known is not None and document.generation <= known.generation

    def _event(self, document: Written) -> AuditEvent:
        kind, namespace, name = document.kind, document.namespace, document.name
        gone = not document.generation
        return AuditEvent(
            app=document_place(self._cluster, kind, namespace, name),
            id=f"{document.uid}.{'gone' if gone else document.generation}",
            teller=TELLER,
            at=self._clock.now(),
            action="delete-document" if gone else "write-document",
            outcome="succeeded",
            door="object",
            actor=document.by,
            cause="" if gone else generation_text(document.generation),
            object=named_document(kind, namespace, name),
            request_id=document.uid if gone else "",
        )


class _Noting:
    """The sink of the watch on the documents of one kind."""

    def __init__(self, recording: Recording, kind: str, sink: Sink) -> None:
        self._recording = recording
        self._kind = kind
        self._sink = sink

    async def replace(self, objects: list[Object]) -> None:
        """See `Sink`."""
        documents = tuple(_written(self._kind, obj) for obj in objects)
        self._recording.note(Listed(kind=self._kind, documents=documents))
        await self._sink.replace(objects)

    async def changed(self, obj: Object) -> None:
        """See `Sink`."""
        self._recording.note(_written(self._kind, obj))
        await self._sink.changed(obj)

    async def deleted(self, obj: Object) -> None:
        """See `Sink`."""
        written = _written(self._kind, obj)
        self._recording.note(msgspec.structs.replace(written, generation=0, by=""))
        await self._sink.deleted(obj)


def _written(kind: str, obj: Object) -> Written:
    meta = obj["metadata"]
    return Written(
        uid=meta["uid"],
        kind=kind,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        generation=meta.get("generation", 1),
        made_at=datetime.fromisoformat(meta["creationTimestamp"]),
        by=writer_of(obj),
    )


def _gone(uid: str, known: Recorded, now: datetime) -> Written:
    return Written(
        uid=uid,
        kind=known.kind,
        namespace=known.namespace,
        name=known.name,
        generation=0,
        made_at=now,
        by="",
    )


async def _either(news: asyncio.Event, stopping: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in (news, stopping)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
