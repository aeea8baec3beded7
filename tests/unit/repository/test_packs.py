"""Packs are laid out as the format demands, and describe themselves."""

import hashlib
import os
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.repository.blobs import LARGEST_BLOB_BYTES, BlobCodec, BlobKind, blob_id
from appshield.repository.crypto import SealingKey
from appshield.repository.memory import untouched
from appshield.repository.native import SWITCH, NativeCode
from appshield.repository.packs import (
    PROVED_BYTES,
    FinishedPack,
    PackBuilder,
    PackEntry,
    decode_header,
    pack_size_bytes,
    read_header,
)

KEY = SealingKey.random()
CODEC = BlobCodec(KEY)


def add(builder: PackBuilder, plain: bytes, codec: BlobCodec = CODEC) -> None:
    packed, compressed_from = codec.pack(builder.kind, plain)
    builder.add(codec, blob_id(plain), (packed,), compressed_from=compressed_from)


def pack_of(*plains: bytes, kind: BlobKind = "data") -> FinishedPack:
    builder = PackBuilder(kind)
    for plain in plains:
        add(builder, plain)
    return builder.finish(KEY)


def test_the_header_has_the_layout_of_the_format() -> None:
    """37 bytes for a raw blob, 41 for a compressed one, little endian."""
    raw = pack_of(b"\1").header
    assert raw == b"\0" + (33).to_bytes(4, "little") + blob_id(b"\1")
    zeros = bytes(0x200)
    header = pack_of(zeros, kind="tree").header
    (entry,) = decode_header(header)
    assert header == b"\3" + struct.pack("<II", entry.sealed_bytes, 0x200) + blob_id(zeros)


@given(plains=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8, unique=True))
def test_a_pack_gives_back_its_blobs(plains: list[bytes]) -> None:
    """From its header alone, with the name and the size that were promised."""
    pack = pack_of(*plains)
    stored = bytes(pack.stored)
    assert hashlib.sha256(stored).hexdigest() == pack.pack_id
    entries = read_header(stored, KEY)
    assert pack_size_bytes(entries) == len(stored)
    assert entries == decode_header(pack.header)
    assert len(entries) == pack.blobs
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
        add(builder, plain)
    first.absorb(second)
    pack = first.finish(KEY)
    entries = read_header(pack.stored, KEY)
    assert entries == decode_header(pack.header)
    assert [decoded(pack, entry) for entry in entries] == [b"a" * 100, b"b" * 100, b"c" * 100]


def decoded(pack: FinishedPack, entry: PackEntry) -> bytes:
    sealed = pack.stored[entry.offset :][: entry.sealed_bytes]
    return CODEC.decode(entry.blob_id, sealed, compressed_from=entry.compressed_from)


def test_a_buffer_is_used_again_and_grows_for_a_large_directory() -> None:
    """What another pack has left in it does not come through, however large a tree is."""
    buffer = untouched(1000)
    buffer[:] = b"\xff" * 1000
    large = os.urandom(LARGEST_BLOB_BYTES) + bytes(1 << 20)
    builder = PackBuilder("tree", full_bytes=100, buffer=buffer)
    add(builder, large)
    pack = builder.finish(KEY)
    (entry,) = read_header(pack.stored, KEY)
    assert decoded(pack, entry) == large


def test_a_large_directory_is_proved_in_pieces() -> None:
    """Its pieces are sealed as one, and what does not decode to its name is refused."""
    plain = os.urandom(LARGEST_BLOB_BYTES) + bytes(1 << 20)
    packed, size = CODEC.pack("tree", plain)
    pieces = (packed[:1000], packed[1000:])
    builder = PackBuilder("tree")
    builder.add(CODEC, blob_id(plain), pieces, compressed_from=size)
    pack = builder.finish(KEY)
    assert decoded(pack, read_header(pack.stored, KEY)[0]) == plain
    for wrong in ((packed[:-1000],), (packed[:1000], b"\0", packed[1001:])):
        changed = PackBuilder("tree")
        with pytest.raises(DamagedError, match="changed while it was encoded"):
            changed.add(CODEC, blob_id(plain), wrong, compressed_from=size)
        with pytest.raises(DamagedError, match="changed while it was encoded"):
            changed.prove(CODEC)


def test_incompressible_data_is_stored_as_it_is() -> None:
    """And directories are compressed even if they grow: restic would repack others."""
    assert CODEC.pack("data", b"x") == (b"x", 0)
    assert CODEC.pack("tree", b"x")[1] == 1


@pytest.mark.parametrize("where", [0, 50, -1, -5, -40])
def test_a_changed_pack_does_not_pass(where: int) -> None:
    """Blob, header and length are each protected."""
    pack = pack_of(b"some data" * 10)
    pack.stored[where] ^= 1
    (entry,) = decode_header(pack.header)
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


@pytest.fixture(params=["1", "0"], ids=["C", "Python"])
def codec(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, native_library: NativeCode
) -> BlobCodec:
    """It proves in C and in Python."""
    monkeypatch.setenv(SWITCH, request.param)
    return BlobCodec(KEY)


def test_an_encoding_that_went_wrong_is_noticed(
    codec: BlobCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faulty memory must not reach the bucket."""
    real = KEY.seal_into

    def flip(pieces: Iterable[bytes], buffer: memoryview, offset: int) -> int:
        return real([b"!" + piece[1:] for piece in pieces], buffer, offset)

    monkeypatch.setattr(KEY, "seal_into", flip)
    builder = PackBuilder("data")
    add(builder, b"x", codec)
    with pytest.raises(DamagedError, match="changed while it was encoded"):
        builder.prove(codec)
    unproved = PackBuilder("data")
    add(unproved, b"x", BlobCodec(KEY, verify=False))
    unproved.prove(BlobCodec(KEY, verify=False))
    assert unproved.blobs == 1


@pytest.mark.parametrize("size_bytes", [1, 5000, 1 << 20, 4 << 20, 5 << 20, 8 << 20])
def test_blobs_of_any_size_are_proved(codec: BlobCodec, size_bytes: int) -> None:
    """What is right passes, and what is not is named, whatever stands beside it."""
    builder = PackBuilder("data")
    chunks = [os.urandom(size_bytes - 1) + b"%d" % number for number in range(4)]
    for chunk in chunks:
        add(builder, chunk, codec)
    builder.prove(codec)
    changed = f"{blob_id(b'another').hex()} changed"
    with suppress(DamagedError):  # much is proved at once, the rest before it leaves
        builder.add(codec, blob_id(b"another"), (chunks[0],), compressed_from=0)
    with pytest.raises(DamagedError, match=changed):
        builder.prove(codec)


def test_what_is_proved_at_once_leaves_no_trace_when_it_is_wrong(codec: BlobCodec) -> None:
    """Whoever has another copy goes on with that."""
    builder = PackBuilder("data")
    add(builder, b"before", codec)
    with pytest.raises(DamagedError, match=f"{blob_id(b'right').hex()} changed"):
        builder.add(codec, blob_id(b"right"), (b"wrong",), compressed_from=0, prove_now=True)
    builder.add(codec, blob_id(b"right"), (b"right",), compressed_from=0, prove_now=True)
    add(builder, b"after", codec)
    builder.prove(codec)
    pack = builder.finish(KEY)
    plains = [bytes(decoded(pack, entry)) for entry in read_header(pack.stored, KEY)]
    assert plains == [b"before", b"right", b"after"]


def test_much_is_proved_before_more_is_packed(codec: BlobCodec) -> None:
    """A backup does not go on for long with memory that is faulty."""
    builder = PackBuilder("data")
    builder.add(codec, blob_id(b"another"), (b"x",), compressed_from=0)
    with pytest.raises(DamagedError, match=f"{blob_id(b'another').hex()} changed"):
        add(builder, os.urandom(PROVED_BYTES), codec)


CHUNKS = (b"small", bytes(5000), os.urandom(900))


def test_small_chunks_are_packed_together_as_each_alone() -> None:
    """The same entries, compressed where that helps, and every blob can be read."""
    together, alone = PackBuilder("data"), PackBuilder("data")
    identities = [blob_id(chunk) for chunk in CHUNKS]
    together.add_each(CODEC, identities, CODEC.pack_each(CHUNKS))
    for chunk in CHUNKS:
        add(alone, chunk)
    assert together.header == alone.header
    assert (together.size_bytes, together.blobs) == (alone.size_bytes, 3)
    stored = bytes(together.finish(KEY).stored)
    for entry, chunk in zip(read_header(stored, KEY), CHUNKS, strict=True):
        sealed = stored[entry.offset : entry.offset + entry.sealed_bytes]
        assert CODEC.decode(blob_id(chunk), sealed, compressed_from=entry.compressed_from) == chunk


@pytest.mark.parametrize("number", range(len(CHUNKS)))
@pytest.mark.parametrize("where", ["compressed", "sealed"])
def test_a_small_chunk_that_changes_while_it_is_encoded_is_not_believed(
    number: int, where: str, codec: BlobCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of those that are encoded together is decoded and compared."""
    identities = [blob_id(chunk) for chunk in CHUNKS]
    packed = CODEC.pack_each(CHUNKS)
    if where == "compressed":
        piece, compressed_from = packed[number]
        packed[number] = (piece[:-1] + bytes([piece[-1] ^ 1]), compressed_from)
    else:
        seal = KEY.seal_each_into
        at = sum(len(piece) + 32 for piece, _ in packed[:number]) + 20

        def seal_badly(pieces: Sequence[bytes], buffer: memoryview, offset: int) -> None:
            seal(pieces, buffer, offset)
            buffer[offset + at] ^= 1

        monkeypatch.setattr(KEY, "seal_each_into", seal_badly)
    builder = PackBuilder("data")
    builder.add_each(codec, identities, packed)
    with pytest.raises(DamagedError, match=identities[number].hex() + " changed"):
        builder.prove(codec)


def test_a_pack_takes_memory_only_for_what_is_in_it() -> None:
    """Several are open in each process, and most of a backup is small."""
    add(PackBuilder("data"), os.urandom(1000))
    before = _private_bytes()
    builders = [PackBuilder("data") for _ in range(8)]
    for builder in builders:
        add(builder, os.urandom(1000))
    assert _private_bytes() - before < 2 << 20


def _private_bytes() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))
