"""The digests of many pieces: the same in C and in Python, of every size and number."""

import hashlib
import mmap
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appshield.repository.hashing import sha256_each
from appshield.repository.native import SWITCH, NativeCode
from repository_content import noise

SIZES = (0, 1, 31, 55, 56, 63, 64, 65, 119, 120, 128, 4096, 100_000)


@pytest.fixture(params=["C", "Python"], autouse=True)
def way(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, native_library: NativeCode
) -> None:
    """Each test is done both ways."""
    del native_library  # it is there
    monkeypatch.setenv(SWITCH, "1" if request.param == "C" else "0")


def digests(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Find them one by one."""
    found, start = [], 0
    for size in sizes:
        found.append(hashlib.sha256(data[start : start + size]).digest())
        start += size
    return found


@given(sizes=st.lists(st.one_of(st.sampled_from(SIZES), st.integers(0, 3000)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_each_piece_has_its_digest(sizes: list[int]) -> None:
    """Two at a time, of whichever sizes; what is behind them in the buffer does not count."""
    data = noise(sum(sizes) + 100, len(sizes))
    assert sha256_each(data, sizes) == digests(data, sizes)


def test_a_buffer_may_be_memory_that_is_written_to() -> None:
    """The window of a chunker, or a pack; it is let go of afterwards."""
    data = noise(1_000_000, 3)
    with mmap.mmap(-1, 1 << 20) as memory:
        memory[: len(data)] = data
        with memoryview(memory) as window:
            sizes = (300_000, 200_000, 500_000)
            assert sha256_each(window, sizes) == digests(data, sizes)


def test_pieces_beyond_the_buffer_are_refused_in_c(native_library: NativeCode) -> None:
    """Memory that is not ours is never read."""
    with pytest.raises(AssertionError):
        native_library.sha256_each(b"12345678", (4, 5))
