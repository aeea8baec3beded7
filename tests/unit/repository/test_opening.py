"""Opening many blobs at once: the same in C and in Python, and nothing that is not right."""

import os
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.repository.blobs import BlobCodec, blob_id
from appshield.repository.crypto import SEAL_BYTES, SealingKey
from appshield.repository.native import SWITCH
from appshield.repository.opening import (
    WINDOW_BYTES,
    BlobOpener,
    CompiledOpener,
    PythonOpener,
    Sealed,
    blob_opener,
    windows,
)
from native_library import built_native
from repository_content import noise

KEY = SealingKey(encrypt=bytes([1]) * 32, mac_k=bytes([2]) * 16, mac_r=bytes([3]) * 16)
SIZES = (1, 15, 16, 31, 55, 56, 63, 64, 65, 119, 120, 4096, 100_000, 1 << 20)


@pytest.fixture(params=["C", "Python"])
def opener(request: pytest.FixtureRequest) -> BlobOpener:
    if request.param == "Python":
        return PythonOpener(KEY)
    return CompiledOpener(built_native(), KEY)


def plain_of(size: int, number: int) -> bytes:
    """Content that is compressed, or not, in turn."""
    return noise(size, number) if number % 2 else (b"%d " % number * size)[:size]


def pack_of(contents: Sequence[bytes]) -> tuple[bytearray, list[Sealed]]:
    """Seal blobs one after the other."""
    codec = BlobCodec(KEY)
    pack, blobs = bytearray(), []
    for content in contents:
        packed, compressed_from = codec.pack("data", content)
        sealed = KEY.seal(packed)
        blobs.append(Sealed(len(pack), len(sealed), compressed_from, blob_id(content)))
        pack += sealed
    return pack, blobs


def opened(opener: BlobOpener, pack: bytes, blobs: Sequence[Sealed]) -> list[bytes | None]:
    """Open blobs of a pack of which these bytes are there; None for what is not right."""
    opener.room(len(pack))[:] = pack
    plain, starts = opener.open(len(pack), 0, blobs)
    return [
        None if start < 0 else bytes(plain[start:][: blob.plain_bytes])
        for start, blob in zip(starts, blobs, strict=True)
    ]


def test_blobs_of_every_size_are_opened(opener: BlobOpener) -> None:
    """In any order of sizes, one window after the other with the same buffers."""
    contents = [plain_of(size, number) for number, size in enumerate(SIZES * 2)]
    for seed in range(3):
        Random(seed).shuffle(contents)
        pack, blobs = pack_of(contents)
        assert opened(opener, bytes(pack), blobs) == contents


def wrong_packs() -> Iterator[tuple[str, bytearray, list[Sealed]]]:
    """Yield packs of which only the second of three blobs is wrong."""
    contents = [plain_of(5000, 2), plain_of(70_000, 4), plain_of(300, 5)]
    for place in (0, 16, 40, -1):
        pack, blobs = pack_of(contents)
        pack[blobs[1].offset + (place if place >= 0 else blobs[1].sealed_bytes - 1)] ^= 4
        yield f"bit at {place}", pack, blobs
    for what, change in (
        ("id", {"blob_id": bytes(32)}),
        ("too small", {"compressed_from": 69_999}),
        ("too large", {"compressed_from": 70_001}),
        ("raw", {"compressed_from": 0}),
        ("behind the end", {"offset": 1 << 31}),
        ("too long", {"sealed_bytes": 1 << 20}),
        ("shorter than a seal", {"sealed_bytes": SEAL_BYTES - 1}),
        ("nothing but a seal", {"sealed_bytes": SEAL_BYTES}),
    ):
        pack, blobs = pack_of(contents)
        blobs[1] = blobs[1]._replace(**change)
        yield what, pack, blobs
    pack, blobs = pack_of(contents)
    pack[blobs[1].offset : blobs[1].offset + 16] = bytes(16)
    yield "no initialization vector", pack, blobs


@pytest.mark.parametrize("number", range(len(list(wrong_packs()))))
def test_a_blob_that_is_wrong_is_not_opened_and_others_are(opener: BlobOpener, number: int) -> None:
    what, pack, blobs = list(wrong_packs())[number]
    first, second, third = opened(opener, bytes(pack), blobs)
    assert second is None, what
    assert first is not None
    assert third is not None


def test_of_a_pack_that_is_cut_off_the_rest_is_opened(opener: BlobOpener) -> None:
    contents = [plain_of(5000, 2), plain_of(5000, 3)]
    pack, blobs = pack_of(contents)
    assert opened(opener, bytes(pack[:-1]), blobs) == [contents[0], None]
    assert opened(opener, b"", blobs) == [None, None]


def test_another_key_opens_nothing(opener: BlobOpener) -> None:
    pack, blobs = pack_of([plain_of(100, 2)])
    other = SealingKey(encrypt=KEY.encrypt, mac_k=bytes([9]) * 16, mac_r=KEY.mac_r)
    assert opened(blob_opener(other), bytes(pack), blobs) == [None]


@given(sizes=st.lists(st.integers(1, 2 * WINDOW_BYTES), min_size=1, max_size=40))
def test_windows_hold_each_blob_once_and_are_of_bounded_size(sizes: list[int]) -> None:
    blobs: list[Sealed] = []
    for size in sizes:
        offset = blobs[-1].end if blobs else 0
        blobs.append(Sealed(offset, size // 2 + SEAL_BYTES, size, os.urandom(32)))
    groups = list(windows(blobs))
    assert [blob for group in groups for blob in group] == blobs
    for group in groups:
        assert len(group) == 1 or sum(blob.plain_bytes for blob in group) <= WINDOW_BYTES
        assert len(group) == 1 or group[-1].end - group[0].offset <= WINDOW_BYTES


def test_the_c_part_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(blob_opener(KEY), CompiledOpener)
    monkeypatch.setenv(SWITCH, "0")
    assert isinstance(blob_opener(KEY), PythonOpener)
