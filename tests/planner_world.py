"""A world around the planner in memory: workers that do as told, and a planner that can be killed.

`Mortal` stands between the planner and the bus. It counts every effect (write, publish, timer) and
ends the planner right before or right after the chosen one, as `kill -9` would: nothing that
follows is done, and what the planner knew is gone.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from appshield.bus import Bucket, Receipt
from appshield.contracts import streams
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.applications import ApplicationObserved, ApplicationRecord, Protection
from appshield.contracts.backups import (
    BackupStored,
    BackupUnchanged,
    CommitBackup,
    OpenRepository,
    ReleaseSnapshot,
    RepositoryOpened,
    SnapshotReleased,
    SnapshotTaken,
    SourceStored,
    StoreSource,
    TakeSnapshot,
    VersionFacts,
)
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.maintenance import (
    CheckRepository,
    CopyVersion,
    ForgetVersions,
    Healed,
    LockedVersion,
    PinVersion,
    PruneRepository,
    RepairRepository,
    RepositoryChecked,
    RepositoryPruned,
    RepositoryRepaired,
    VersionCopied,
    VersionDamage,
    VersionPinned,
    VersionsForgotten,
)
from appshield.contracts.message import Message, StepCommand, StepEvent
from appshield.contracts.requests import RequestPause
from appshield.contracts.restores import PlanRestore, RestorePlanned
from appshield.contracts.runs import Run
from appshield.contracts.sources import ManifestsSource, StoredSource, VolumeSource
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec
from appshield.errors import AppShieldError
from appshield.planner.handling import Planner
from appshield.planner.leading import Leadership
from appshield.planner.lines import DEFAULT_LIMITS, Limits
from appshield.planner.service import build
from appshield.service.steps import StepContext, StepWork, order_of, outcome
from memory_bus import MemoryBus

APP = AppRef(cluster="test", namespace="shop", name="shop")
CUT_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLANNER_CONSUMERS = (
    streams.PLANNER_FACTS,
    streams.PLANNER_REQUESTS,
    streams.PLANNER_OUTCOMES,
    streams.PLANNER_TIMERS,
    streams.PLANNER_SIGNALS,
)
WORKER_CONSUMERS = (streams.SNAPSHOTTER_ORDERS, streams.UPLOADER_ORDERS, streams.RESTORER_ORDERS)
Moment = Literal["before", "after"]


class Killed(BaseException):
    """The planner was ended at this instruction."""


class Mortal:
    """A bus for one planner that ends it at its n-th effect; never for n = 0."""

    def __init__(self, bus: MemoryBus, *, at: int = 0, moment: Moment = "before") -> None:
        self._bus = bus
        self._at = at
        self._moment = moment
        self.effects = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def bucket(self, spec: BucketSpec, of: type[Any]) -> "MortalBucket":
        return MortalBucket(self, self._bus.bucket(spec, of))

    async def publish_raw(
        self,
        subject: str,
        body: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        done: Receipt = await self.effect(
            self._bus.publish_raw, subject, body, message_id=message_id, headers=headers
        )
        return done

    async def schedule(self, *given: Any, **named: Any) -> None:
        await self.effect(self._bus.schedule, *given, **named)

    async def effect(self, do: Any, *given: Any, **named: Any) -> Any:
        self.effects += 1
        if self.effects == self._at and self._moment == "before":
            raise Killed
        done = await do(*given, **named)
        if self.effects == self._at and self._moment == "after":
            raise Killed
        return done


class MortalBucket:
    """A bucket whose writes count as effects."""

    def __init__(self, mortal: Mortal, bucket: Bucket[Any]) -> None:
        self._mortal = mortal
        self._bucket = bucket

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._bucket, name)
        if name not in {"create", "update", "put", "delete"}:
            return found

        async def counted(*given: Any, **named: Any) -> Any:
            return await self._mortal.effect(found, *given, **named)

        return counted


class BusClock:
    """The bus's own time, which tests move."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def now(self) -> datetime:
        return self._bus.now


class Workers:
    """Workers that succeed, except where `failures` says otherwise; each counts what it did."""

    def __init__(self) -> None:
        self.volume_bytes = 0
        self.states: dict[str, str] = {}
        self.done: Counter[str] = Counter()
        self.failures: dict[type[StepCommand], list[AppShieldError]] = {}
        self.versions: dict[str, int] = {}
        self.highest_version = 0
        """The highest number that the repository has when it is opened."""
        self.facts: dict[int, VersionFacts] = {}
        self.copied: Counter[tuple[str, int]] = Counter()
        self.broken: dict[str, AppShieldError] = {}
        """What a Vault says to whoever restores from it."""
        self.planned: list[tuple[str, str]] = []
        self.forgotten: set[int] = set()
        self.locked_until: dict[int, datetime] = {}
        self.damaged: tuple[VersionDamage, ...] = ()
        self.healed: Healed | None = None
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.cut_at: datetime | None = None
        """When snapshots are cut; None: at `now`."""
        self.unchanged = False
        """Whether nothing has changed since the version that a commit is compared with."""

    def handlers(self) -> dict[type[StepCommand], Any]:
        return {
            OpenRepository: self.open,
            TakeSnapshot: self.take,
            StoreSource: self.store,
            CommitBackup: self.commit,
            ReleaseSnapshot: self.release,
            ForgetVersions: self.forget,
            PruneRepository: self.prune,
            CheckRepository: self.check,
            RepairRepository: self.repair,
            PinVersion: self.pin,
            CopyVersion: self.copy,
            PlanRestore: self.plan,
        }

    def _begin(self, command: StepCommand) -> None:
        waiting = self.failures.get(type(command), [])
        if waiting:
            raise waiting.pop(0)
        self.done[type(command).__name__] += 1

    async def open(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(RepositoryOpened, command, highest_version=self.highest_version)

    async def take(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        volume = VolumeSource(
            name="volumes/data",
            node="node",
            method="snapshot",
            pod_namespace="appshield-system",
            pod="holder",
            pod_uid="0",
            claim="copy",
            original_claim="data",
        )
        return outcome(
            SnapshotTaken,
            command,
            sources=(ManifestsSource(name="manifests", sha256="0", objects=1), volume),
            consistency="crash-group",
            revision="r1",
            cut_at=self.cut_at or self.now(),
            states=self.states,
        )

    async def store(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, StoreSource)
        self._begin(command)
        size_bytes = self.volume_bytes if isinstance(order.source, VolumeSource) else 0
        stored = StoredSource(name=order.source.name, kind="any", tree="00", bytes_read=size_bytes)
        return outcome(SourceStored, command, stored=stored)

    async def commit(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, CommitBackup)
        self._begin(command)
        if self.unchanged and order.newest_snapshot_id:
            [number] = [n for run, n in self.versions.items() if run == order.newest_snapshot_id]
            return outcome(
                BackupUnchanged,
                command,
                app_id=order.app_id,
                vault=order.vault,
                number=number,
                snapshot_id=order.newest_snapshot_id,
                cut_at=order.facts.cut_at,
            )
        number = self.versions.setdefault(order.run, order.facts.number)
        if number != order.facts.number:
            raise AssertionError("one run was given two version numbers")
        self.facts[number] = order.facts
        return outcome(
            BackupStored, command, facts=order.facts, snapshot_id=order.run, vault=order.vault
        )

    async def release(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(SnapshotReleased, command)

    async def forget(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, ForgetVersions)
        self._begin(command)
        locked = tuple(
            LockedVersion(number=version.number, until=until)
            for version in order.versions
            if (until := self.locked_until.get(version.number, self.now())) > self.now()
        )
        kept = {one.number for one in locked}
        gone = tuple(version for version in order.versions if version.number not in kept)
        self.forgotten.update(version.number for version in gone)
        return outcome(
            VersionsForgotten,
            command,
            app_id=order.app_id,
            vault=order.vault,
            versions=gone,
            locked=locked,
        )

    async def prune(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(
            RepositoryPruned,
            command,
            app_id=command.app_id,
            vault=command.vault,
            pruned_at=self.now(),
        )

    async def check(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, CheckRepository)
        self._begin(command)
        return outcome(
            RepositoryChecked,
            command,
            app_id=order.app_id,
            vault=order.vault,
            checked_at=self.now(),
            part=order.part,
            parts=order.parts,
            damage=self.damaged,
        )

    async def repair(self, command: StepCommand, _: StepContext) -> StepEvent:
        self._begin(command)
        return outcome(
            RepositoryRepaired,
            command,
            app_id=command.app_id,
            vault=command.vault,
            repaired_at=self.now(),
            named=("a pack",),
            named_total=1,
            healed=self.healed,
        )

    async def pin(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, PinVersion)
        self._begin(command)
        number = order.version.number
        return outcome(
            VersionPinned, command, app_id=order.app_id, number=number, pinned=order.pinned
        )

    async def copy(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, CopyVersion)
        self._begin(command)
        self.copied[order.vault, order.version.number] += 1
        return outcome(
            VersionCopied,
            command,
            app_id=order.app_id,
            vault=order.vault,
            source=order.source,
            facts=self.facts[order.version.number],
            snapshot_id=f"{order.vault}-{order.version.number}",
            copied_at=self.now(),
        )

    async def plan(self, command: StepCommand, _: StepContext) -> StepEvent:
        order = order_of(command, PlanRestore)
        self._begin(command)
        self.planned.append((order.vault, order.snapshot_id))
        if order.vault in self.broken:
            raise self.broken[order.vault]
        return outcome(RestorePlanned, command, objects=())


class World:
    """Bus, workers, and the planner of the moment."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.bus = MemoryBus("planner", now=CUT_AT)
        self.workers = Workers()
        self.workers.now = lambda: self.bus.now
        self.work = StepWork(self.bus, worker="worker", handlers=self.workers.handlers())
        self.planner: Planner | None = None
        self.mortal = Mortal(self.bus)

    async def observe(
        self,
        *protections: Protection,
        targets: tuple[str, ...] = ("primary",),
        resource_version: str = "1",
    ) -> None:
        """Let the watcher have told the application."""
        await self.bus.publish(
            ApplicationObserved(
                app=APP,
                uid="uid-1",
                resource_version=resource_version,
                exists=True,
                revision="r1",
                protections=protections,
                targets=targets,
            )
        )

    async def pause(self) -> None:
        """Let somebody pause the application."""
        await self.ask(RequestPause(app=APP, request_id=f"pause-{self.bus.now}"))
        await self.settle()

    async def ask(self, message: Message) -> None:
        """Publish a request."""
        await self.bus.publish(message)

    async def deliver(self, consumer: ConsumerSpec) -> int:
        """Deliver what waits for the planner at one consumer; return how much."""
        assert self.planner is not None
        return await self.bus.deliver(consumer, self.planner.handle)

    async def new_planner(self, *, at: int = 0, moment: Moment = "before") -> None:
        """Let a planner take over, whatever became of the one before."""
        await self.bus.bucket(streams.LEASES, str).delete("planner")
        self.mortal = Mortal(self.bus, at=at, moment=moment)
        leadership = Leadership(self.bus, "planner")
        await leadership.acquire(asyncio.Event())
        mortal: Any = self.mortal
        self.planner = build(mortal, leadership, BusClock(self.bus), self.limits, tell_after_s=0)
        await self.planner.reconcile()

    async def turn(self) -> bool:
        """Deliver what waits, to planner and workers; say whether anything did."""
        moved = 0
        for consumer in PLANNER_CONSUMERS:
            moved += await self.deliver(consumer)
        node = agent_consumer("uploader", "test", "node")
        for consumer in (*WORKER_CONSUMERS, node):
            moved += await self.bus.deliver(consumer, self.work.handle)
        return moved > 0

    async def settle(self) -> None:
        """Go on until nothing waits any more, and what was published is cleared."""
        for _ in range(200):
            if not await self.turn():
                if self.planner is not None:
                    await self.planner.clear_outboxes()
                return
        raise AssertionError("the world does not come to rest")

    async def runs(self) -> list[Run]:
        """List all runs."""
        return [entry.value async for entry in self.bus.bucket(streams.RUNS, Run).items()]

    async def versions(self) -> list[VersionRecord]:
        """List the versions in the catalog."""
        bucket = self.bus.bucket(streams.CATALOG, VersionRecord)
        return [entry.value async for entry in bucket.items()]

    async def record(self) -> ApplicationRecord:
        """Read the application's record."""
        bucket = self.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
        return await anext(entry.value async for entry in bucket.items())
