"""Whose turn it is: at most one run at a time may change an application.

Runs wait in line (see `lines`) until it is their turn among those of their application, and among
all applications as far as limits allow; some are held back before that. A prune that is under way
is told to give way to a backup or a restore. Checks, pins, copies and catalog runs change no
application and stand beside. A run that waits for somebody's approval is in no line until it has
it.

Every function may be called again after a crash at any instruction and goes on where it stopped.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from appshield.bus import Entry, StaleRevisionError
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.runs import FINAL_STATES, Failure, Run, Wait
from appshield.planner import deciding
from appshield.planner.leading import Leadership
from appshield.planner.lines import (
    Lines,
    Place,
    done_with,
    first_in_line,
    in_line,
    place_of,
    same_wish,
)
from appshield.planner.promising import promise_wait
from appshield.planner.registry import Registry, with_active, without_active
from appshield.planner.retaining import Retention
from appshield.planner.runs import Runs
from appshield.service import Clock
from appshield.triggers.holding import with_begun

_TAKE_TURNS = frozenset({"backup", "restore", "forget", "prune", "repair"})
_GO_FIRST = frozenset({"backup", "restore"})
_BESIDE = frozenset({"catalog", "check", "pin", "copy"})


class Queue:
    """Starts runs when their turn has come."""

    def __init__(
        self,
        *,
        runs: Runs,
        registry: Registry,
        lines: Lines,
        retention: Retention,
        leadership: Leadership,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._registry = registry
        self._lines = lines
        self._retention = retention
        self._leadership = leadership
        self._clock = clock

    async def go_on(self, entry: Entry[Run]) -> None:
        """Go on with a run that is there already, as `admit` or `start_beside` would have."""
        await (self.start_beside if entry.value.kind in _BESIDE else self.admit)(entry)

    async def begin_at_once(self, run: Run) -> bool:
        """Let a new run begin where nothing is in its way; say whether it did.

        Its application names it first, then it is written as one that is under way. In between
        its planner may end, or be stopped: whoever leads then withdraws the run before anything
        else of the application begins, and the late write fails.
        """
        record = self._registry.get(run.app_id)
        if record is None or record.pending_runs or record.active_run:
            return False
        rules = {rule.name: rule for rule in record.protections}
        if (rule := rules.get(run.trigger.name)) is not None and rule.at_most is not None:
            return False
        if not self._lines.take_at_once(place_of(run, record.usual_nodes)):
            return False
        try:
            record = await self._registry.write(with_active(record, run))
            try:
                await self._runs.begin(self._begun(run))
            except StaleRevisionError:  # it was there before: it waits for its turn like any other
                await self._registry.write(without_active(record))
                self._lines.end(run.id)
                return False
        except BaseException:
            self._lines.end(run.id)
            self._runs.doubt(run)
            raise
        return True

    async def see_to(self, run: Run) -> None:
        """Let a run take its place that waits, and whose trigger may not lead to it any more.

        One that is not there, though its application names it, never begins.
        """
        if (record := self._registry.get(run.app_id)) is not None:
            record = await self._registry.write(record)  # as it is: what is in doubt is read again
        entry = await self._runs.get(run.id)
        if entry is not None and entry.value.state == "pending" and entry.value.app_id:
            await self.go_on(entry)
        elif record is not None and record.active_run == run.id:
            await self.start_next(record)
        self._runs.believe(run.id)

    async def admit(self, entry: Entry[Run]) -> None:
        """Let a new run wait for its turn, which may be now; or fold it into one that waits."""
        try:
            await self._admit(entry)
        except BaseException:
            self._runs.doubt(entry.value)
            raise

    async def _admit(self, entry: Entry[Run]) -> None:
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
            if (same := same_wish(run, waiting)) is not None:
                await self._fold(entry, same)
                await self.start_next(record)
                return
            record = await self._registry.write(
                replace(
                    record,
                    pending_runs=in_line(run, waiting),
                    awaiting_approval=_without(run.id, record.awaiting_approval),
                )
            )
        await self._runs.write(entry, run)
        if run.kind in _GO_FIRST and record.active_run != run.id and run.wait is None:
            await self._ask_to_give_way(record.active_run)
        await self.start_next(record)

    async def regain(self, run: Run) -> None:
        """Give a run its place again where the application's record, made anew, has none for it."""
        record = self._registry.get(run.app_id)
        if record is None or run.kind not in _TAKE_TURNS or record.active_run:
            return
        if run.state in {"running", "ending"}:
            await self._registry.write(with_active(record, run))

    async def start_beside(self, entry: Entry[Run]) -> None:
        """Start a run that changes no application; such runs never wait."""
        if entry.value.state == "pending":
            await self._started(entry, entry.value)
        else:
            await self._runs.write(entry, entry.value)

    async def refuse(self, run: Run, why: Failure) -> None:
        """End a run before it begins."""
        entry = await self._runs.create(run)
        refused = entry.value
        if refused.state == "pending":
            refused = deciding.refuse(refused, why, now=self._clock.now())
        await self._runs.write(entry, refused)

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
        self._lines.end(run.id)
        record = self._registry.get(run.app_id)
        if record is None:
            return
        if run.id == record.active_run:
            record = without_active(record)
        record = await self._registry.write(
            replace(
                record,
                pending_runs=_without(run.id, record.pending_runs),
                awaiting_approval=_without(run.id, record.awaiting_approval),
            )
        )
        await self.start_next(record)

    async def start_next(self, record: ApplicationRecord) -> None:
        """Bring the application's place in line up to date; `begin` starts whose turn it is."""
        if record.active_run:
            entry = await self._runs.get(record.active_run)
            if entry is None:
                entry = await self._runs.withdraw(record.active_run)
            if entry is not None and entry.value.state == "pending":
                entry = await self._start(entry, record)
            elif entry is not None:  # a planner that ended then may not have published all of it
                entry = await self._runs.write(entry, entry.value)
            if entry is not None and entry.value.state not in FINAL_STATES:
                self._lines.begin(place_of(entry.value, record.usual_nodes))
                self._lines.leave(record.app_id)
                return
            self._lines.end(record.active_run)
            record = await self._registry.write(without_active(record))
        waiting = await self._all(record.pending_runs)
        still = {run.id for run in waiting if run.state not in FINAL_STATES}
        if still != set(record.pending_runs):
            left = tuple(run for run in record.pending_runs if run in still)
            record = await self._registry.write(replace(record, pending_runs=left))
        chosen = first_in_line(waiting, self._clock.now())
        if chosen is None:
            self._lines.leave(record.app_id)
        else:
            self._lines.wait(place_of(chosen, record.usual_nodes))

    async def release(self, entry: Entry[Run]) -> None:
        """Let a run take its turn that was held back."""
        released = (await self._runs.write(entry, replace(entry.value, wait=None))).value
        record = self._registry.get(released.app_id)
        if record is not None:
            await self._ask_to_give_way(record.active_run)
            await self.start_next(record)

    async def begin(self, place: Place) -> None:
        """Start the run that was taken from the lines, unless it is not the one to start by now."""
        record = self._registry.get(place.app_id)
        if record is not None and record.active_run == place.run:
            await self.start_next(record)  # who made it active may have failed before it began
            return
        waiting = await self._all(record.pending_runs) if record else []
        chosen = first_in_line(waiting, self._clock.now())
        if record is None or record.active_run or chosen is None or chosen.id != place.run:
            self._lines.end(place.run)
            if record is not None:
                await self.start_next(record)
            return
        try:
            await self._begin(record, chosen, waiting)
        except BaseException:
            self._lines.end(place.run)
            self._lines.wait(place)
            raise

    def moved(self, run: Run) -> None:
        """Take in on which nodes a run that is under way has work."""
        if run.state not in FINAL_STATES:
            self._lines.move(place_of(run))

    async def _begin(self, record: ApplicationRecord, chosen: Run, waiting: list[Run]) -> None:
        now = self._clock.now()
        others = done_with(chosen, waiting, now)
        await self._stand_for(chosen, others)
        folded = {one.id for one in others}
        for other in folded:
            if (entry := await self._runs.get(other)) is not None:
                ended = replace(entry.value, state="folded", folded_into=chosen.id, wait=None)
                await self._runs.write(entry, ended)
        still = tuple(run for run in record.pending_runs if run not in {chosen.id, *folded})
        rules = {rule.name: rule for rule in record.protections}
        begun = record.begun
        if (rule := rules.get(chosen.trigger.name)) is not None and rule.at_most is not None:
            begun = {**begun, rule.name: with_begun(rule, begun.get(rule.name, ()), now)}
        record = await self._registry.write(
            with_active(replace(record, pending_runs=still, begun=begun), chosen)
        )
        await self.start_next(record)

    async def _stand_for(self, chosen: Run, others: list[Run]) -> None:
        """Let a run be for others, too: if one of them needs a version whatever changed, it does.

        It is written before they end.
        """
        entry = await self._runs.get(chosen.id)
        if entry is None or all(other.only_if_changed for other in others):
            return
        if entry.value.only_if_changed:
            await self._runs.write(entry, replace(entry.value, only_if_changed=False))

    async def tell_limit(self, app_id: str) -> None:
        """Write down which limit holds an application's next run back, once."""
        record = self._registry.get(app_id)
        waiting = await self._all(record.pending_runs) if record else []
        chosen = first_in_line(waiting, self._clock.now())
        if record is None or chosen is None or (chosen.wait and chosen.wait.reason == "limit"):
            return
        why = self._lines.full(place_of(chosen, record.usual_nodes))
        entry = await self._runs.get(chosen.id)
        if why and entry is not None:
            wait = Wait(reason="limit", why=why, since=self._clock.now())
            await self._runs.write(entry, replace(entry.value, wait=wait))

    async def _fold(self, entry: Entry[Run], same: Run) -> None:
        """Let a run that waits stand for this one, too: held back as this one is, if it is at all.

        It is written first, so that the trigger counts whatever happens in between.
        """
        run = entry.value
        other = await self._runs.get(same.id)
        if other is not None and other.value.state == "pending":
            priority = max(other.value.priority, run.priority)
            needless = other.value.only_if_changed and run.only_if_changed
            merged = replace(other.value, priority=priority, only_if_changed=needless)
            if other.value.wait is not None and other.value.wait.until is not None:
                merged = replace(merged, wait=run.wait, outbox=promise_wait(merged, run.wait))
            await self._runs.write(other, merged)
        folded = replace(run, state="folded", folded_into=same.id, outbox=(), wait=None)
        await self._runs.write(entry, folded)

    async def _start(self, entry: Entry[Run], record: ApplicationRecord) -> Entry[Run]:
        wanted = replace(await self._retention.reconsidered(entry.value), wait=None)
        self._lines.begin(place_of(wanted, record.usual_nodes))
        return await self._started(entry, wanted)

    async def _started(self, entry: Entry[Run], wanted: Run) -> Entry[Run]:
        return await self._runs.write(entry, self._begun(wanted))

    def _begun(self, run: Run) -> Run:
        return deciding.start(run, epoch=self._leadership.epoch, now=self._clock.now())

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


def _same_restore(run: Run, held: list[Run]) -> Run | None:
    """Find a restore that waits for approval and would do what this one does."""
    for other in held:
        if other.id != run.id and other.restore == run.restore and other.vault == run.vault:
            return other if other.state == "awaiting-approval" else None
    return None


def _without(run: str, runs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(other for other in runs if other != run)
