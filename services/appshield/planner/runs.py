"""Runs in their bucket: state and outbox are written together, published, then cleared.

Orders are published first, as somebody waits for what they do; what else is promised at the same
time, side by side: whoever hears of it finds the state.
An outbox that is published stays written down until the next write of its run, or `clear`: until
then whoever takes over publishes it again. In memory it is gone at once.

Runs that have not ended are in memory as they were written here. What was only read is not: a
planner that leads no more may have written it late, and only a write fences that off. After a
write that failed, a run is read anew.
"""

from msgspec.structs import replace

from appshield.bus import Bucket, Bus, Entry, KeyExistsError
from appshield.contracts.runs import FINAL_STATES, OutboxEntry, Run
from appshield.contracts.streams import RUNS
from appshield.contracts.subjects import ROOT, timer
from appshield.planner.leading import Leadership
from appshield.service import together

_ORDERS = f"{ROOT}.cmd."


class Runs:
    """Every run; written here and nowhere else."""

    def __init__(self, bus: Bus, leadership: Leadership) -> None:
        self._bus = bus
        self._bucket: Bucket[Run] = bus.bucket(RUNS, Run)
        self._leadership = leadership
        self._known: dict[str, Entry[Run]] = {}
        self._owed: set[str] = set()
        self._uncleared: set[str] = set()
        self._unsure: set[str] = set()

    async def get(self, run_id: str) -> Entry[Run] | None:
        """Return a run with its revision."""
        if (known := self._known.get(run_id)) is not None:
            return known
        return await self._bucket.get(run_id)

    def forget(self, run_id: str) -> None:
        """Read a run anew the next time."""
        self._known.pop(run_id, None)
        self._uncleared.discard(run_id)

    async def create(self, run: Run) -> Entry[Run]:
        """Write a new run, or find the one that is there under the same identity.

        One that was about to be refused for want of a history is written anew when it has one now.
        """
        self._leadership.ensure()
        try:
            revision = await self._bucket.create(run.id, run)
        except KeyExistsError:
            found = await self._bucket.get(run.id)
            if found is None:
                raise
            if run.app_id and not found.value.app_id and found.value.state == "pending":
                return await self.write(found, run)
            return found
        except BaseException:
            self.doubt(run.id)
            raise
        if not self._leadership.held():
            # stopped before it was written: who leads now may have decided that there is none
            await self._bucket.delete(run.id, revision=revision)
            self._leadership.ensure()
        return self._keep(Entry(value=run, revision=revision))

    async def write(self, seen: Entry[Run], run: Run) -> Entry[Run]:
        """Write state and outbox over what was seen, and publish the outbox.

        It is cleared at once where no other write may follow: the run has ended, or is unchanged.

        Raises:
            StaleRevisionError: another planner has written in the meantime.
        """
        self._leadership.ensure()
        try:
            written = await self._write(seen, run)
        except BaseException:
            self.forget(run.id)
            self._owed.add(run.id)
            raise
        return written if written.revision == seen.revision else self._keep(written)

    def uncleared(self) -> list[Run]:
        """List the runs whose outbox is published and may still be written down."""
        known = [self._known.get(run_id) for run_id in sorted(self._uncleared)]
        return [entry.value for entry in known if entry is not None]

    async def clear(self, run_id: str) -> None:
        """Clear an outbox that is published, unless a write of the run has done it by now.

        Raises:
            StaleRevisionError: another planner has written in the meantime.
        """
        entry = self._known.get(run_id)
        if entry is None or run_id not in self._uncleared:
            return
        self._leadership.ensure()
        self._uncleared.discard(run_id)
        try:
            revision = await self._bucket.update(run_id, entry.value, entry.revision)
        except BaseException:
            self.forget(run_id)
            self._owed.add(run_id)
            raise
        self._keep(Entry(value=entry.value, revision=revision))

    def doubt(self, run_id: str) -> None:
        """Have it seen to by `born_unseen` that a run, if there is one, goes on.

        What triggers it comes again, and may not need a run any more.
        """
        self._unsure.add(run_id)

    async def born_unseen(self) -> list[Entry[Run]]:
        """List, once, the runs that are there though making or placing them failed."""
        found = [(run_id, await self.get(run_id)) for run_id in sorted(self._unsure)]
        self._unsure.difference_update(run_id for run_id, _ in found)
        return [entry for _, entry in found if entry is not None]

    async def keep_promises(self) -> None:
        """Publish what a write that failed has promised; its cause may not lead here again."""
        for run_id in sorted(self._owed):
            entry = await self.get(run_id)
            if entry is not None:
                await self.write(entry, entry.value)
            self._owed.discard(run_id)

    async def _write(self, seen: Entry[Run], run: Run) -> Entry[Run]:
        revision = seen.revision
        changed = run != seen.value
        if changed:
            revision = await self._bucket.update(run.id, run, seen.revision)
            self._uncleared.discard(run.id)
        if not run.outbox:
            return Entry(value=run, revision=revision)
        orders = [promised for promised in run.outbox if promised.subject.startswith(_ORDERS)]
        await together(self._publish(promised) for promised in orders)
        await together(self._publish(one) for one in run.outbox if one not in orders)
        cleared = replace(run, outbox=())
        if changed and run.state not in FINAL_STATES:
            self._uncleared.add(run.id)
        else:
            revision = await self._bucket.update(run.id, cleared, revision)
        return Entry(value=cleared, revision=revision)

    def _keep(self, entry: Entry[Run]) -> Entry[Run]:
        if entry.value.state in FINAL_STATES:
            self.forget(entry.value.id)
        else:
            self._known[entry.value.id] = entry
        return entry

    async def unfinished(self) -> list[Entry[Run]]:
        """List the runs that have not ended, or ended with promises that may not be published."""
        return [
            entry
            async for entry in self._bucket.items()
            if entry.value.state not in FINAL_STATES or entry.value.outbox
        ]

    async def _publish(self, promised: OutboxEntry) -> None:
        body = bytes(promised.body)
        if promised.at is None:
            await self._bus.publish_raw(promised.subject, body, message_id=promised.message_id)
            return
        name = promised.subject.removeprefix(timer(""))
        await self._bus.schedule(name, promised.at, body, message_id=promised.message_id)
