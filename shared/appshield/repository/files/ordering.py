"""Giving out the work of a restore: entries of many directories together, in orders of a good size.

An order is small enough to be divided fairly, and large enough that its own cost is none.
"""

import heapq
from functools import partial
from typing import Final, Protocol

from appshield.repository.files.orders import EntriesPlaced, Part, Placed, PlaceEntries, Trouble
from appshield.repository.files.tally import Tally
from appshield.repository.files.unfinished import HeldDirectories, UnfinishedDirectory
from appshield.repository.nodes import StoredEntry
from appshield.repository.workers.ports import JobPool

MOST_ENTRIES: Final = 2000
MOST_BYTES: Final = 32 << 20
MOST_PARTS: Final = 32


class Reports(Protocol):
    """Takes what is told of entries and directories."""

    bytes_written: int
    bytes_unchanged: int

    def placed(self, directory: UnfinishedDirectory, placed: Placed) -> None:
        """Take which object an entry with several names has become."""
        ...

    def troubled(self, directory: UnfinishedDirectory, trouble: Trouble) -> None:
        """Take what went wrong with an entry."""
        ...

    def finish_done(self, directory: UnfinishedDirectory) -> None:
        """Take that an order for a directory is done; `under_way` is counted down already."""
        ...


class _Slots:
    """Numbers for temporary names: the smallest that no order under way has."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._made = 0

    def take(self) -> int:
        if self._free:
            return heapq.heappop(self._free)
        self._made += 1
        return self._made - 1

    def give_back(self, slot: int) -> None:
        heapq.heappush(self._free, slot)


class _Collected:
    """The entries of one directory for the next order."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.strangers: list[bytes] = []


class Orders:
    """Collects entries and gives them out."""

    def __init__(
        self,
        pool: JobPool,
        held: HeldDirectories,
        reports: Reports,
        tally: Tally,
        *,
        replace_directories: bool,
        keep_going: bool,
    ) -> None:
        self._pool = pool
        self._held = held
        self._reports = reports
        self._tally = tally
        self._replace_directories = replace_directories
        self._keep_going = keep_going
        self._slots = _Slots()
        self._collected: dict[UnfinishedDirectory, _Collected] = {}
        self._entries = 0
        self._bytes = 0

    def add(
        self, directory: UnfinishedDirectory, entry: StoredEntry, *, is_stranger: bool = False
    ) -> None:
        """Take an entry of the directory at work; OSError if that has moved."""
        collected = self._collected.get(directory)
        if collected is None:
            self._held.hold(directory)
            directory.under_way += 1
            collected = self._collected[directory] = _Collected()
        collected.entries.append(entry.stored)
        if is_stranger:
            collected.strangers.append(entry.name)
        self._entries += 1
        self._bytes += entry.size_bytes
        if (
            self._entries >= MOST_ENTRIES
            or self._bytes >= MOST_BYTES
            or len(self._collected) >= MOST_PARTS
        ):
            self.flush()

    def flush(self) -> None:
        """Give out what is collected; may wait until there is somebody to take it."""
        if not self._collected:
            return
        slot = self._slots.take()
        directories = tuple(self._collected)
        order = PlaceEntries(
            parts=tuple(
                Part(
                    entries=tuple(collected.entries),
                    is_new=directory.is_new,
                    slot=slot,
                    taken=tuple(directory.taken),
                    strangers=tuple(collected.strangers),
                )
                for directory, collected in self._collected.items()
            ),
            replace_directories=self._replace_directories,
            keep_going=self._keep_going,
        )
        self._collected.clear()
        self._entries = self._bytes = 0
        descriptors = [directory.descriptor for directory in directories]
        self._pool.submit(order, descriptors, done=partial(self._done, directories, slot))

    def drain(self) -> None:
        """Give out what is collected and wait until everything is done."""
        self.flush()
        self._pool.drain()

    def _done(
        self, directories: tuple[UnfinishedDirectory, ...], slot: int, answer: EntriesPlaced
    ) -> None:
        self._slots.give_back(slot)
        self._reports.bytes_written += answer.bytes_written
        self._reports.bytes_unchanged += answer.bytes_unchanged
        for trouble in answer.troubles:
            self._reports.troubled(directories[trouble.part], trouble)
        for placed in answer.placed:
            self._reports.placed(directories[placed.part], placed)
        for directory in directories:
            directory.under_way -= 1
            self._reports.finish_done(directory)
        self._tally.advance_both(answer.files, answer.bytes_done)
