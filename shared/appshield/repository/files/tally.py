"""What a run over a directory counts, whom it tells, and when it stops."""

from collections.abc import Callable

from appshield.errors import RefusedError
from appshield.repository.files.problems import Problems

Progress = Callable[[int, int], None]
"""Told (entries done, bytes done) since the start: totals, so that a lost call does no harm."""


class StoppedError(RefusedError):
    """The caller asked to stop: nothing is wrong, and the same call may be made again."""


class Tally:
    """Counts entries that are no directories, directories and bytes; collects problems."""

    def __init__(self, progress: Progress | None, cancelled: Callable[[], bool]) -> None:
        self._progress = progress
        self._cancelled = cancelled
        self.problems = Problems()
        self.files = 0
        self.directories = 0
        self.bytes_done = 0

    def go_on(self) -> None:
        """Ask whether to go on; StoppedError if not. Called before each entry and each chunk."""
        if self._cancelled():
            raise StoppedError(
                "stopped before the end",
                why="the caller asked for it",
                next_step="Call again to continue: what is done is found and kept",
            )

    def advance(self, length: int) -> None:
        """Count bytes of an entry that is still at work."""
        self.bytes_done += length
        self._tell()
        self.go_on()

    def advance_both(self, files: int, length: int) -> None:
        """Count entries that are done, and bytes of theirs or of others at work."""
        self.files += files
        self.advance(length)

    def count_file(self, length: int = 0) -> None:
        """Count an entry that is done, and bytes of it that were not counted before."""
        self.files += 1
        self.bytes_done += length
        self._tell()

    def count_directory(self) -> None:
        """Count a directory that is done."""
        self.directories += 1

    def count_files(self, files: int, length: int) -> None:
        """Count entries that are done, and bytes of them that were not counted before."""
        self.files += files
        self.bytes_done += length
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.files, self.bytes_done)
