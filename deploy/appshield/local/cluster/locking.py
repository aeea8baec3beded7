"""A lock between processes: a file that is locked as long as its holder lives."""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

from appshield.errors import DeadlineError
from appshield.local.cluster.waiting import until


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
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.asynccontextmanager
async def locked(
    path: Path,
    *,
    timeout_s: float,
    why: str = "only one at a time may start, stop or build a local cluster",
) -> AsyncIterator[None]:
    """Hold the lock inside the block. Raises `DeadlineError` when others hold it too long."""
    held: list[int] = []

    async def lock() -> bool:
        descriptor = try_lock(path)
        if descriptor is not None:
            held.append(descriptor)
        return bool(held)

    try:
        await until(lock, timeout_s=timeout_s)
    except TimeoutError as error:
        raise DeadlineError(
            f"{path} was held by another process for {timeout_s:g} s",
            why=why,
            next_step="Wait for the other command to end, then try again",
        ) from error
    try:
        yield
    finally:
        os.close(held[0])
