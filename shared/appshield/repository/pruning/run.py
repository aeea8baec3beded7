"""One prune, step by step; what it promises is said in the package."""

import datetime as dt
from collections.abc import Callable
from typing import Final

import msgspec

from appshield.errors import DamagedError
from appshield.objectstore import ObjectRetainedError
from appshield.repository.comparing import Comparison, compare_packs
from appshield.repository.forgetting import ensure_exclusive
from appshield.repository.index import Index
from appshield.repository.index_rewriting import IndexRewrite
from appshield.repository.layout import file_name, list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.naming import name_packs
from appshield.repository.pruning.planning import PrunePlan, PruneSettings, plan_prune
from appshield.repository.pruning.repacking import Repacking
from appshield.repository.pruning.using import MOST_TOLD, UsedBlobs, find_used
from appshield.repository.repository import Repository
from appshield.repository.retiring import Retirement, retire, retired_packs, retirements

GRACE_S: Final = 24 * 3600.0


class PruneReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune did; sizes in bytes.

    `packs_waiting` are needed by no version and are deleted by a prune after their grace, or when
    the store no longer keeps them or an index that names them.
    `packs_rewritten` were replaced by new ones. `gave_way`: it stopped early and is to be repeated.
    """

    packs_deleted: int
    bytes_freed: int
    packs_rewritten: int
    packs_waiting: int
    bytes_waiting: int
    gave_way: bool


class _Survey(msgspec.Struct, frozen=True):
    """What there is, and what is used of it."""

    index: Index
    comparison: Comparison
    used: UsedBlobs


class _GaveWayError(Exception):
    """Somebody waits: stop here, where it is safe."""


class PruneRun:
    """What one call of `prune` does."""

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        *,
        grace_s: float,
        settings: PruneSettings,
        give_way: Callable[[], bool],
        now: dt.datetime,
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._grace_s = grace_s
        self._settings = settings
        self._give_way = give_way
        self._now = now
        self._unnamed: dict[str, int] = {}
        self._still_named: dict[str, int] = {}
        self._retired: dict[str, dt.datetime] = {}
        self._deleted = 0
        self._freed = 0
        self._rewritten = 0

    def run(self) -> PruneReport:
        """Do it all, or stop where somebody else has to go first."""
        ensure_exclusive(self._lock)
        self._lock.ensure_held()
        gave_way = False
        try:
            self._run()
        except _GaveWayError:
            gave_way = True
        waiting = self._unnamed | self._still_named
        return PruneReport(
            packs_deleted=self._deleted,
            bytes_freed=self._freed,
            packs_rewritten=self._rewritten,
            packs_waiting=len(waiting),
            bytes_waiting=sum(waiting.values()),
            gave_way=gave_way,
        )

    def _run(self) -> None:
        self._safe_point()
        self._retired = retired_packs(self._repository)
        survey = self._survey()
        index, plan = survey.index, self._plan(survey)
        self._delete_due()
        repacking = Repacking(self._repository, self._lock, index, plan, self._settings)
        completed = repacking.run(give_way=self._give_way)
        self._rewritten = len(repacking.done)
        self._drop(index, {*plan.dropped, *repacking.done})
        if not completed:
            raise _GaveWayError
        self._delete_due()
        self._tidy_records()

    def _safe_point(self) -> None:
        if self._give_way():
            raise _GaveWayError

    def _survey(self) -> "_Survey":
        """Look at everything; name again what was dropped and is used after all.

        Raises:
            DamagedError: something that is used is nowhere.
        """
        survey = self._look()
        if survey.used.missing and self._unnamed:
            name_packs(self._repository, self._lock, self._unnamed)
            survey = self._look()
        if survey.used.missing:
            raise DamagedError(
                "nothing can be pruned",
                why=f"a version uses what is missing: {'; '.join(survey.used.missing[:MOST_TOLD])}",
                next_step="Repair the index, then check the repository",
            )
        return survey

    def _look(self) -> "_Survey":
        index = self._repository.read_index()
        comparison = compare_packs(list_files(self._repository.store, "data"), index)
        self._unnamed = comparison.unnamed
        used = find_used(self._repository, index, safe_point=self._safe_point)
        return _Survey(index, comparison, used)

    def _plan(self, survey: "_Survey") -> PrunePlan:
        wrong = survey.comparison.wrong
        plan = plan_prune(survey.index.tables, survey.used.marks, wrong.keys(), self._settings)
        if plan.lost:
            lost = "; ".join(str(wrong[pack]) for pack in plan.lost[:MOST_TOLD])
            raise DamagedError(
                "nothing can be pruned",
                why=f"a version uses what is not as it should be: {lost}",
                next_step="Check the repository and heal it from a second copy",
            )
        return plan

    def _drop(self, index: Index, packs: set[int]) -> None:
        """Let the index name these packs no more; from now on they are retired."""
        table = index.tables.packs
        dropped = {table.identity(pack).hex(): table.sizes[pack] for pack in packs}
        orphans = self._unnamed.keys() - self._retired.keys()
        retiring = tuple(sorted({*dropped, *orphans}))
        if retiring and self._grace_s > 0:
            self._lock.ensure_held()
            retire(self._repository, Retirement(self._now, retiring))
        self._retired.update(dict.fromkeys(retiring, self._now))
        rewrite = IndexRewrite(self._repository, self._lock, index, dropped=packs)
        if rewrite.run() == 0:
            self._unnamed.update(dropped)
        else:  # an index that the store keeps still names them
            self._still_named.update(dropped)

    def _delete_due(self) -> None:
        """Delete packs that no index names and whose grace is over."""
        due = [pack_id for pack_id in self._unnamed if self._is_due(pack_id)]
        if due:
            self._lock.ensure_held()
        for pack_id in due:
            self._safe_point()
            self._lock.ensure_fresh()
            try:
                self._repository.store.delete(file_name("data", pack_id))
            except ObjectRetainedError:
                continue  # it waits for the store
            self._deleted += 1
            self._freed += self._unnamed.pop(pack_id)

    def _is_due(self, pack_id: str) -> bool:
        retired = self._retired.get(pack_id)
        if retired is None:
            return False
        return (self._now - retired).total_seconds() >= self._grace_s

    def _tidy_records(self) -> None:
        """Delete records of which no pack waits any more."""
        for name, retirement in list(retirements(self._repository)):
            if not self._unnamed.keys() & set(retirement.packs):
                self._lock.ensure_fresh()
                self._repository.store.delete(name)
