"""Packs are laid out as the format demands, and describe themselves."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.repository.blobs import BlobCodec, EncodedBlob, blob_id
from appshield.repository.crypto import SealingKey
from appshield.repository.packs import (
    FinishedPack,
    PackBuilder,
    PackEntry,
    encode_header,
    pack_size_bytes,
    read_header,
)

KEY = SealingKey.random()
CODEC = BlobCodec(KEY)


def pack_of(*plains: bytes) -> FinishedPack:
    builder = PackBuilder("data")
    for plain in plains:
        builder.add(blob_id(plain), CODEC.encode(blob_id(plain), "data", plain))
    return builder.finish(KEY)


def test_the_header_has_the_layout_of_the_format() -> None:
    """37 bytes for a raw blob, 41 for a compressed one, little endian."""
    entries = [
        PackEntry(b"\1" * 32, "data", 0, 0x1234, 0),
        PackEntry(b"\2" * 32, "tree", 0x1234, 0x100, 0x200),
    ]
    assert encode_header(entries) == (
        b"\0" + b"\x34\x12\0\0" + b"\1" * 32 + b"\3" + b"\0\1\0\0" + b"\0\2\0\0" + b"\2" * 32
    )


@given(plains=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8, unique=True))
def test_a_pack_gives_back_its_blobs(plains: list[bytes]) -> None:
    """From its header alone, with the name and the size that were promised."""
    pack = pack_of(*plains)
    stored = bytes(pack.stored)
    assert hashlib.sha256(stored).hexdigest() == pack.pack_id
    assert pack_size_bytes(pack.entries) == len(stored)
    entries = read_header(stored, KEY)
    assert entries == pack.entries
    assert plains == [
        CODEC.decode(
            entry.blob_id,
            stored[entry.offset :][: entry.sealed_bytes],
            compressed_from=entry.compressed_from,
        )
        for entry in entries
    ]
    assert [entry.plain_bytes for entry in entries] == [len(plain) for plain in plains]


def test_packs_can_be_put_together() -> None:
    """The offsets of the second are shifted behind the first."""
    first, second = PackBuilder("data"), PackBuilder("data")
    for builder, plain in ((first, b"a" * 100), (second, b"b" * 100), (second, b"c" * 100)):
        builder.add(blob_id(plain), CODEC.encode(blob_id(plain), "data", plain))
    first.absorb(second)
    pack = first.finish(KEY)
    assert read_header(pack.stored, KEY) == pack.entries
    assert len(pack.entries) == 3


def test_incompressible_data_is_stored_as_it_is() -> None:
    """And directories are compressed even if they grow: restic would repack others."""
    assert CODEC.encode(blob_id(b"x"), "data", b"x").compressed_from == 0
    assert CODEC.encode(blob_id(b"x"), "tree", b"x").compressed_from == 1


@pytest.mark.parametrize("where", [0, 50, -1, -5, -40])
def test_a_changed_pack_does_not_pass(where: int) -> None:
    """Blob, header and length are each protected."""
    pack = pack_of(b"some data" * 10)
    pack.stored[where] ^= 1
    (entry,) = pack.entries
    with pytest.raises(DamagedError):
        CODEC.decode(
            read_header(pack.stored, KEY)[0].blob_id,
            pack.stored[: entry.sealed_bytes],
            compressed_from=entry.compressed_from,
        )


@pytest.mark.parametrize("stored", [b"", b"\0" * 35, b"\0" * 100 + struct.pack("<I", 1 << 31)])
def test_what_is_no_pack_is_damage(stored: bytes) -> None:
    """No length is believed before it is checked."""
    with pytest.raises(DamagedError):
        read_header(stored, KEY)


def test_a_header_of_unknown_entries_is_damage() -> None:
    """A type that is not in the format is not guessed."""
    header = KEY.seal(b"\7" + bytes(40))
    with pytest.raises(DamagedError):
        read_header(bytes(header) + struct.pack("<I", len(header)), KEY)


def test_an_encoding_that_went_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faulty memory must not reach the bucket."""
    monkeypatch.setattr(KEY, "seal", lambda plain: SealingKey.seal(KEY, bytes(plain) + b"!"))
    with pytest.raises(DamagedError, match="changed while it was encoded"):
        CODEC.encode(blob_id(b"x"), "data", b"x")
    unproved: EncodedBlob = BlobCodec(KEY, verify=False).encode(blob_id(b"x"), "data", b"x")
    assert unproved.sealed
