"""Blocks of zeros: found exactly where they are, whatever is around them."""

from hypothesis import given
from hypothesis import strategies as st

from appshield.repository.files.sparse import BLOCK_BYTES, zero_blocks

PIECES = st.one_of(
    st.integers(0, 3 * BLOCK_BYTES).map(bytes),
    st.binary(max_size=20),
    st.sampled_from([b"x" * BLOCK_BYTES, b"\0" * (BLOCK_BYTES - 1) + b"x"]),
)


@given(pieces=st.lists(PIECES, max_size=6), offset=st.integers(0, 3 * BLOCK_BYTES))
def test_whole_blocks_of_the_file_are_found(pieces: list[bytes], offset: int) -> None:
    """Those that are all zeros, counted from the start of the file and not of the data."""
    data = b"".join(pieces)
    starts = range(-offset % BLOCK_BYTES, len(data) - BLOCK_BYTES + 1, BLOCK_BYTES)
    expected = [start for start in starts if not any(data[start : start + BLOCK_BYTES])]
    assert list(zero_blocks(data, offset)) == expected
