"""Ranges of packs: few requests, none of them longer than memory allows, begun before asked for."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.objectstore import MemoryObjectStore, RangeReader
from appshield.repository.layout import file_name
from appshield.repository.opening import Sealed
from appshield.repository.ranges import GAP_BYTES, RANGE_BYTES, PackRange, PackRanges, plan

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

    def open_range(self, name: str, *, offset: int, length: int) -> RangeReader:
        self.asked.append(offset)
        return super().open_range(name, offset=offset, length=length)


def test_a_plan_is_begun_with_the_call_and_runs_a_little_ahead() -> None:
    """One range is asked for before anybody reads, one more than is read later, and no others."""
    store = Watched()
    half = RANGE_BYTES // 2 + 1
    blobs = blobs_of([(0, half)] * 4)
    store.put(file_name("data", PACK_ID), bytes(4 * half))

    reading = PackRanges(store).read_planned({PACK_ID: blobs})
    assert store.asked == [0]
    stream = next(reading)
    assert stream.part == PackRange(PACK_ID, 0, half, blobs[:1])
    assert store.asked == [0, half]
    assert [stream.part.start for stream in reading] == [half, 2 * half, 3 * half]
    assert store.asked == [0, half, 2 * half, 3 * half]


def test_a_stream_passes_over_what_is_not_wanted_and_ends_where_the_pack_does() -> None:
    """Also in a pack that is shorter than it should be, or is not there."""
    store = MemoryObjectStore()
    blobs = blobs_of([(0, 100), (50, 100), (50, 100)])
    content = bytes(range(250)) + b"cut"
    store.put(file_name("data", PACK_ID), content)
    (stream,) = PackRanges(store).read_planned({PACK_ID: blobs})
    for blob, length in zip(blobs, (100, 100, 0), strict=True):
        room = memoryview(bytearray(100))
        assert stream.fill(blob.offset, room) == length
        assert room[:length] == content[blob.offset :][:length]
    (stream,) = PackRanges(store).read_planned({"cd" * 32: blobs})
    assert stream.fill(0, memoryview(bytearray(100))) == 0


def test_a_small_pack_comes_whole() -> None:
    """Whatever is read of it first: directories are read from its end to its start."""
    store = Watched()
    store.put(file_name("data", PACK_ID), bytes(range(200)))
    ranges = PackRanges(store)
    for offset in (150, 100, 0):
        part = ranges.read(PACK_ID, offset=offset, length=50, pack_size=200)
        assert bytes(part) == bytes(range(200))[offset:][:50]
    assert store.asked == [0]
    with pytest.raises(DamagedError, match="cut off"):
        ranges.read(PACK_ID, offset=180, length=50, pack_size=230)
