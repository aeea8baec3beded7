"""Sealing is restic's, to the byte, and lets no change pass."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.repository.crypto import SEAL_BYTES, BrokenSealError, SealingKey

KEY = SealingKey(encrypt=b"\1" * 32, mac_k=b"\2" * 16, mac_r=b"\3" * 16)
VECTOR = bytes.fromhex("04" * 16 + "ce4827b77a" + "66f45113be871e7f4d3cb93c62c8ce51")


def test_the_vector_of_the_format_comes_out() -> None:
    """With known key and iv, `hello` is sealed to known bytes."""
    assert KEY.seal(b"hello", iv=b"\4" * 16) == VECTOR
    assert bytes(KEY.open(VECTOR)) == b"hello"


@given(plain=st.binary(max_size=5000))
def test_what_was_sealed_comes_back(plain: bytes) -> None:
    """Opening undoes sealing, and sealing adds 32 bytes."""
    sealed = KEY.seal(plain)
    assert len(plain) + SEAL_BYTES == len(sealed)
    assert plain == KEY.open(sealed)


@pytest.mark.parametrize("bit", range(len(VECTOR) * 8))
def test_no_flipped_bit_passes(bit: int) -> None:
    """Any changed bit breaks the seal."""
    changed = bytearray(VECTOR)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BrokenSealError):
        KEY.open(changed)


@pytest.mark.parametrize("length", range(len(VECTOR)))
def test_nothing_that_is_cut_off_passes(length: int) -> None:
    """A shortened seal is broken."""
    with pytest.raises(BrokenSealError):
        KEY.open(VECTOR[:length])


def test_an_empty_iv_is_refused() -> None:
    """Restic refuses it, so do we, even with a MAC that verifies."""
    with pytest.raises(BrokenSealError, match="initialization vector"):
        KEY.open(KEY.seal(b"hello", iv=bytearray(16)))  # type: ignore[arg-type]  # a truthy zero iv


def test_two_seals_of_one_text_differ() -> None:
    """Each seal has a fresh iv."""
    assert KEY.seal(b"hello") != KEY.seal(b"hello")


def test_threads_do_not_disturb_each_other() -> None:
    """One key may be used by many threads at once."""

    def seal_and_open(number: int) -> bool:
        plain = bytes([number % 256]) * (number * 37)
        return all(plain == KEY.open(KEY.seal(plain)) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(seal_and_open, range(200)))


@pytest.mark.parametrize("part", ["encrypt", "mac_k", "mac_r"])
def test_a_key_of_zeros_is_refused(part: str) -> None:
    """An empty key is a sign of damage, not a key."""
    parts = {"encrypt": b"\1" * 32, "mac_k": b"\1" * 16, "mac_r": b"\1" * 16}
    parts[part] = bytes(len(parts[part]))
    with pytest.raises(DamagedError):
        SealingKey(**parts)


def test_a_key_does_not_show_itself() -> None:
    """No representation holds a part of the key."""
    assert "1" not in repr(KEY)


@given(pieces=st.lists(st.binary(max_size=300), max_size=6))
def test_many_pieces_are_sealed_as_each_alone(pieces: list[bytes]) -> None:
    """Each has its own seal, beside the others, and opens alone and together with them."""
    sizes = [len(piece) + SEAL_BYTES for piece in pieces]
    sealed = memoryview(bytearray(7 + sum(sizes)))
    KEY.seal_each_into(pieces, sealed, 7)
    assert [bytes(piece) for piece in KEY.open_each(sealed[7:], sizes)] == pieces
    start = 7
    for piece, size in zip(pieces, sizes, strict=True):
        assert bytes(KEY.open(sealed[start : start + size])) == piece
        start += size
    assert len({bytes(sealed[at : at + 16]) for at in _starts(7, sizes)}) == len(pieces)


def _starts(first: int, sizes: list[int]) -> list[int]:
    return [first + sum(sizes[:number]) for number in range(len(sizes))]


@pytest.mark.parametrize("bit", range(2 * 8 * len(VECTOR)))
def test_no_flipped_bit_passes_among_many_pieces(bit: int) -> None:
    """Any changed bit of any piece breaks its seal."""
    sealed = bytearray(2 * len(VECTOR))
    KEY.seal_each_into([b"hello", b"world"], memoryview(sealed), 0)
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BrokenSealError):
        list(KEY.open_each(memoryview(sealed), [len(VECTOR)] * 2))
