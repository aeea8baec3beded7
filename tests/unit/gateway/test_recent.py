"""What is slow to find is found once for all who ask, and again when it is old."""

import asyncio

import pytest

from appshield.errors import UnavailableError
from appshield.gateway.recent import KEPT_MAX, Recent


class Finding:
    """Finds numbers, when it is let."""

    def __init__(self, *, failing: bool = False) -> None:
        self.times = 0
        self.let = asyncio.Event()
        self.failing = failing

    async def __call__(self) -> int:
        self.times += 1
        await self.let.wait()
        if self.failing:
            raise UnavailableError("the bucket is away")
        return self.times


async def test_all_who_ask_at_once_are_told_the_same() -> None:
    """And who asks soon afterwards, too."""
    recent, finding = Recent[int](60), Finding()
    asking = [asyncio.create_task(recent.get("a", finding)) for _ in range(5)]
    await asyncio.sleep(0)  # the task begins
    finding.let.set()
    assert await asyncio.gather(*asking) == [1] * 5
    assert await recent.get("a", finding) == 1


async def test_an_old_value_is_found_anew() -> None:
    """At once, where nothing is to be remembered."""
    recent, finding = Recent[int](0), Finding()
    finding.let.set()
    assert [await recent.get("a", finding) for _ in range(3)] == [1, 2, 3]


async def test_who_does_not_want_to_wait_gets_what_is_known() -> None:
    """Nothing the first time, an old value later; it is found all the same."""
    recent, finding = Recent[int](0), Finding()
    assert await recent.within("a", finding, patience_s=0) is None
    finding.let.set()
    assert await recent.get("a", finding) == 1
    finding.let.clear()
    assert await recent.within("a", finding, patience_s=0) == 1


async def test_a_failure_is_told_and_not_remembered() -> None:
    """Whoever asks next tries again."""
    recent, finding = Recent[int](60), Finding(failing=True)
    finding.let.set()
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await recent.get("a", finding)
    assert finding.times == 2


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    """A cancelled question goes on for those who wait."""
    recent, finding = Recent[int](60), Finding()
    one = asyncio.create_task(recent.get("a", finding))
    other = asyncio.create_task(recent.get("a", finding))
    await asyncio.sleep(0)  # the task begins
    one.cancel()
    finding.let.set()
    assert await other == 1


async def test_what_is_known_to_be_another_value_is_found_anew() -> None:
    """Also while it is being found: what that finds is told to those who asked before only."""
    recent, old, new = Recent[int](60), Finding(), Finding()
    new.times = 10
    new.let.set()
    asked_before = asyncio.create_task(recent.get("a", old))
    await asyncio.sleep(0)  # the task begins
    recent.forget("a")
    assert await recent.get("a", new) == 11
    old.let.set()
    assert await asked_before == 1
    assert await recent.get("a", new) == 11


async def test_only_so_many_are_remembered() -> None:
    """The one that was found longest ago goes."""
    recent, finding = Recent[int](60), Finding()
    finding.let.set()
    for number in range(KEPT_MAX + 1):
        await recent.get(str(number), finding)
    await recent.get("1", finding)
    assert finding.times == KEPT_MAX + 1
    await recent.get("0", finding)
    assert finding.times == KEPT_MAX + 2
