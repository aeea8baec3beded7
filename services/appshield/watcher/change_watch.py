"""Which kinds are watched for changes, and for which rules: as applications and documents are now.

The registry says which rules are in force, those of policies included; the document says what
belongs to the application. When either changes, the kinds concerned are read anew, for the rules
that there are then. Without a rule that waits for changes nothing is watched.
"""

import asyncio
import base64
import contextlib
import secrets

import structlog

from appshield.bus import Bus, Watchable
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.health import Members
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.contracts.streams import APPLICATIONS, MEMBERS
from appshield.errors import AppShieldError
from appshield.kubernetes import AlreadyExistsError, Cluster, Kind, Object
from appshield.kubernetes.kinds import APPLICATION, SECRET
from appshield.language.expression_errors import ExpressionError
from appshield.language.resolved import ResolvedApplication
from appshield.manifests.kinds import matches_kind
from appshield.manifests.objects import Reference
from appshield.service import Clock, together
from appshield.watcher.changes import Changes, WaitingRule
from appshield.watcher.documents import DocumentsInForce
from appshield.watcher.informers import Informers
from appshield.watcher.own_namespace import ensure_own_namespace
from appshield.watcher.projecting import meaning, reads_of
from appshield.watcher.remembering import Memory

KEY_SECRET = "appshield-changes"  # noqa: S105 - the name of an object, not a secret
_KEY_BYTES = 32
SETTLE_S = 0.1
SETTLE_MAX_S = 2.0
"""Many documents may change at once: kinds are read anew once for all of them, when none came for
a moment, but not later than this."""
_FORGOTTEN_AT_ONCE = 500
"""So many applications are forgotten side by side: as many as the bus stores together."""
LOOK_AGAIN_S = 30.0
"""How soon a kind is found whose definition comes later than the rule."""


class ChangeWatch:
    """Follows what rules wait for, as long as they do."""

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
        self._watched = records
        self._cluster = cluster
        self._informers = informers
        self._cluster_name = cluster_name
        self._clock = clock
        self._memory = Memory(bus)
        self._records: dict[str, ApplicationRecord] = {}
        self._in_force = DocumentsInForce(lambda _: self._news.set(), while_going=True)
        self._belonged: dict[str, frozenset[Reference]] = {}
        self._followed: dict[Kind, tuple[frozenset[tuple[str, str, str]], Changes]] = {}
        self._waiting: dict[str, tuple[object, list[WaitingRule]]] = {}
        self._renewed: set[str] = set()
        self._known = 0
        self._news = asyncio.Event()
        self._key = b""

    async def keep_told(self, stopping: asyncio.Event) -> None:
        """Tell changes until told to stop."""
        await self._memory.load()
        self._informers.follow(APPLICATION, self._in_force)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_registry(stopping), name="rules that wait for changes")
            tasks.create_task(self._watch_members(stopping), name="what belongs to applications")
            tasks.create_task(self._follow_kinds(stopping), name="kinds that change")

    async def _watch_registry(self, stopping: asyncio.Event) -> None:
        async for change in self._watched.watch(stopping=stopping):
            record = change.value
            if change.is_marker:
                self._known += 1
            elif record is not None and record.app.cluster == self._cluster_name:
                if not self._take_record(record):
                    continue  # its runs go on, no more
            else:
                continue
            self._news.set()
        self._news.set()

    def _take_record(self, record: ApplicationRecord) -> bool:
        """Keep a record while a rule of it waits for changes; say whether that is news."""
        rules = tuple(filter(_waits, record.protections)) if record.state == "active" else ()
        if not rules:
            return self._records.pop(record.app_id, None) is not None
        before, self._records[record.app_id] = self._records.get(record.app_id), record
        known = (
            (before.app, before.uid, tuple(filter(_waits, before.protections))) if before else ()
        )
        return known != (record.app, record.uid, rules)

    async def _watch_members(self, stopping: asyncio.Event) -> None:
        async for change in self._bus.bucket(MEMBERS, Members).watch(stopping=stopping):
            if change.is_marker:
                self._known += 1
            elif not self._take_members(change.key, change.value):
                continue
            self._news.set()

    def _take_members(self, app_id: str, members: Members | None) -> bool:
        objects = members.objects if members else ()
        found = frozenset(Reference(o.group, o.kind, o.namespace, o.name) for o in objects)
        if found == self._belonged.get(app_id, frozenset()):
            return False
        self._belonged[app_id] = found
        self._renewed.add(app_id)
        return True

    async def _follow_kinds(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S if self._records else None):
                    await self._news.wait()
            await self._settled()
            if stopping.is_set() or not self._is_known():
                continue  # what is not known yet must not look as if it were gone
            try:
                await self._bring_in_line()
            except AppShieldError as error:
                structlog.get_logger().warning("changes not watched", problem=str(error))
                self._news.set()

    async def _settled(self) -> None:
        """Return when nothing has changed for a moment: what changes together is one change."""
        loop = asyncio.get_running_loop()
        last = loop.time() + SETTLE_MAX_S
        while True:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await self._news.wait()
            if not self._news.is_set() or loop.time() > last:
                return

    def _is_known(self) -> bool:
        return self._in_force.complete and self._known >= len((APPLICATIONS, MEMBERS))

    async def _bring_in_line(self) -> None:
        gone = self._memory.apps() - self._records.keys()
        forgetting = (self._memory.forget_application(app_id) for app_id in gone)
        await together(forgetting, at_once=_FORGOTTEN_AT_ONCE)
        for app_id in self._waiting.keys() - self._records.keys():
            del self._waiting[app_id]
        rules = [rule for record in self._records.values() for rule in self._rules(record)]
        if rules and not self._key:
            self._key = await change_key(self._cluster)
        renewed, self._renewed = self._renewed, set()
        kinds = await self._kinds(rules)
        for kind in self._followed.keys() - kinds.keys():
            self._informers.unfollow(kind, self._followed.pop(kind)[1])
        for kind, waiting in kinds.items():
            wanted = frozenset((one.app_id, one.rule.name, one.means) for one in waiting)
            known = self._followed.get(kind)
            if known is not None:
                if known[0] == wanted and not any(one.app_id in renewed for one in waiting):
                    continue
                self._informers.unfollow(kind, known[1])
            changes = Changes(
                bus=self._bus,
                memory=self._memory,
                clock=self._clock,
                key=self._key,
                rules=waiting,
                belonged=self._belonged,
            )
            self._followed[kind] = (wanted, changes)
            self._informers.follow(kind, changes)

    def _rules(self, record: ApplicationRecord) -> list[WaitingRule]:
        """Return the rules of an application that wait for changes, worked out once for each."""
        application = self._in_force.documents.get(record.uid)
        if application is None:
            return []
        stands_on = (record.app, tuple(filter(_waits, record.protections)), application)
        known = self._waiting.get(record.app_id)
        if known is None or known[0] != stands_on:
            known = self._waiting[record.app_id] = (stands_on, _work_out(record, application))
        return known[1]

    async def _kinds(self, rules: list[WaitingRule]) -> dict[Kind, list[WaitingRule]]:
        found: dict[Kind, list[WaitingRule]] = {}
        if not rules:
            return found
        wanted = {one.rule.change_of for one in rules}
        self._cluster.refresh()
        for kind in await self._cluster.kinds():
            if not kind.namespaced:
                continue
            named = {of for of in wanted if matches_kind(of, kind.group, kind.kind, kind.plural)}
            if named:
                found[kind] = [one for one in rules if one.rule.change_of in named]
        return found


def _work_out(record: ApplicationRecord, application: ResolvedApplication) -> list[WaitingRule]:
    belongs = (application.resources, [one.workload for one in application.components])
    waiting = []
    for rule in filter(_waits, record.protections):
        try:
            reads = reads_of(rule)
        except ExpressionError as error:
            structlog.get_logger().warning(
                "rule not understood", rule=rule.name, problem=str(error)
            )
            continue
        waiting.append(
            WaitingRule(
                app=record.app,
                app_id=record.app_id,
                application=application,
                rule=rule,
                means=meaning(rule, belongs),
                reads=reads,
            )
        )
    return waiting


async def change_key(cluster: Cluster) -> bytes:
    """Return the key of the digests of what is secret, made once for a cluster.

    It stays in the cluster, and the digests on the bus: who sees one of the two learns nothing.

    Raises:
        DeniedError: a right is missing; the text names it.
    """
    there = await cluster.get(SECRET, KEY_SECRET, SYSTEM_NAMESPACE)
    if there is None:
        await ensure_own_namespace(cluster)
        made: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": KEY_SECRET, "namespace": SYSTEM_NAMESPACE},
            "data": {"key": base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()},
        }
        with contextlib.suppress(AlreadyExistsError):
            await cluster.create(SECRET, made)
        there = await cluster.get(SECRET, KEY_SECRET, SYSTEM_NAMESPACE) or made
    return base64.b64decode(there["data"]["key"])


def _waits(rule: Protection) -> bool:
    return rule.trigger == "change"
