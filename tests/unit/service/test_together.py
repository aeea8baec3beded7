"""Work done at once, and work in threads: the first error comes out alone, nothing goes on."""

import asyncio
import threading

import pytest

from appshield.errors import NotFoundError, RefusedError
from appshield.service import Cancelled, both, run_blocking, together


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail(error: Exception) -> int:
    raise error


async def test_results_come_in_order() -> None:
    """Whatever ends first."""
    assert await together(give(n) for n in range(50)) == list(range(50))


async def test_no_more_than_asked_run_at_once() -> None:
    """A store or an API server is not flooded."""
    running, most = 0, 0

    async def one() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await together((one() for _ in range(20)), at_once=3)
    assert most == 3


async def test_the_first_error_of_ours_comes_out_as_itself_and_ends_the_others() -> None:
    """So that a caller can catch it by its type."""
    cancelled: list[bool] = []

    async def hang() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return 0

    with pytest.raises(NotFoundError, match="this one"):
        await together([hang(), fail(NotFoundError("this one"))])
    assert cancelled == [True]


async def test_two_of_different_kinds_give_both_results_or_the_error_of_one() -> None:
    """The other one does not go on alone."""

    async def say() -> str:
        return "said"

    assert await both(give(7), say()) == (7, "said")
    over: list[bool] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            over.append(True)

    with pytest.raises(NotFoundError, match="this one"):
        await both(hang(), fail(NotFoundError("this one")))
    assert over == [True]


async def test_a_defect_among_errors_is_not_hidden() -> None:
    """The group comes out whole."""
    with pytest.raises(BaseExceptionGroup):
        await together([fail(RefusedError("no")), fail(ZeroDivisionError())])


async def test_cancelled_blocking_work_is_told_and_waited_for() -> None:
    """When the cancellation has come through, nothing of the work goes on."""
    began, over = threading.Event(), threading.Event()

    def work(cancelled: Cancelled) -> None:
        began.set()
        while not cancelled():
            threading.Event().wait(0.001)
        over.set()

    running = asyncio.create_task(run_blocking(work))
    await asyncio.to_thread(began.wait, 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert over.is_set()


async def test_what_blocking_work_raises_after_it_was_cancelled_is_not_told() -> None:
    """Whoever cancelled does not want to know."""
    began = threading.Event()

    def work(cancelled: Cancelled) -> None:
        began.set()
        while not cancelled():
            threading.Event().wait(0.001)
        raise NotFoundError("too late")

    running = asyncio.create_task(run_blocking(work))
    await asyncio.to_thread(began.wait, 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_blocking_work_gives_its_result_and_its_error() -> None:
    """As if it had been called."""
    assert await run_blocking(lambda _: 7) == 7

    def work(_: Cancelled) -> None:
        raise RefusedError("no")

    with pytest.raises(RefusedError):
        await run_blocking(work)
