"""Pruning: what no version uses goes from a repository, in two phases.

First packs are dropped from the index; then, a grace period later, a prune deletes them, unless
they have been named or needed again. The order of effects keeps every version whole at every
moment, wherever a prune dies, and the next prune completes it:

    new packs → index files that name them → record of what is dropped (`retiring`)
    → rewritten index files → old index files deleted → packs deleted when their time has come
"""

import datetime as dt
from collections.abc import Callable

from appshield.repository.locks import RepositoryLock
from appshield.repository.pruning.planning import PruneSettings
from appshield.repository.pruning.run import GRACE_S, PruneReport, PruneRun
from appshield.repository.repository import Repository

__all__ = ["GRACE_S", "PruneReport", "PruneSettings", "prune"]


def prune(
    repository: Repository,
    lock: RepositoryLock,
    *,
    grace_s: float = GRACE_S,
    settings: PruneSettings | None = None,
    give_way: Callable[[], bool] = lambda: False,
    now: dt.datetime | None = None,
) -> PruneReport:
    """Remove what no version needs; with `grace_s` 0 at once, as restic does.

    `give_way` is asked again and again; once it says so, pruning stops at the next safe point.

    Raises:
        RefusedError: the lock is not exclusive.
        LockLostError: the lock was lost on the way; the repository is valid.
        DamagedError: something that a version uses is missing or damaged; nothing was removed.
    """
    return PruneRun(
        repository,
        lock,
        grace_s=grace_s,
        settings=settings or PruneSettings(),
        give_way=give_way,
        now=now or dt.datetime.now(dt.UTC),
    ).run()
