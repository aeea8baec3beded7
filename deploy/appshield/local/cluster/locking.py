"""A lock between processes: a file that is locked as long as its holder lives."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from appshield.errors import DeadlineError


def try_lock(path: Path) -> int | None:
    """Lock the file and return its descriptor, or None when another process holds it.

    The lock ends when the descriptor is closed or the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    if not path.exists():
        return False
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def waits() -> "Backoff":
    """The waits between two looks at something that another process does."""
    return Backoff(first_s=0.02, longest_s=0.5)


class Backoff:
    """Growing waits: each call of `next_s` gives the next one, half as long again as the last."""

    def __init__(self, *, first_s: float, longest_s: float, factor: float = 1.5) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._factor = factor
        self._now_s = first_s

    def next_s(self) -> float:
        """How long to wait this time, in seconds."""
        now_s = self._now_s
        self._now_s = min(now_s * self._factor, self._longest_s)
        return now_s

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._now_s = self._first_s


@contextlib.asynccontextmanager
async def locked(path: Path, *, timeout_s: float) -> AsyncIterator[None]:
    """Hold the lock inside the block. Raises `DeadlineError` when others hold it too long."""
    last = time.monotonic() + timeout_s
    pauses = waits()
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > last:
            raise DeadlineError(
                f"{path} was held by another process for {timeout_s:g} s",
                why="only one at a time may start, stop or build a local cluster",
                next_step="Wait for the other command to end, then try again",
            )
        await asyncio.sleep(pauses.next_s())
    try:
        yield
    finally:
        os.close(descriptor)
