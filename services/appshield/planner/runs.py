"""Runs in their bucket: state and outbox are written together, published, then cleared.

Orders are published at once, what else is promised by `tell` (see `outboxes`); whoever hears of it
finds the state. An outbox stays written down until the next write of its run, or `clear`: until
then whoever takes over publishes it again. In memory it is gone at once.

Runs that have not ended are in memory as they were written here. What was only read is not: a
planner that leads no more may have written it late, and only a write fences that off. After a
write that failed, a run is read anew.
"""

from msgspec.structs import replace

from appshield.bus import Bucket, Bus, Entry, KeyExistsError, StaleRevisionError
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.contracts.streams import RUNS
from appshield.planner.leading import Leadership
from appshield.planner.outboxes import Outboxes
from appshield.service import together


class Runs:
    """Every run; written here and nowhere else."""

    def __init__(self, bus: Bus, leadership: Leadership) -> None:
        self._outboxes = Outboxes(bus)
        self._bucket: Bucket[Run] = bus.bucket(RUNS, Run)
        self._leadership = leadership
        self._known: dict[str, Entry[Run]] = {}
        self._owed: set[str] = set()
        self._uncleared: set[str] = set()
        self._unsure: dict[str, Run] = {}

    async def get(self, run_id: str) -> Entry[Run] | None:
        """Return a run with its revision."""
        if (known := self._known.get(run_id)) is not None:
            return known
        return await self._bucket.get(run_id)

    def forget(self, run_id: str) -> None:
        """Read a run anew the next time."""
        self._known.pop(run_id, None)
        self._uncleared.discard(run_id)
        self._outboxes.forget(run_id)

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
            self.doubt(run)
            raise
        if not self._leadership.held():
            # stopped before it was written: who leads now may have decided that there is none
            await self._bucket.delete(run.id, revision=revision)
            self._leadership.ensure()
        return self._keep(Entry(value=run, revision=revision))

    async def begin(self, run: Run) -> Entry[Run]:
        """Write a new run that is under way, which its application names; publish its outbox.

        Raises:
            StaleRevisionError: there is one, or was, or `withdraw` came first.
        """
        self._leadership.ensure()
        try:
            revision = await self._bucket.update(run.id, run, 0)
            written = await self._published(run, revision, may_be_written_over=True)
        except StaleRevisionError:
            raise
        except BaseException:
            self._owed.add(run.id)
            raise
        return self._keep(written)

    async def withdraw(self, run_id: str) -> Entry[Run] | None:
        """See to it that a run never begins that is not there; return one that came before that.

        Its application names it, so whoever was about to begin it may be late, but not after this.
        """
        self._leadership.ensure()
        try:
            await self._bucket.delete(run_id, revision=0)
        except StaleRevisionError:
            return await self._bucket.get(run_id)
        return None

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
        published = sorted(self._uncleared.difference(self._outboxes.untold()))
        known = [self._known.get(run_id) for run_id in published]
        return [entry.value for entry in known if entry is not None]

    async def tell(self) -> None:
        """Publish what was promised and could wait, of every run."""
        await together(map(self._tell, self._outboxes.untold()))

    async def _tell(self, run_id: str) -> None:
        try:
            await self._outboxes.tell(run_id)
        except BaseException:
            self.forget(run_id)
            self._owed.add(run_id)
            raise

    @property
    def has_to_tell(self) -> bool:
        """Whether something was promised that is not published yet."""
        return bool(self._outboxes.untold())

    async def clear(self, run_id: str) -> None:
        """Clear an outbox that is published, unless a write of the run has done it by now.

        Raises:
            StaleRevisionError: another planner has written in the meantime.
        """
        entry = self._known.get(run_id)
        if entry is None or all(one.id != run_id for one in self.uncleared()):
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

    def doubt(self, run: Run) -> None:
        """Have it seen to that a run goes on whose making or placing failed, if there is one.

        What triggers it comes again, and may not need a run any more.
        """
        self._unsure[run.id] = run

    def doubted(self) -> list[Run]:
        """List the runs of which it is not sure whether they are there and go on."""
        return [self._unsure[run_id] for run_id in sorted(self._unsure)]

    def believe(self, run_id: str) -> None:
        """Doubt a run no more."""
        self._unsure.pop(run_id, None)

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
            run = replace(run, outbox=(*self._outboxes.carried(run), *run.outbox))
            revision = await self._bucket.update(run.id, run, seen.revision)
            self._outboxes.forget(run.id)
            self._uncleared.discard(run.id)
        again = changed and run.state not in FINAL_STATES
        return await self._published(run, revision, may_be_written_over=again)

    async def _published(self, run: Run, revision: int, *, may_be_written_over: bool) -> Entry[Run]:
        """Publish the outbox of a run that is written; clear it where no write may follow."""
        if not run.outbox:
            return Entry(value=run, revision=revision)
        await self._outboxes.publish(run, all_of_it=not may_be_written_over)
        cleared = replace(run, outbox=())
        if may_be_written_over:
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
