"""In any order of backups, prunes and crashes every kept version restores and check is clean."""

import datetime as dt

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from appshield.objectstore import MemoryObjectStore, ObjectStore
from appshield.repository import (
    PruneSettings,
    Reader,
    Repository,
    RepositoryLock,
    adopt_unnamed_packs,
    check,
    forget,
    prune,
    repair_index,
)
from appshield.repository.retiring import RETIRED
from failing_store import FailingStore, StoreLostError, names_in
from repository_content import PASSWORD, SWIFT, back_up, noise

DAY_S = 86_400.0
GRACES_S = st.sampled_from([0.0, DAY_S])
CRASHES = st.one_of(st.none(), st.tuples(st.integers(1, 25), st.booleans()))
"""At which write the store is lost, and whether that write still took effect."""

PRUNES = st.builds(
    PruneSettings,
    most_unused=st.sampled_from([0.0, 0.3]),
    pack_bytes=st.sampled_from([1, 20_000, 1 << 20]),
)


class Maintenance(RuleBasedStateMachine):
    """A repository that many work on, one after the other, and some of them die."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryObjectStore()
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.kept: dict[str, dict[bytes, bytes]] = {}
        self.backups = 0
        Repository.create(self.store, PASSWORD)

    def _crashing(self, crash: tuple[int, bool] | None) -> ObjectStore:
        if crash is None:
            return self.store
        return FailingStore(self.store, crash[0], after_effect=crash[1])

    def _recover(self) -> None:
        """Do what a successor does with the lock of a dead worker."""
        for name in names_in(self.store, "locks"):
            self.store.delete(name)

    def _versions(self) -> dict[str, str]:
        """Return the snapshots by tag."""
        found = Repository.open(self.store, PASSWORD).snapshots()
        return {document.tags[0]: snapshot_id for snapshot_id, document in found}

    @rule(seeds=st.sets(st.integers(0, 9), min_size=1, max_size=4), crash=CRASHES)
    def back_up(self, seeds: set[int], crash: tuple[int, bool] | None) -> None:
        self.backups += 1
        tag = f"v{self.backups}"
        files = {b"%d" % seed: noise(3000, seed) for seed in seeds}
        try:
            back_up(self._crashing(crash), files, tag)
        except StoreLostError:
            self._recover()
        if tag in self._versions():
            self.kept[tag] = files

    @rule(choice=st.integers(0, 99), crash=CRASHES)
    def forget(self, choice: int, crash: tuple[int, bool] | None) -> None:
        versions = self._versions()
        if not versions:
            return
        tag = sorted(versions)[choice % len(versions)]
        try:
            repository = Repository.open(self._crashing(crash), PASSWORD)
            with alone(repository) as lock:
                forget(repository, lock, [versions[tag]])
        except StoreLostError:
            self._recover()
        self.kept = {tag: self.kept[tag] for tag in self._versions()}

    @rule(grace_s=GRACES_S, how=PRUNES, crash=CRASHES, patience=st.integers(0, 200))
    def prune(
        self, grace_s: float, how: PruneSettings, crash: tuple[int, bool] | None, patience: int
    ) -> None:
        asked = iter(range(patience))
        try:
            repository = Repository.open(self._crashing(crash), PASSWORD)
            with alone(repository) as lock:
                prune(
                    repository,
                    lock,
                    grace_s=grace_s,
                    settings=how,
                    give_way=lambda: next(asked, None) is None,
                    now=self.now,
                )
        except StoreLostError:
            self._recover()

    @rule(crash=CRASHES)
    def adopt(self, crash: tuple[int, bool] | None) -> None:
        try:
            repository = Repository.open(self._crashing(crash), PASSWORD)
            with RepositoryLock.acquire(repository, owner="me", timing=SWIFT) as lock:
                adopt_unnamed_packs(repository, lock)
        except StoreLostError:
            self._recover()

    @rule(crash=CRASHES)
    def lose_an_index_and_repair(self, crash: tuple[int, bool] | None) -> None:
        for name in names_in(self.store, "index")[:1]:
            self.store.delete(name)
        for attempt in (crash, None):
            try:
                repository = Repository.open(self._crashing(attempt), PASSWORD)
                with alone(repository) as lock:
                    repair_index(repository, lock)
            except StoreLostError:
                self._recover()

    @rule(hours=st.sampled_from([1, 12, 25]))
    def wait(self, hours: int) -> None:
        self.now += dt.timedelta(hours=hours)

    @invariant()
    def every_kept_version_restores(self) -> None:
        repository = Repository.open(self.store, PASSWORD)
        assert check(repository, read_data=True).errors == ()
        assert set(self._versions()) == set(self.kept)
        reader = Reader(repository)
        for _, document in repository.snapshots():
            for name, data in self.kept[document.tags[0]].items():
                for path in (name, b"sub/" + name):
                    node = reader.find(document.tree_id, path)
                    assert b"".join(reader.iter_file(node)) == data

    def teardown(self) -> None:
        """Two undisturbed prunes leave nothing but what the kept versions need."""
        for _ in range(2):
            repository = Repository.open(self.store, PASSWORD)
            self.now += dt.timedelta(days=2)
            with alone(repository) as lock:
                report = prune(
                    repository,
                    lock,
                    grace_s=DAY_S,
                    settings=PruneSettings(most_unused=0, pack_bytes=1),
                    now=self.now,
                )
        self.every_kept_version_restores()
        assert (report.packs_waiting, names_in(self.store, RETIRED)) == (0, [])
        needed = {seed for files in self.kept.values() for seed in files}
        index = Repository.open(self.store, PASSWORD).read_index()
        assert index.count("data") == len(needed)
        assert check(Repository.open(self.store, PASSWORD)).warnings == ()


def alone(repository: Repository) -> RepositoryLock:
    """Hold the repository exclusively."""
    return RepositoryLock.acquire(repository, exclusive=True, owner="fix", timing=SWIFT)


TestMaintenance = Maintenance.TestCase
TestMaintenance.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
