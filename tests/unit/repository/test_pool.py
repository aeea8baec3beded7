"""Bounded pools push back, keep the first failure, and never hang."""

import functools
import threading

import pytest

from appshield.repository.pool import BoundedPool, Failure
from waiting import wait_until


def test_work_is_done_before_drain_returns() -> None:
    """All of it."""
    done: list[int] = []
    pool = BoundedPool("test", threads=3, waiting=2, failure=Failure())
    for number in range(100):
        pool.submit(functools.partial(done.append, number))
    pool.drain()
    pool.close()
    assert sorted(done) == list(range(100))


async def test_who_gives_work_waits_while_there_is_no_room() -> None:
    """Two at work and one waiting fill this pool."""
    gate = threading.Event()
    given: list[int] = []
    pool = BoundedPool("test", threads=2, waiting=1, failure=Failure())

    def wait_for_gate() -> None:
        gate.wait()

    def give() -> None:
        for number in range(5):
            pool.submit(wait_for_gate)
            given.append(number)

    giver = threading.Thread(target=give)
    giver.start()
    await wait_until(lambda: len(given) == 3, deadline_s=5, what="the pool is full")
    giver.join(timeout=0.1)
    assert len(given) == 3
    gate.set()
    giver.join()
    pool.drain()
    pool.close()


def test_the_first_failure_reaches_everybody_and_later_work_is_dropped() -> None:
    """It is the original error, from `submit` as well as from `drain`."""
    error = ValueError("the first")
    done: list[int] = []
    pool = BoundedPool("test", threads=1, waiting=50, failure=Failure())
    gate = threading.Event()

    def fail() -> None:
        gate.wait()
        raise error

    pool.submit(fail)
    for number in range(20):
        pool.submit(functools.partial(done.append, number))
    gate.set()
    with pytest.raises(ValueError, match="the first") as caught:
        pool.drain()
    assert caught.value is error
    with pytest.raises(ValueError, match="the first"):
        pool.submit(lambda: None)
    pool.close()
    assert done == []


async def test_a_failure_frees_who_is_waiting_to_give_work() -> None:
    """Nobody waits for room that never comes."""
    gate = threading.Event()
    caught: list[Exception] = []
    pool = BoundedPool("test", threads=1, waiting=0, failure=Failure())

    def fail() -> None:
        gate.wait()
        raise ValueError("gone")

    def give() -> None:
        try:
            pool.submit(lambda: None)
        except ValueError as error:
            caught.append(error)

    pool.submit(fail)
    giver = threading.Thread(target=give)
    giver.start()
    gate.set()
    giver.join(timeout=5)
    assert len(caught) == 1
    pool.close()


def test_a_failure_is_shared_by_the_pools_of_one_purpose() -> None:
    """An upload that fails stops the encoding."""
    failure = Failure()
    first = BoundedPool("one", threads=1, waiting=0, failure=failure)
    second = BoundedPool("two", threads=1, waiting=0, failure=failure)
    error = ValueError("the first")

    def fail() -> None:
        raise error

    def give_and_wait() -> None:
        first.submit(fail)
        first.drain()

    with pytest.raises(ValueError, match="the first"):
        give_and_wait()
    with pytest.raises(ValueError, match="the first"):
        second.submit(lambda: None)
    first.close()
    second.close()
