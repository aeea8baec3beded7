"""Requests go at the configured pace: a burst, then one after the other; none while it rests."""

import asyncio

import pytest

from appshield.kubernetes import Actor, Cluster, kinds
from appshield.kubernetes.pacing import Pace
from fake_kubernetes import FakeKubernetes
from kubernetes_api import config_map


async def _seen(cluster: Cluster) -> None:
    """Wait for an object that is not there yet, with a watch."""
    waiting = cluster.wait_for(
        kinds.CONFIG_MAP, "late", "default", bool, timeout_s=30, what="there"
    )
    created = cluster.create(kinds.CONFIG_MAP, config_map("late"), namespace="default")
    await asyncio.gather(waiting, created)


class Time:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


async def _turns(pace: Pace, time: Time, count: int) -> list[float]:
    """Take turns one after the other; return when each came."""
    came = []
    for _ in range(count):
        await pace.turn()
        came.append(round(time.now_s - 100, 6))
    return came


def _pace(time: Time, per_s: float, burst: int) -> Pace:
    return Pace(per_s=per_s, burst=burst, now_s=lambda: time.now_s, sleep=time.sleep)


async def test_after_a_burst_turns_come_steadily() -> None:
    """Ten a second, of which three at once."""
    time = Time()
    assert await _turns(_pace(time, 10, 3), time, 6) == [0, 0, 0, 0.1, 0.2, 0.3]


async def test_turns_that_nobody_took_are_kept_for_one_burst_and_not_more() -> None:
    """However long nothing was asked."""
    time = Time()
    pace = _pace(time, 10, 3)
    await _turns(pace, time, 5)
    time.now_s = 200.0
    assert await _turns(pace, time, 4) == [100, 100, 100, 100.1]


async def test_nobody_has_a_turn_while_it_rests() -> None:
    """Whatever is left of a burst."""
    time = Time()
    pace = _pace(time, 10, 5)
    pace.rest_until(102.0)
    pace.rest_until(101.0)
    assert await _turns(pace, time, 2) == [2, 2]


async def test_without_a_limit_only_a_rest_is_waited_for() -> None:
    """As for tools that ask a few things."""
    time = Time()
    pace = _pace(time, 0, 1)
    assert await _turns(pace, time, 1_000) == [0] * 1_000


async def test_all_requests_of_a_connection_share_its_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those in somebody's name, and pages and watches."""
    taken = 0
    turn = Pace.turn

    async def counted(self: Pace) -> None:
        nonlocal taken
        taken += 1
        await turn(self)

    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        fake.requests.clear()
        monkeypatch.setattr(Pace, "turn", counted)
        shared = cluster.acting_as(Actor(name="somebody"))
        assert shared.requests.connection.pace is cluster.requests.connection.pace
        await asyncio.gather(
            cluster.get(kinds.NAMESPACE, "default"),
            cluster.list(kinds.CONFIG_MAP),
            shared.get(kinds.NAMESPACE, "default"),
            _seen(cluster),
        )
        assert taken == len(fake.requests)
