"""Foreign documents in, Applications out: the sink of the watch on one adapter's kind.

The Application that an adapter makes is an object like any other, so everything else of AppShield
needs to know nothing about the framework. It is kept in step with the foreign document: made,
changed, and deleted when no document is about it any more (its versions stay). An Application that
a person made is never touched. What is wrong or left out is told as an event on the foreign
document; the last good Application stays meanwhile.
"""

import msgspec
import structlog

from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.kubernetes import Cluster, Kind, Object, ObjectRef
from appshield.kubernetes.errors import NotServedError
from appshield.kubernetes.kinds import APPLICATION
from appshield.language.adapters import ADAPTER_LABEL, Adapter, ForeignKind, Place, Related
from appshield.language.adapters.adapter import with_notes
from appshield.language.object_reading import find_problems
from appshield.service import together

FIELD_MANAGER = "appshield-adapter"


class _Source(msgspec.Struct, frozen=True):
    """What is kept of a foreign document: whom to tell, and the Application, or why there is none.

    The document itself is not kept: a release of Helm has up to a megabyte. One without an
    Application and without a problem asks for no protection.
    """

    foreign: ObjectRef
    rank: int
    application: Object | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        return self.application is not None or bool(self.problem)

    @property
    def precedence(self) -> tuple[int, str, str]:
        """The least counts: the highest rank, and of equals always the same."""
        return -self.rank, self.foreign.namespace, self.foreign.name


class Adapting:
    """Keeps the Applications of one framework in step with its documents."""

    def __init__(self, adapter: Adapter, cluster: Cluster) -> None:
        self._adapter = adapter
        self._cluster = cluster
        self._sources: dict[Place, dict[str, _Source]] = {}
        self._told: dict[str, str] = {}
        self._log = structlog.get_logger().bind(adapter=adapter.name)

    async def replace(self, objects: list[Object]) -> None:
        """Take in all documents; Applications whose documents are gone go too."""
        self._sources = {}
        for obj in objects:
            await self._remember(obj)
        label = f"{ADAPTER_LABEL}={self._adapter.name}"
        standing = await self._cluster.list(APPLICATION, label_selector=label)
        places = {_place_of(obj) for obj in standing}
        places |= {
            place
            for place, sources in self._sources.items()
            if any(one.asks for one in sources.values())
        }
        for place in sorted(places):
            await self._reconcile(place)

    async def changed(self, obj: Object) -> None:
        """Take in one document; it may be about another Application than before, or none."""
        before = self._forget(obj)
        now = await self._remember(obj)
        for place in sorted({one for one in (before, now) if one is not None}):
            await self._reconcile(place)

    async def deleted(self, obj: Object) -> None:
        """Take in that a document is gone."""
        if place := self._forget(obj):
            await self._reconcile(place)

    def _forget(self, obj: Object) -> Place | None:
        uid = obj["metadata"]["uid"]
        for place, sources in self._sources.items():
            if sources.pop(uid, None) is not None:
                if not sources:
                    del self._sources[place]
                return place
        return None

    async def _remember(self, obj: Object) -> Place | None:
        """Keep what a document says; one that is about nothing is not kept."""
        foreign = ObjectRef.of(obj)
        if obj["metadata"].get("deletionTimestamp"):
            return None
        try:
            place = self._adapter.place(obj)
        except InvalidInputError as error:
            await self._tell(foreign, "NotAdapted", str(error))
            return None
        if place is None:
            return None
        self._sources.setdefault(place, {})[foreign.uid] = await self._read(obj, foreign)
        return place

    async def _read(self, obj: Object, foreign: ObjectRef) -> _Source:
        rank = self._adapter.rank(obj)
        try:
            if not self._adapter.asks(obj):
                return _Source(foreign, rank)
            related = await together(self._list(one) for one in self._adapter.related(obj))
            adapted = self._adapter.adapt(obj, [one for found in related for one in found])
        except InvalidInputError as error:
            return _Source(foreign, rank, problem=str(error))
        if wrong := "; ".join(str(problem) for problem in find_problems(adapted.document)):
            return _Source(foreign, rank, problem=wrong)
        return _Source(foreign, rank, with_notes(adapted), notes=adapted.notes)

    async def _list(self, related: Related) -> list[Object]:
        try:
            return await self._cluster.list(
                kind_of(related.kind),
                namespace=related.namespace,
                label_selector=related.label_selector,
            )
        except NotServedError:
            return []

    async def _reconcile(self, place: Place) -> None:
        """Make, change or delete the Application of a place."""
        standing = await self._cluster.get(APPLICATION, place.name, place.namespace)
        ours = standing is not None and _adapter_of(standing) == self._adapter.name
        sources = sorted(
            self._sources.get(place, {}).values(), key=lambda source: source.precedence
        )
        if not sources or not sources[0].asks:
            if ours and standing is not None:
                uid = standing["metadata"]["uid"]
                await self._cluster.delete(
                    APPLICATION, place.name, namespace=place.namespace, uid=uid
                )
                self._log.info("adapted application deleted", app=f"{place.namespace}/{place.name}")
            return
        source = sources[0]
        for other in sources[1:]:
            if other.rank == source.rank:
                about = f"{source.foreign.namespace}/{source.foreign.name}"
                why = f"Application {place.namespace}/{place.name} is made of {about} already"
                await self._tell(other.foreign, "NotAdapted", f"{why}; rename one of them")
        if standing is not None and not ours:
            why = f"Application {place.namespace}/{place.name} was made by somebody else"
            await self._tell(source.foreign, "NotAdapted", f"{why}; that one is in force")
        elif source.application is None:
            await self._tell(source.foreign, "NotAdapted", source.problem)
        else:
            await self._apply(source, source.application, standing)

    async def _apply(self, source: _Source, application: Object, standing: Object | None) -> None:
        if standing is None or _said(standing) != _said(application):
            try:
                await self._cluster.apply(APPLICATION, application, field_manager=FIELD_MANAGER)
            except (NotFoundError, RefusedError) as error:
                await self._tell(source.foreign, "NotAdapted", str(error))
                return
            self._log.info("application adapted", app=application["metadata"]["name"])
        if source.notes:
            await self._tell(source.foreign, "AdaptedInPart", "; ".join(source.notes))

    async def _tell(self, foreign: ObjectRef, reason: str, message: str) -> None:
        """Record an event, once while it stays true."""
        if self._told.get(foreign.uid) == message:
            return
        self._told[foreign.uid] = message
        await self._cluster.record_event(foreign, reason=reason, message=message, warning=True)


def kind_of(foreign: ForeignKind) -> Kind:
    """Return the kind as the cluster is asked for it."""
    return Kind(
        foreign.group, foreign.version, foreign.kind, foreign.plural, namespaced=foreign.namespaced
    )


def _place_of(application: Object) -> Place:
    return Place(application["metadata"]["namespace"], application["metadata"]["name"])


def _adapter_of(application: Object) -> str:
    return str((application["metadata"].get("labels") or {}).get(ADAPTER_LABEL, ""))


def _said(application: Object) -> tuple[object, object]:
    """Return what an adapter says in an Application, without what others add."""
    annotations = application["metadata"].get("annotations") or {}
    ours = {name: text for name, text in annotations.items() if name.startswith("appshield.io/")}
    return application.get("spec"), ours
