"""Make a snapshot document exist, once: written ahead, then published under the lock, to the end.

Of several workers who seal a document for one purpose at once the first one counts, and every retry
publishes its very bytes under the same name.
"""

import asyncio

from appshield.bus import Bus, Entry, KeyExistsError, StaleRevisionError
from appshield.contracts.agents import CommitRecord
from appshield.contracts.message import StepEvent
from appshield.contracts.streams import COMMITS
from appshield.custody import HeldRepository
from appshield.repository import SealedSnapshot
from appshield.service import run_blocking


class Publishing:
    """Keeps sealed documents on the bus and puts them into repositories."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._commits = bus.bucket(COMMITS, CommitRecord)

    async def written(self, key: str) -> Entry[CommitRecord] | None:
        """Return what was sealed for this purpose before."""
        return await self._commits.get(key)

    async def write_ahead(
        self, key: str, made: SealedSnapshot, useless: Entry[CommitRecord] | None
    ) -> SealedSnapshot:
        """Keep a sealed document in the place of a useless one; return the one that counts."""
        record = CommitRecord(snapshot_id=made.snapshot_id, sealed=made.sealed)
        try:
            if useless is None:
                await self._commits.create(key, record)
            else:
                await self._commits.update(key, record, useless.revision)
        except (KeyExistsError, StaleRevisionError):
            first = await self._commits.get(key)
            if first is None:
                raise
            return sealed_in(first.value)
        return made

    async def make_exist(
        self, held: HeldRepository, sealed: SealedSnapshot, outcome: StepEvent
    ) -> None:
        """Publish under the lock, to the end; a version that exists is told whatever happens."""
        publishing = asyncio.ensure_future(run_blocking(lambda _: _publish(held, sealed)))
        try:
            await asyncio.shield(publishing)
        except asyncio.CancelledError:
            await asyncio.wait({publishing})
            if not publishing.cancelled() and publishing.exception() is None:
                await self._bus.publish(outcome)
            raise


def sealed_in(record: CommitRecord) -> SealedSnapshot:
    """Return the document of a record."""
    return SealedSnapshot(snapshot_id=record.snapshot_id, sealed=record.sealed)


def _publish(held: HeldRepository, sealed: SealedSnapshot) -> None:
    held.repository.publish_snapshot(sealed, lock=held.lock)
