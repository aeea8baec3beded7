"""The uploader of the simulation: real publishing, over a told store of versions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import msgspec

from appshield.bus import Bucket, Bus
from appshield.contracts.backups import (
    BackupStored,
    BackupUnchanged,
    CommitBackup,
    OpenRepository,
    RepositoryOpened,
    SourcesLost,
    SourceStored,
    StoreSource,
    VersionFacts,
)
from appshield.contracts.maintenance import (
    CheckRepository,
    CopyVersion,
    ForgetVersions,
    PinVersion,
    PruneRepository,
    RepositoryChecked,
    RepositoryPruned,
    VersionCopied,
    VersionPinned,
    VersionsForgotten,
)
from appshield.contracts.message import StepCommand, StepEvent
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.sources import ManifestsSource, StoredSource, VolumeSource
from appshield.contracts.streams import RUNS
from appshield.custody import HeldRepository
from appshield.errors import NotFoundError
from appshield.repository import SealedSnapshot
from appshield.service import Clock
from appshield.service.steps import StepAftermath, StepContext, order_of, outcome, patient
from appshield.uploader.publishing import Publishing, sealed_in
from appshield.vault import ApplicationShelf
from simulation.outside import Outside, Store, Version
from simulation.process import Process
from simulation.workers import Handlers


class _Repository:
    """The part of a held repository that publishing needs."""

    lock = None

    def __init__(self, store: Store, app_id: str) -> None:
        self._store = store
        self._app_id = app_id

    @property
    def repository(self) -> "_Repository":
        return self

    def publish_snapshot(self, sealed: SealedSnapshot, *, lock: None) -> None:
        version = msgspec.json.decode(sealed.sealed, type=Version)
        self._store.add(self._app_id, version)


class Uploader:
    """Stores, commits, and keeps repositories in order."""

    def __init__(self, process: Process, outside: Outside, bus: Bus, clock: Clock) -> None:
        self._process = process
        self._outside = outside
        self._publishing = Publishing(bus)
        self._runs: Bucket[Run] = bus.bucket(RUNS, Run)
        self._clock = clock
        self._seals = 0

    def aftermaths(self) -> Mapping[type[StepCommand], StepAftermath]:
        return {CommitBackup: self.made}

    def handlers(self) -> Handlers:
        return {
            OpenRepository: self.open,
            StoreSource: self.store,
            CommitBackup: self.commit,
            ForgetVersions: patient(self.forget),
            PruneRepository: patient(self.prune),
            CheckRepository: self.check,
            PinVersion: self.pin,
            CopyVersion: self.copy,
        }

    async def open(self, command: StepCommand, context: StepContext) -> StepEvent:
        await self._process.reach()
        store, shelf = self._place(command)
        numbers = [one.number for one in store.of(command.app_id).values()]
        highest = max([shelf.highest_version(), *numbers])
        return outcome(RepositoryOpened, command, highest_version=highest)

    async def store(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, StoreSource)
        await self._process.reach()
        source = order.source
        tree = source.name
        if isinstance(source, VolumeSource):
            tree = source.claim
        elif isinstance(source, ManifestsSource):
            tree = source.sha256
        return outcome(
            SourceStored, order, stored=StoredSource(name=source.name, kind="any", tree=tree)
        )

    async def commit(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, CommitBackup)
        store, shelf = self._place(order)
        await self._process.reach()
        if found := _of_run(store, order.app_id, order.run):
            return _stored(order, found)
        written = await self._publishing.written(order.run)
        newest = store.of(order.app_id).get(order.newest_snapshot_id)
        if written is None and newest and newest.content in _trees(order.facts):
            return outcome(
                BackupUnchanged,
                order,
                app_id=order.app_id,
                vault=order.vault,
                number=newest.number,
                snapshot_id=newest.snapshot_id,
                cut_at=order.facts.cut_at,
            )
        if written is None:
            made = self._seal(order.facts, order.run)
            sealed = await self._publishing.write_ahead(order.run, made, None)
        else:
            sealed = sealed_in(written.value)

        async def promise() -> None:
            shelf.raise_highest_version(order.facts.number)

        await self._process.effect("promise the number", promise)
        await context.ensure_wanted()
        done = _stored(order, sealed.snapshot_id)
        await self._make_exist(store, order.app_id, sealed, done)
        return done

    async def made(self, command: StepCommand) -> StepEvent | None:
        order = order_of(command, CommitBackup)
        await self._process.reach()
        store, _ = self._place(order)
        found = _of_run(store, order.app_id, order.run)
        return _stored(order, found) if found else None

    async def forget(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, ForgetVersions)
        store, shelf = self._place(order)
        await context.ensure_wanted()

        async def do() -> tuple[Any, ...]:
            pins = shelf.pins()
            gone = tuple(one for one in order.versions if one.number not in pins)
            for one in gone:
                store.of(order.app_id).pop(one.snapshot_id, None)
            return gone

        gone = await self._process.effect("forget", do)
        return outcome(
            VersionsForgotten, order, app_id=order.app_id, vault=order.vault, versions=gone
        )

    async def prune(self, command: StepCommand, context: StepContext) -> StepEvent:
        _, shelf = self._place(command)
        for run in shelf.staging():
            entry = await self._runs.get(run)
            if entry is None or entry.value.state in FINAL_STATES:
                shelf.unstage(run)
        return outcome(
            RepositoryPruned,
            command,
            app_id=command.app_id,
            vault=command.vault,
            pruned_at=self._clock.now(),
        )

    async def check(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, CheckRepository)
        await self._process.reach()
        return outcome(
            RepositoryChecked,
            order,
            app_id=order.app_id,
            vault=order.vault,
            checked_at=self._clock.now(),
            part=order.part,
            parts=order.parts,
        )

    async def pin(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, PinVersion)
        store, shelf = self._place(order)
        number = order.version.number

        async def do() -> None:
            if not order.pinned:
                shelf.unpin(number)
                return
            if order.version.snapshot_id not in store.of(order.app_id):
                raise NotFoundError(f"version {number} does not exist any more")
            shelf.pin(number, by=order.actor)

        await self._process.effect(f"pin {number}", do)
        return outcome(
            VersionPinned, order, app_id=order.app_id, number=number, pinned=order.pinned
        )

    async def copy(self, command: StepCommand, context: StepContext) -> StepEvent:
        order = order_of(command, CopyVersion)
        store, shelf = self._place(order)
        await self._process.reach()
        source = self._outside.stores[order.source].of(order.app_id)
        found = source.get(order.version.snapshot_id)
        if found is None:
            raise NotFoundError(f"version {order.version.number} is not in {order.source}")
        facts = _facts(order, found, self._clock.now())
        if there := _of_run(store, order.app_id, found.run):
            return self._copied(order, facts, there)
        key = f"{found.run}.{order.vault}"
        written = await self._publishing.written(key)
        if written is None:
            sealed = await self._publishing.write_ahead(key, self._seal(facts, found.run), None)
        else:
            sealed = sealed_in(written.value)
        shelf.raise_highest_version(found.number)
        await context.ensure_wanted()
        done = self._copied(order, facts, sealed.snapshot_id)
        await self._make_exist(store, order.app_id, sealed, done)
        return done

    def _copied(self, order: CopyVersion, facts: VersionFacts, snapshot_id: str) -> StepEvent:
        return outcome(
            VersionCopied,
            order,
            app_id=order.app_id,
            vault=order.vault,
            source=order.source,
            facts=facts,
            snapshot_id=snapshot_id,
            copied_at=self._clock.now(),
        )

    async def _make_exist(
        self, store: Store, app_id: str, sealed: SealedSnapshot, done: StepEvent
    ) -> None:
        held = cast("HeldRepository", _Repository(store, app_id))  # as far as publishing looks

        async def publish() -> None:
            await self._publishing.make_exist(held, sealed, done)

        await self._process.effect("publish the snapshot", publish)

    def _seal(self, facts: VersionFacts, run: str) -> SealedSnapshot:
        self._seals += 1
        version = Version(
            snapshot_id=f"{run}/{self._process.name}/{self._seals}",
            number=facts.number,
            run=run,
            consistency=facts.consistency,
            trees=_trees(facts),
        )
        return SealedSnapshot(version.snapshot_id, msgspec.json.encode(version))

    def _place(self, order: StepCommand) -> tuple[Store, ApplicationShelf]:
        store = self._outside.stores[order.vault]
        return store, store.vault.application(order.app_id)


def _of_run(store: Store, app_id: str, run: str) -> str:
    return next((one.snapshot_id for one in store.of(app_id).values() if one.run == run), "")


def _trees(facts: VersionFacts) -> tuple[str, ...]:
    return tuple(source.tree for source in facts.sources)


def _stored(order: CommitBackup, snapshot_id: str) -> BackupStored | SourcesLost:
    return outcome(
        BackupStored, order, facts=order.facts, snapshot_id=snapshot_id, vault=order.vault
    )


def _facts(order: CopyVersion, found: Version, now: datetime) -> VersionFacts:
    return VersionFacts(
        app=order.app,
        app_id=order.app_id,
        uid="",
        number=found.number,
        run=found.run,
        revision="r1",
        consistency=found.consistency,
        cut_at=now,
        trigger="manual",
        sources=tuple(StoredSource(name=tree, kind="any", tree=tree) for tree in found.trees),
    )
