"""Whose turn it is: at most one run at a time may change an application.

Runs wait in the order in which they came; prunes, and what else is done for upkeep, let the others
go first, and a prune that is under way is told to give way to a backup or a restore. Checks, pins,
copies and catalog runs change no application and stand beside. A run that waits for somebody's
approval is in no line until it has it.

Every function may be called again after a crash at any instruction and goes on where it stopped.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from appshield.bus import Entry
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.runs import FINAL_STATES, Failure, Run
from appshield.planner import deciding
from appshield.planner.leading import Leadership
from appshield.planner.registry import Registry
from appshield.planner.retaining import Retention
from appshield.planner.runs import Runs
from appshield.service import Clock

_GO_FIRST = frozenset({"backup", "restore"})


class Queue:
    """Starts runs when their turn has come."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        retention: Retention,
        leadership: Leadership,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._retention = retention
        self._leadership = leadership
        self._clock = clock

    async def admit(self, entry: Entry[Run]) -> None:
        """Let a new run wait for its turn, which may be now; or fold it into one that waits."""
        run = entry.value
        if run.state != "pending":
            await self._runs.write(entry, run)
            return
        record = self._registry.get(run.app_id)
        if record is None:
            raise LookupError(f"run {run.id} names an unknown history {run.app_id}")
        if run.needs_approval and run.approval is None:
            await self._hold(entry, record)
            return
        if run.id not in {record.active_run, *record.pending_runs}:
            waiting = await self._all(record.pending_runs)
            if (same := _same_wish(run, waiting)) is not None:
                await self._runs.write(entry, replace(run, state="folded", folded_into=same.id))
                return
            record = await self._registry.write(
                replace(
                    record,
                    pending_runs=_in_line(run, waiting),
                    awaiting_approval=_without(run.id, record.awaiting_approval),
                )
            )
        if run.kind in _GO_FIRST and record.active_run != run.id:
            await self._ask_to_give_way(record.active_run)
        await self.start_next(record)

    async def start_beside(self, entry: Entry[Run]) -> None:
        """Start a run that changes no application; such runs never wait."""
        if entry.value.state == "pending":
            await self._start(entry)
        else:
            await self._runs.write(entry, entry.value)

    async def refuse(self, run: Run, why: Failure) -> None:
        """End a run before it begins."""
        entry = await self._runs.create(run)
        if entry.value.state == "pending":
            await self._runs.write(entry, deciding.refuse(entry.value, why, now=self._clock.now()))

    async def cancel(self, entry: Entry[Run], why: Failure) -> Run:
        """Stop a run that has not ended; return it as it is then."""
        cancelled = deciding.cancel(
            entry.value, why, epoch=self._leadership.epoch, now=self._clock.now()
        )
        written = await self._runs.write(entry, cancelled)
        if written.value.state in FINAL_STATES:
            await self.settle(written.value)
        return written.value

    async def settle(self, run: Run) -> None:
        """After a run has ended, let the next one of its application begin."""
        record = self._registry.get(run.app_id)
        if record is None:
            return
        record = await self._registry.write(
            replace(
                record,
                active_run="" if run.id == record.active_run else record.active_run,
                pending_runs=_without(run.id, record.pending_runs),
                awaiting_approval=_without(run.id, record.awaiting_approval),
            )
        )
        await self.start_next(record)

    async def start_next(self, record: ApplicationRecord) -> None:
        """Start the run whose turn it is: the active one if it has not begun, else the next."""
        if not record.active_run and record.pending_runs:
            head, *rest = record.pending_runs
            record = await self._registry.write(
                replace(record, active_run=head, pending_runs=tuple(rest))
            )
        if not record.active_run:
            return
        entry = await self._runs.get(record.active_run)
        if entry is not None and entry.value.state == "pending":
            entry = await self._start(entry)
        if entry is None or entry.value.state in FINAL_STATES:
            freed = await self._registry.write(replace(record, active_run=""))
            await self.start_next(freed)

    async def _start(self, entry: Entry[Run]) -> Entry[Run]:
        wanted = await self._retention.reconsidered(entry.value)
        begun = deciding.start(wanted, epoch=self._leadership.epoch, now=self._clock.now())
        return await self._runs.write(entry, begun)

    async def _hold(self, entry: Entry[Run], record: ApplicationRecord) -> None:
        """Let a run wait for approval, unless one that does the same waits for it already."""
        run = entry.value
        held = await self._all(record.awaiting_approval)
        if (same := _same_restore(run, held)) is not None:
            await self._runs.write(entry, replace(run, state="folded", folded_into=same.id))
            return
        if run.id not in record.awaiting_approval:
            names = (*record.awaiting_approval, run.id)
            await self._registry.write(replace(record, awaiting_approval=names))
        await self._runs.write(entry, deciding.hold(run))

    async def _all(self, runs: Iterable[str]) -> list[Run]:
        entries = [await self._runs.get(run) for run in runs]
        return [entry.value for entry in entries if entry is not None]

    async def _ask_to_give_way(self, active: str) -> None:
        entry = await self._runs.get(active) if active else None
        if entry is None or entry.value.prune is None or entry.value.state != "running":
            return
        prune = replace(entry.value.prune, gives_way=True)
        await self._runs.write(entry, replace(entry.value, prune=prune))


def _same_wish(run: Run, waiting: list[Run]) -> Run | None:
    """Find what waits already and does what this run would do."""
    for other in waiting:
        if other.kind != run.kind or other.state != "pending":
            continue
        if run.kind == "backup" and other.vault == run.vault:
            return other
        if run.kind == "prune" and (other.vault, other.prune) == (run.vault, run.prune):
            return other
    return None


def _same_restore(run: Run, held: list[Run]) -> Run | None:
    """Find a restore that waits for approval and would do what this one does."""
    for other in held:
        if other.id != run.id and other.restore == run.restore and other.vault == run.vault:
            return other if other.state == "awaiting-approval" else None
    return None


def _without(run: str, runs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(other for other in runs if other != run)


def _in_line(run: Run, waiting: list[Run]) -> tuple[str, ...]:
    """Put a run in line: before what is only upkeep, unless it is that itself."""
    if _is_upkeep(run):
        return (*(other.id for other in waiting), run.id)
    first = [other.id for other in waiting if not _is_upkeep(other)]
    later = [other.id for other in waiting if _is_upkeep(other)]
    return (*first, run.id, *later)


def _is_upkeep(run: Run) -> bool:
    return run.trigger.kind == "upkeep" or run.kind == "prune"
