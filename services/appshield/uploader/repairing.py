"""Repair a repository: what opens it, its index from the packs, damage from the other Vaults."""

from collections.abc import Iterable
from functools import partial

from appshield.contracts.maintenance import RepairRepository, RepositoryRepaired
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository, mend_repository
from appshield.repository import RepairReport, repair_index
from appshield.service import Cancelled, Clock, SystemClock, run_blocking
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.healing import Healing

_TOLD_MAX = 20


class Repairing:
    """Repairs repositories; killed and called again, it goes on."""

    def __init__(self, custody: Custody, *, clock: Clock | None = None) -> None:
        self._custody = custody
        self._clock = clock or SystemClock()
        self._healing = Healing(custody, clock=self._clock)

    async def repair(self, command: StepCommand, context: StepContext) -> RepositoryRepaired:
        """Mend what opens it; name what is there, drop what is not; then heal."""
        order = order_of(command, RepairRepository)
        async with self._custody.held_alone(order.vault, order.app_id) as held:
            await context.ensure_wanted()
            repaired_at = self._clock.now()
            opening, done = await run_blocking(partial(_repair, held))
            healed = await self._healing.heal(held, order, context) if order.others else None
        unreadable = (f"pack {pack}: {why}" for pack, why in done.unreadable)
        return outcome(
            RepositoryRepaired,
            order,
            app_id=order.app_id,
            vault=order.vault,
            repaired_at=repaired_at,
            opening=opening,
            named=_some(done.named),
            named_total=len(done.named),
            dropped=_some(done.dropped),
            dropped_total=len(done.dropped),
            unreadable=_some(unreadable),
            unreadable_total=len(done.unreadable),
            damaged_indexes=_some(done.damaged_indexes),
            damaged_indexes_total=len(done.damaged_indexes),
            healed=healed,
        )


def _repair(held: HeldRepository, _: Cancelled) -> tuple[tuple[str, ...], RepairReport]:
    opening = mend_repository(held.shelf, held.repository)
    return opening, repair_index(held.repository, held.lock)


def _some(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)[:_TOLD_MAX]
