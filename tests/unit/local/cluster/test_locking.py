"""A lock lives exactly as long as its holder."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from appshield.errors import DeadlineError
from appshield.local.cluster.locking import is_locked, locked, try_lock
from appshield.local.cluster.waiting import Backoff, until

HOLD = """
import sys, time
from pathlib import Path
from appshield.local.cluster.locking import try_lock
assert try_lock(Path(sys.argv[1])) is not None
print(1, flush=True)
time.sleep(60)  # holds the lock until the test ends it
"""


async def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """Another process holds it, so nobody else gets it; when it is killed, anybody does."""
    file = tmp_path / "lock"
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLD, str(file)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        await holder.stdout.readline()
        assert is_locked(file)
        assert try_lock(file) is None
        with pytest.raises(DeadlineError, match="another process"):
            async with locked(file, timeout_s=0.1):
                pass
    finally:
        holder.kill()
        await holder.wait()
    assert not is_locked(file)
    async with locked(file, timeout_s=1):
        assert is_locked(file)
    assert not is_locked(file)


async def test_looking_at_a_lock_takes_nothing(tmp_path: Path) -> None:
    """`is_locked` neither makes the file nor holds it."""
    assert not is_locked(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
    descriptor = try_lock(tmp_path / "lock")
    assert descriptor is not None
    os.close(descriptor)
    assert not is_locked(tmp_path / "lock")


def test_pauses_grow_to_a_bound_and_begin_again() -> None:
    """Each pause is longer, none is longer than the bound."""
    backoff = Backoff(first_s=1, longest_s=3, factor=2)
    assert [backoff.next_s() for _ in range(4)] == [1, 2, 3, 3]
    backoff.reset()
    assert backoff.next_s() == 1


async def test_waiting_ends_with_the_time_given() -> None:
    """What never happens is a TimeoutError, not a hang."""

    async def never() -> bool:
        return False

    with pytest.raises(TimeoutError):
        await until(never, timeout_s=0.05)
