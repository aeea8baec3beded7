"""Pauses grow and end; budgets are kept."""

import asyncio
import time

from appshield.bus.waiting import Budget, first_of, pause, pause_s, redelivery_s

BUSY_MACHINE_S = 0.5


def test_pauses_double_up_to_a_limit() -> None:
    """From 50 ms to two seconds, each spread by a quarter."""
    for attempt, middle in enumerate((0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)):
        assert 0.75 * middle <= pause_s(attempt) <= 1.25 * middle
    assert pause_s(1_000_000) <= 2.5


def test_a_failed_message_waits_longer_each_time() -> None:
    """Half a second at first, half a minute at most."""
    assert [redelivery_s(n) for n in (1, 2, 3, 8, 1_000)] == [0.5, 1.0, 2.0, 30.0, 30.0]


async def test_a_budget_has_an_end() -> None:
    """Attempts stop as soon as there is no room for another pause."""
    budget = Budget(0.3)
    begun = time.monotonic()
    attempts = 1
    while await budget.pause():
        attempts += 1
    assert 2 <= attempts <= 4
    assert time.monotonic() - begun < 0.3 + BUSY_MACHINE_S
    assert budget.left_s >= 0


async def test_a_pause_ends_when_told_to_stop() -> None:
    """Nobody waits for a pause that has no more use."""
    stopping = asyncio.Event()
    waiting = asyncio.create_task(pause(stopping, 60))
    stopping.set()
    async with asyncio.timeout(1):
        await waiting


async def test_the_first_of_several_ends_the_others() -> None:
    """No wait is left behind."""
    ended: list[str] = []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("never")

    await first_of(never(), asyncio.sleep(0))  # the one that ends, after a turn of the loop
    assert ended == ["never"]
    await first_of(never(), longest_s=0.01)
    assert ended == ["never", "never"]
