"""Streams are cut by their content, within limits, and lose nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from appshield.repository.chunking import LARGEST_BYTES, SMALLEST_BYTES, Chunker
from appshield.repository.crypto import SealingKey
from appshield.repository.nodes import ReadInto
from repository_content import noise, stream

CHUNKER = Chunker(SealingKey(encrypt=b"\1" * 32, mac_k=b"\2" * 16, mac_r=b"\3" * 16))


def chunks_of(read_into: ReadInto, chunker: Chunker = CHUNKER) -> list[bytes]:
    return [bytes(chunk) for chunks in chunker.chunks(read_into) for chunk in chunks.pieces()]


@given(
    size=st.one_of(
        st.integers(0, 3_000_000),
        st.sampled_from([0, 1, SMALLEST_BYTES - 1, SMALLEST_BYTES, SMALLEST_BYTES + 1]),
    ),
    seed=st.integers(0, 5),
    most=st.sampled_from([1000, 65_536, 1 << 30]),
)
@settings(max_examples=40, deadline=None)
def test_chunks_are_the_stream_however_it_is_read(size: int, seed: int, most: int) -> None:
    """Short reads change no cut, and all cuts keep their limits."""
    data = noise(size, seed)
    read_into = stream(data)
    chunks = chunks_of(lambda buffer: read_into(buffer[:most]))
    assert b"".join(chunks) == data
    assert chunks == chunks_of(stream(data))
    assert all(0 < len(chunk) <= LARGEST_BYTES for chunk in chunks)
    assert all(len(chunk) >= SMALLEST_BYTES for chunk in chunks[:-1])


def test_a_long_stream_is_cut_as_if_it_were_seen_whole() -> None:
    """Cuts do not depend on where the window stood."""
    data = noise(30_000_000, 1)
    whole = [len(chunk.data) for chunk in CHUNKER._cutter.cut_buf(data)]
    assert whole == [len(chunk) for chunk in chunks_of(stream(data))]
    pieces = stream(data)
    assert whole == [len(chunk) for chunk in chunks_of(lambda buffer: pieces(buffer[:99_999]))]


def test_equal_bytes_are_cut_at_the_largest_size() -> None:
    """Content without structure has no natural cuts."""
    sizes = [len(chunk) for chunk in chunks_of(stream(bytes(3 * LARGEST_BYTES + 5)))]
    assert sizes == [LARGEST_BYTES] * 3 + [5]


def test_an_insertion_changes_few_chunks() -> None:
    """That is why content decides the cuts."""
    data = noise(20_000_000)
    changed = data[:7_000_000] + b"inserted" + data[7_000_000:]
    before = set(chunks_of(stream(data)))
    after = chunks_of(stream(changed))
    assert len([chunk for chunk in after if chunk not in before]) <= 3


def test_another_repository_cuts_elsewhere() -> None:
    """The sizes of chunks do not tell which known file is stored."""
    data = noise(8_000_000)
    other = Chunker(SealingKey.random())
    ours, theirs = (
        [len(chunk) for chunk in chunks_of(stream(data), of)] for of in (CHUNKER, other)
    )
    assert ours != theirs


def test_a_small_stream_is_read_to_its_end_once() -> None:
    """The answer that means the end is not asked for twice: a pipe would block."""
    answers = iter([b"ab", b"c", b""])

    def read_into(buffer: memoryview) -> int:
        answer = next(answers)
        buffer[: len(answer)] = answer
        return len(answer)

    assert chunks_of(read_into) == [b"abc"]
