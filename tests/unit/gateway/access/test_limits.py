"""How often is often enough."""

from hypothesis import given
from hypothesis import strategies as st

from appshield.gateway.access.limits import Buckets
from moving_time import MovingTime


def test_a_burst_is_let_through_and_then_as_much_as_time_gives() -> None:
    """The wait that is told is the one after which it works."""
    time = MovingTime(100)
    buckets = Buckets(per_s=2, burst=3, now_s=time)
    assert [buckets.take("ann") for _ in range(4)] == [0, 0, 0, 0.5]
    time.now_s += 0.5
    assert [buckets.take("ann"), buckets.take("ann") > 0] == [0, True]


def test_each_key_has_its_own() -> None:
    """Somebody else's haste holds nobody up."""
    buckets = Buckets(per_s=1, burst=1, now_s=MovingTime())
    assert buckets.take("ann") == 0
    assert buckets.take("ann") > 0
    assert buckets.take("bob") == 0


def test_looking_costs_nothing() -> None:
    """Only what is done is counted."""
    buckets = Buckets(per_s=1, burst=1, now_s=MovingTime())
    assert [buckets.wait_s("ann") for _ in range(5)] == [0] * 5
    assert buckets.take("ann") == 0


def test_the_number_of_keys_is_bounded_and_the_busiest_stay() -> None:
    """Whoever comes from many addresses makes nobody else forgotten who is limited just now."""
    buckets = Buckets(per_s=0.001, burst=2, keys_max=3, now_s=MovingTime())
    buckets.take("busy")
    for number in range(10):
        buckets.take("busy")
        buckets.take(f"other-{number}")
    assert buckets.wait_s("other-0") == 0
    assert buckets.wait_s("other-9") == 0
    assert buckets.take("other-9") == 0
    assert buckets.take("other-9") > 0


@given(
    per_s=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 10), min_size=1, max_size=100),
)
def test_no_series_gets_more_than_burst_and_rate_give(
    per_s: float, burst: int, pauses: list[float]
) -> None:
    """Whatever the times at which it asks."""
    time = MovingTime()
    buckets = Buckets(per_s=per_s, burst=burst, now_s=time)
    done = 0
    for pause_s in pauses:
        time.now_s += pause_s
        done += buckets.take("ann") == 0
        assert done <= burst + per_s * time.now_s + 1e-6
