"""Batches: entries of one or more directories that make one job, with the directories held open."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from appshield.repository.files.assembling import Piece
from appshield.repository.files.entry_jobs import (
    MOST_DIRECTORIES,
    MOST_NAMES,
    DirectoryNames,
    StoreEntries,
)


class HeldDirectory:
    """A descriptor of a directory that stays open as long as anybody holds it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = os.dup(descriptor)
        self._holders = 1

    def hold(self) -> None:
        """Hold it once more."""
        self._holders += 1

    def release(self) -> None:
        """Let go of it once."""
        self._holders -= 1
        if not self._holders:
            self.close()

    def close(self) -> None:
        """Close it, whoever holds it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass(slots=True)
class BatchPart:
    """Entries of one directory and their places in a piece; see `DirectoryNames`."""

    piece: Piece
    numbers: list[int]
    names: list[bytes]
    others: list[int]
    directory: HeldDirectory

    def chosen(self, positions: Sequence[int]) -> "BatchPart":
        """Return some of the entries as a part of its own, which holds the directory too."""
        self.directory.hold()
        others = set(self.others)
        return BatchPart(
            self.piece,
            [self.numbers[at] for at in positions],
            [self.names[at] for at in positions],
            [new for new, at in enumerate(positions) if at in others],
            self.directory,
        )


class Batch:
    """Parts that go into one job."""

    def __init__(self) -> None:
        self.parts: list[BatchPart] = []
        self.names = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to give it away."""
        return self.names >= MOST_NAMES or len(self.parts) >= MOST_DIRECTORIES

    def add(self, part: BatchPart) -> None:
        """Take a part."""
        self.parts.append(part)
        self.names += len(part.names)

    def job(self, device: int, *, most_bytes: int, large_bytes: int, linked: bool) -> StoreEntries:
        """Return the job, and with `descriptors` what goes along."""
        return StoreEntries(
            device=device,
            directories=[DirectoryNames(part.names, part.others) for part in self.parts],
            most_bytes=most_bytes,
            large_bytes=large_bytes,
            linked=linked,
        )

    def descriptors(self) -> list[int]:
        """Return the descriptors of the directories, in order."""
        return [part.directory.descriptor for part in self.parts]

    def release(self) -> None:
        """Let go of all directories."""
        for part in self.parts:
            part.directory.release()
