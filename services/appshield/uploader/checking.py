"""Check a repository beside whatever is being done, and record which versions are damaged."""

from functools import partial

import msgspec

from appshield.contracts.maintenance import CheckRepository, RepositoryChecked, VersionDamage
from appshield.contracts.message import StepCommand
from appshield.custody import Custody, HeldRepository
from appshield.errors import RunFailedError
from appshield.repository import CheckReport, Sample, check
from appshield.service import Cancelled, Clock, SystemClock, run_bulk
from appshield.service.steps import StepContext, order_of, outcome
from appshield.uploader.findings import (
    beside_versions,
    damage_of,
    joined,
    known_damage,
    numbers_of,
    remember,
)

_PROBLEMS_TOLD_MAX = 20


class _Checked(msgspec.Struct, frozen=True):
    report: CheckReport
    damage: tuple[VersionDamage, ...]
    numbers: dict[str, int]


class Checking:
    """Checks repositories; what it finds is recorded beside them before it is told."""

    def __init__(self, custody: Custody, *, clock: Clock | None = None) -> None:
        self._custody = custody
        self._clock = clock or SystemClock()

    async def check(self, command: StepCommand, context: StepContext) -> RepositoryChecked:
        """Check everything but data, and the part of the data that the order names."""
        order = order_of(command, CheckRepository)
        checked_at = self._clock.now()
        async with self._custody.held(order.vault, order.app_id) as held:
            done = await run_bulk(partial(self._check, held, order, context))
        problems = beside_versions(done.report.errors)
        damaged = {one.number for one in done.damage}
        whole = order.parts == 1
        verified = sorted(set(done.numbers.values()) - damaged - {0}) if whole else ()
        return outcome(
            RepositoryChecked,
            order,
            app_id=order.app_id,
            vault=order.vault,
            checked_at=checked_at,
            part=order.part,
            parts=order.parts,
            damage=done.damage,
            verified=tuple(verified),
            problems=tuple(problems[:_PROBLEMS_TOLD_MAX]),
            problems_total=len(problems),
            versions=done.report.snapshots,
            packs=done.report.packs,
            bytes_read=done.report.bytes_read,
        )

    def _check(
        self,
        held: HeldRepository,
        order: CheckRepository,
        context: StepContext,
        cancelled: Cancelled,
    ) -> _Checked:
        def moved() -> None:
            if cancelled():
                raise RunFailedError("the check was stopped")
            context.moved()

        before = () if order.parts == 1 else known_damage(held.shelf)
        report = check(held.repository, read_data=_how_much(order), moved=moved)
        numbers = numbers_of(held.repository.list_snapshots())
        damage = joined(before, damage_of(report.errors, numbers), numbers)
        remember(held.shelf, damage, self._clock.now())
        return _Checked(report, damage, numbers)


def _how_much(order: CheckRepository) -> bool | Sample:
    if order.parts < 2:
        return order.parts == 1
    return Sample(turn=order.part, share=1 / order.parts)
