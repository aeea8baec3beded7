"""Answers are used for their time and no longer, and asked for once by many."""

import asyncio

import pytest

from appshield.errors import UnavailableError
from appshield.rights.brief import Answer, Brief
from moving_time import MovingTime


class Asked:
    """Counts how often it is asked; answers when it is let go."""

    def __init__(self, lives_s: float = 10.0) -> None:
        self.times = 0
        self.lives_s = lives_s
        self.go = asyncio.Event()
        self.go.set()
        self.fails = False

    async def __call__(self) -> Answer[str]:
        self.times += 1
        await self.go.wait()
        if self.fails:
            raise UnavailableError("away")
        return Answer(f"answer {self.times}", self.lives_s)


async def test_an_answer_is_used_for_its_time_and_no_longer() -> None:
    """What was revoked is revoked after that."""
    time, asked = MovingTime(), Asked()
    brief: Brief[str, str] = Brief(entries_max=5, now_s=time)
    assert await brief.get("a", asked) == "answer 1"
    time.now_s = 9.9
    assert await brief.get("a", asked) == "answer 1"
    time.now_s = 10
    assert brief.known("a") is None
    assert await brief.get("a", asked) == "answer 2"


async def test_an_answer_that_may_not_be_kept_is_not() -> None:
    """A token that is over already is asked about again."""
    asked = Asked(lives_s=-1)
    brief: Brief[str, str] = Brief(entries_max=5)
    await brief.get("a", asked)
    await brief.get("a", asked)
    assert asked.times == 2


async def test_many_at_once_ask_once() -> None:
    """Also while the answer is on its way."""
    asked = Asked()
    asked.go.clear()
    brief: Brief[str, str] = Brief(entries_max=5)
    waiting = [asyncio.create_task(brief.get("a", asked)) for _ in range(50)]
    await asyncio.sleep(0)  # each has asked, none is answered
    asked.go.set()
    assert set(await asyncio.gather(*waiting)) == {"answer 1"}
    assert asked.times == 1


async def test_who_goes_away_spoils_nothing_for_the_others() -> None:
    """The first one started the question; its client is gone."""
    asked = Asked()
    asked.go.clear()
    brief: Brief[str, str] = Brief(entries_max=5)
    first = asyncio.create_task(brief.get("a", asked))
    await asyncio.sleep(0)  # it has begun the question
    second = asyncio.create_task(brief.get("a", asked))
    await asyncio.sleep(0)  # it waits for the same answer
    first.cancel()
    asked.go.set()
    assert await second == "answer 1"
    assert asked.times == 1


async def test_a_failure_is_told_to_all_and_not_remembered() -> None:
    """The next one asks again."""
    asked = Asked()
    asked.fails = True
    brief: Brief[str, str] = Brief(entries_max=5)
    told = await asyncio.gather(*(brief.get("a", asked) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [UnavailableError] * 3
    asked.fails = False
    assert await brief.get("a", asked) == "answer 2"


@pytest.mark.parametrize("entries_max", [1, 3])
async def test_what_is_kept_is_bounded(entries_max: int) -> None:
    """Whoever makes up tokens fills no memory."""
    brief: Brief[int, str] = Brief(entries_max=entries_max)
    for number in range(10):
        await brief.get(number, Asked())
    known = [number for number in range(10) if brief.known(number)]
    assert known == list(range(10 - entries_max, 10))
