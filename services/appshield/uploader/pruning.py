"""Prune a repository: what no version needs goes, and backups and restores go first.

The run says when one of them waits: pruning then stops at its next safe point and is planned again.
What a worker staged for a run that had ended meanwhile goes, too.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from appshield.bus import Bucket, Bus
from appshield.contracts.maintenance import PruneRepository, RepositoryPruned
from appshield.contracts.message import StepCommand
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import RUNS
from appshield.custody import Custody, HeldRepository
from appshield.repository import PruneReport, prune
from appshield.service import Cancelled, Clock, SystemClock, run_bulk
from appshield.service.steps import StepContext, order_of, outcome
from appshield.vault import ApplicationShelf


class Pruning:
    """Prunes repositories; killed and called again, it goes on."""

    def __init__(self, *, bus: Bus, custody: Custody, clock: Clock | None = None) -> None:
        self._runs: Bucket[Run] = bus.bucket(RUNS, Run)
        self._custody = custody
        self._clock = clock or SystemClock()

    async def prune(self, command: StepCommand, context: StepContext) -> RepositoryPruned:
        """Remove what no version needs; what was needed lately goes after the grace only."""
        order = order_of(command, PruneRepository)
        async with (
            self._custody.held_alone(order.vault, order.app_id) as held,
            self._asked_to_give_way(order.run) as asked,
        ):
            await context.ensure_wanted()
            await self._unstage_ended(held.shelf)
            done = await run_bulk(partial(_prune, held, order, asked))
        return outcome(
            RepositoryPruned,
            order,
            app_id=order.app_id,
            vault=order.vault,
            pruned_at=self._clock.now(),
            gave_way=done.gave_way,
            bytes_freed=done.bytes_freed,
            bytes_waiting=done.bytes_waiting,
            packs_deleted=done.packs_deleted,
            packs_rewritten=done.packs_rewritten,
        )

    async def _unstage_ended(self, shelf: ApplicationShelf) -> None:
        """Remove what was staged late: by a worker that was stopped until its run had ended."""
        for run in await asyncio.to_thread(shelf.staging):
            entry = await self._runs.get(run)
            if entry is None or entry.value.state in FINAL_STATES:
                await asyncio.to_thread(shelf.unstage, run)

    @asynccontextmanager
    async def _asked_to_give_way(self, run: str) -> AsyncIterator[threading.Event]:
        """Give what is set as soon as the run says that somebody waits."""
        asked, over = threading.Event(), asyncio.Event()

        async def follow() -> None:
            async for change in self._runs.watch(run, stopping=over):
                seen = change.value
                if seen is not None and seen.prune is not None and seen.prune.gives_way:
                    asked.set()
                    return

        following = asyncio.create_task(follow(), name="give way?")
        try:
            yield asked
        finally:
            over.set()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def _prune(
    held: HeldRepository, order: PruneRepository, asked: threading.Event, cancelled: Cancelled
) -> PruneReport:
    return prune(
        held.repository,
        held.lock,
        grace_s=order.grace_s,
        give_way=lambda: asked.is_set() or cancelled(),
    )
