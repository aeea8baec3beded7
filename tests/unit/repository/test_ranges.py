"""Ranges of packs: few requests, none of them longer than memory allows, begun before asked for."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from appshield.objectstore import MemoryObjectStore
from appshield.repository.layout import file_name
from appshield.repository.opening import Sealed
from appshield.repository.ranges import GAP_BYTES, RANGE_BYTES, PackRange, PackRanges, plan
from waiting import wait_until

PACK_ID = "ab" * 32


def blobs_of(gaps_and_sizes: Sequence[tuple[int, int]]) -> list[Sealed]:
    """Blobs in the order of their pack, each after a gap."""
    blobs: list[Sealed] = []
    end = 0
    for number, (gap, size) in enumerate(gaps_and_sizes):
        blobs.append(Sealed(end + gap, size, 0, number.to_bytes(32, "big")))
        end += gap + size
    return blobs


@given(
    gaps_and_sizes=st.lists(
        st.tuples(
            st.one_of(st.just(0), st.integers(0, 3 * GAP_BYTES)),
            st.integers(33, RANGE_BYTES + (1 << 20)),
        ),
        min_size=1,
        max_size=30,
    ),
    shuffled=st.randoms(),
)
def test_each_blob_comes_once_in_a_range_of_bounded_length(
    gaps_and_sizes: list[tuple[int, int]], shuffled: Random
) -> None:
    """A range is only cut where a gap is wide or it would grow too long; a large blob is alone."""
    blobs = blobs_of(gaps_and_sizes)
    wanted = list(blobs)
    shuffled.shuffle(wanted)
    ranges = list(plan({PACK_ID: wanted}))

    assert [blob for each in ranges for blob in each.blobs] == blobs
    for each in ranges:
        last = each.blobs[-1]
        assert (each.start, each.end) == (each.blobs[0].offset, last.offset + last.sealed_bytes)
        assert len(each.blobs) == 1 or each.end - each.start <= RANGE_BYTES
        assert all(gap_between(*pair) <= GAP_BYTES for pair in pairwise(each.blobs))
    for before, after in pairwise(ranges):
        first = after.blobs[0]
        is_far = first.offset - before.end > GAP_BYTES
        assert is_far or first.offset + first.sealed_bytes - before.start > RANGE_BYTES


def gap_between(one: Sealed, other: Sealed) -> int:
    return other.offset - one.offset - one.sealed_bytes


class Watched(MemoryObjectStore):
    """A store that knows what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def get(self, name: str, *, offset: int = 0, length: int | None = None) -> bytes:
        self.asked.append(offset)
        return super().get(name, offset=offset, length=length)


async def test_a_plan_is_begun_with_the_call_and_runs_a_little_ahead() -> None:
    """One range is on its way before anybody reads, one more than is read later, and no others."""
    store = Watched()
    half = RANGE_BYTES // 2 + 1
    blobs = blobs_of([(0, half)] * 4)
    store.put(file_name("data", PACK_ID), bytes(4 * half))

    reading = PackRanges(store).read_planned({PACK_ID: blobs})
    await wait_until(lambda: store.asked == [0], deadline_s=10, what="the first request")
    part, fetched = next(reading)
    assert part == PackRange(PACK_ID, 0, half, blobs[:1])
    assert fetched == bytes(half)
    await wait_until(lambda: store.asked == [0, half], deadline_s=10, what="the second request")
    assert [part.start for part, _ in reading] == [half, 2 * half, 3 * half]
    assert store.asked == [0, half, 2 * half, 3 * half]
