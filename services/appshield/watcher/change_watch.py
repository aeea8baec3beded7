"""Which kinds are watched for changes, and for which rules: as applications and documents are now.

Records and policies say which rules are in force; the document says what belongs to the
application. When one of them changes, the kinds concerned are read anew, for the rules that there
are then. Without a rule that waits for changes nothing is watched. What takes longer the more
applications there are, is noted and tidied beside it, and nobody waits for that.
"""

import asyncio
import base64
import contextlib
import secrets
from functools import partial

import msgspec
import structlog

from appshield.bus import Bus, Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.health import Members
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.streams import APPLICATIONS, MEMBERS, POLICIES
from appshield.errors import AppShieldError
from appshield.kubernetes import AlreadyExistsError, Cluster, Kind, Object
from appshield.kubernetes.kinds import APPLICATION, SECRET
from appshield.manifests.kinds import matches_kind
from appshield.manifests.objects import Reference
from appshield.service import Clock, pause, together
from appshield.watcher.changes import Changes
from appshield.watcher.documents import DocumentsInForce
from appshield.watcher.informers import Informers
from appshield.watcher.own_namespace import ensure_own_namespace
from appshield.watcher.remembering import Memory
from appshield.watcher.waiting_rules import WaitingRules

KEY_SECRET = "appshield-changes"  # noqa: S105 - the name of an object, not a secret
_KEY_BYTES = 32
SETTLE_S = 0.1
SETTLE_MAX_S = 2.0
"""Many documents may change at once: kinds are read anew once for all of them, when none came for
a moment, but not later than this."""
_FORGOTTEN_AT_ONCE = 100
"""So many applications are forgotten side by side; then others have their turn."""
TIDY_AGAIN_S = 1.0
LOOK_AGAIN_S = 30.0
"""How soon a kind is found whose definition comes later than the rule."""


class _Followed(msgspec.Struct, frozen=True):
    """A kind that is followed: what policies asked of it then, and its follower."""

    offered: frozenset[tuple[str, str, str, str]]
    named: frozenset[str]
    changes: Changes


class ChangeWatch:
    """Follows what rules wait for, as long as they do."""

    def __init__(
        self,
        *,
        bus: Bus,
        records: Watchable[ApplicationRecord],
        policies: Watchable[PolicyRecord],
        cluster: Cluster,
        informers: Informers,
        cluster_name: str,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._records = records
        self._policies = policies
        self._cluster = cluster
        self._informers = informers
        self._cluster_name = cluster_name
        self._clock = clock
        self._memory = Memory(bus)
        self._in_force = DocumentsInForce(self._take_documents, while_going=True)
        self._rules = WaitingRules(lambda: self._in_force.documents)
        self._belonged: dict[str, frozenset[Reference]] = {}
        self._followed: dict[Kind, _Followed] = {}
        self._changed: set[str] = set()
        self._renewed: set[str] = set()
        self._known: set[str] = set()
        self._news = asyncio.Event()
        self._at_once = False
        self._listed: set[Kind] = set()
        self._untidy = asyncio.Event()
        self._key = b""

    async def keep_told(self, stopping: asyncio.Event) -> None:
        """Tell changes until told to stop."""
        await self._memory.load()
        self._informers.follow(APPLICATION, self._in_force)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_records(stopping), name="applications with rules")
            tasks.create_task(self._watch_policies(stopping), name="policies with rules")
            tasks.create_task(self._watch_members(stopping), name="what belongs to applications")
            tasks.create_task(self._follow_kinds(stopping), name="kinds that change")
            tasks.create_task(self._keep_tidy(stopping), name="what is remembered of changes")

    async def _watch_records(self, stopping: asyncio.Event) -> None:
        async for change in self._records.watch(stopping=stopping):
            record = change.value
            if change.is_marker:
                self._know(APPLICATIONS.name)
                continue
            ours = record is not None and record.app.cluster == self._cluster_name
            if self._rules.take_record(change.key, record if ours else None):
                self._take_application(change.key)
        self._news.set()
        self._untidy.set()

    async def _watch_policies(self, stopping: asyncio.Event) -> None:
        async for change in self._policies.watch(stopping=stopping):
            policy = change.value
            if change.is_marker:
                self._rules.know_policies()
                self._know(POLICIES.name)
                continue
            if policy is not None and policy.app.cluster != self._cluster_name:
                continue
            if self._rules.take_policy(change.key, policy):
                self._at_once = True
                self._news.set()
        self._news.set()

    def _take_documents(self, uids: list[str]) -> None:
        for app_id in filter(None, map(self._rules.take_document, uids)):
            self._take_application(app_id)
        self._news.set()

    def _take_application(self, app_id: str) -> None:
        """Note that other rules of an application may wait."""
        self._changed.add(app_id)
        for followed in self._followed.values():
            followed.changes.outdate(app_id)
        self._news.set()

    def _know(self, bucket: str) -> None:
        self._known.add(bucket)
        self._news.set()

    async def _watch_members(self, stopping: asyncio.Event) -> None:
        async for change in self._bus.bucket(MEMBERS, Members).watch(stopping=stopping):
            if change.is_marker:
                self._know(MEMBERS.name)
            elif self._take_members(change.key, change.value):
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
                async with asyncio.timeout(LOOK_AGAIN_S if self._rules.kinds() else None):
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
        """Return when nothing has changed for a moment: what changes together is one change.

        A policy is not waited for: few come together, and each may be for many applications.
        """
        loop = asyncio.get_running_loop()
        last = loop.time() + SETTLE_MAX_S
        while True:
            self._news.clear()
            if self._at_once:
                self._at_once = False
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await self._news.wait()
            if not self._news.is_set() or loop.time() > last:
                return

    def _is_known(self) -> bool:
        all_known = self._known == {APPLICATIONS.name, MEMBERS.name, POLICIES.name}
        return self._in_force.complete and all_known

    async def _bring_in_line(self) -> None:
        named = self._rules.kinds()
        if named and not self._key:
            self._key = await change_key(self._cluster)
        kinds = await self._kinds(named)
        changed, self._changed = self._changed, set()
        renewed, self._renewed = self._renewed, set()
        for kind in self._followed.keys() - kinds.keys():
            self._informers.unfollow(kind, self._followed.pop(kind).changes)
        for kind, names in kinds.items():
            known = self._followed.get(kind)
            offered = self._rules.offered(names)
            if known is not None:
                same = (known.offered, known.named) == (offered, names)
                if same and not _concerns(known.changes, changed, renewed):
                    known.changes.confirm(changed)
                    continue
                self._informers.unfollow(kind, known.changes)
            changes = Changes(
                bus=self._bus,
                memory=self._memory,
                clock=self._clock,
                key=self._key,
                rules=self._rules,
                named=names,
                belonged=self._belonged,
                listed=partial(self._note_listed, kind),
            )
            self._followed[kind] = _Followed(offered, names, changes)
            self._informers.follow(kind, changes)
        self._untidy.set()

    async def _kinds(self, named: set[str]) -> dict[Kind, frozenset[str]]:
        """Return the kinds that rules wait for, each with the names by which rules name it."""
        if not named:
            return {}
        self._cluster.refresh()
        found = {}
        for kind in await self._cluster.kinds():
            names = {of for of in named if matches_kind((of,), kind.group, kind.kind, kind.plural)}
            if kind.namespaced and names:
                found[kind] = frozenset(names)
        return found

    def _note_listed(self, kind: Kind) -> None:
        self._listed.add(kind)
        self._untidy.set()

    async def _keep_tidy(self, stopping: asyncio.Event) -> None:
        """Remember which kinds were listed for which applications, and forget what is over."""
        while not stopping.is_set():
            await self._untidy.wait()
            self._untidy.clear()
            if stopping.is_set() or not self._is_known():
                continue
            try:
                await self._tidy()
            except AppShieldError as error:
                structlog.get_logger().warning("changes not remembered", problem=str(error))
                await pause(stopping, TIDY_AGAIN_S)
                self._untidy.set()

    async def _tidy(self) -> None:
        while self._listed:
            kind = self._listed.pop()
            if (followed := self._followed.get(kind)) is None:
                continue
            try:
                await followed.changes.keep_listed(kind)
            except AppShieldError:
                self._listed.add(kind)
                raise
        remembered = list(self._memory.apps())
        for first in range(0, len(remembered), _FORGOTTEN_AT_ONCE):
            some = remembered[first : first + _FORGOTTEN_AT_ONCE]
            await together(map(self._tidy_application, some), at_once=_FORGOTTEN_AT_ONCE)

    async def _tidy_application(self, app_id: str) -> None:
        if self._rules.of(app_id):
            return
        await self._memory.forget_application(app_id)
        if self._rules.of(app_id):  # one came meanwhile: what it has seen may be forgotten
            self._renewed.add(app_id)
            self._news.set()


def _concerns(changes: Changes, changed: set[str], renewed: set[str]) -> bool:
    """Say whether what has changed makes a difference for who follows a kind."""
    return any(map(changes.waits_otherwise, changed)) or any(map(changes.waits_in, renewed))


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
