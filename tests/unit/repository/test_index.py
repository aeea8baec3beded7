"""The index in memory: small, quick, shared between processes, and never mistaken."""

import itertools
import os
import random
import subprocess
import sys

import msgspec
import pytest

from appshield.errors import DamagedError
from appshield.repository import collecting
from appshield.repository.blobs import BlobCodec, BlobKind, blob_id
from appshield.repository.crypto import SealingKey
from appshield.repository.index import (
    Index,
    IndexDocument,
    IndexedBlob,
    IndexedPack,
    index_document,
    indexed_pack,
)
from appshield.repository.index_documents import encode_index
from appshield.repository.packs import PackBuilder, PackEntry, decode_header, pack_size_bytes

CHANCE = random.Random(4)


def entry(identity: bytes, kind: BlobKind = "data", offset: int = 0, plain: int = 0) -> PackEntry:
    return PackEntry(identity, kind, offset, 100, plain)


def random_document(packs: int, blobs: int) -> IndexDocument:
    return IndexDocument(
        [
            indexed_pack(
                CHANCE.randbytes(32).hex(),
                [
                    PackEntry(
                        CHANCE.randbytes(32), CHANCE.choice(("data", "tree")), at * 100, 100, at
                    )
                    for at in range(blobs)
                ],
            )
            for _ in range(packs)
        ]
    )


@pytest.fixture(params=[0, 1 << 30], ids=["numpy", "plain"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sort with numpy, and without."""
    monkeypatch.setattr(collecting, "FEW_ROWS", request.param)


@pytest.mark.usefixtures("both_ways")
def test_every_blob_is_found_where_it_is_and_no_other() -> None:
    """Whichever way the tables were sorted, and however many files they come from."""
    documents = [random_document(7, 30) for _ in range(5)]
    index = Index.of_documents(documents)
    for document in documents:
        for pack in document.packs:
            assert index.pack_size(pack.id) == pack_size_bytes(pack.entries())
            for expected in pack.entries():
                place = index.lookup(expected.kind, expected.blob_id)
                assert place is not None
                assert (place.pack_id, place.entry) == (pack.id, expected)
    assert len(index) == 5 * 7 * 30
    assert sorted(index.packs()) == sorted(
        (pack.id, pack_size_bytes(pack.entries())) for one in documents for pack in one.packs
    )
    assert not any(index.has("data", CHANCE.randbytes(32)) for _ in range(1000))
    assert index.pack_size("ab" * 32) is None


@pytest.mark.usefixtures("both_ways")
def test_ids_that_begin_alike_are_told_apart() -> None:
    """All 256 bits are compared: 64 that agree are chance, and would be silent loss."""
    alike = itertools.product((0, 9), repeat=3)
    ids = [b"\7" * 8 + bytes([a, b]) + b"\7" * 21 + bytes([c]) for a, b, c in alike]
    document = IndexDocument([indexed_pack("ab" * 32, [entry(one) for one in ids[1:]])])
    index = Index.of_documents([document])
    assert [index.has("data", one) for one in ids] == [False] + [True] * 7
    assert not any(index.has("tree", one) for one in ids)
    assert index.unknown("data", b"".join(ids)) == set(ids[:1])
    assert index.unknown("tree", b"".join(ids)) == set(ids)
    index.add("cd" * 32, [entry(ids[0])])
    assert index.unknown("data", b"".join(ids)) == set()


@pytest.mark.usefixtures("both_ways")
def test_a_blob_in_several_packs_has_several_places() -> None:
    """Legal: a crash in a prune leaves such copies."""
    twice = b"\1" * 32
    packs = [indexed_pack(name * 32, [entry(twice)]) for name in ("cc", "aa", "bb")]
    index = Index.of_documents([IndexDocument(packs[:1]), IndexDocument(packs[1:])])
    found = index.lookup("data", twice)
    assert found is not None
    assert found.pack_id == "cc" * 32
    assert {place.pack_id for place in index.places("data", twice)} == {
        "aa" * 32, "bb" * 32, "cc" * 32,
    }  # fmt: skip
    assert list(index.places("data", b"\2" * 32)) == []


def test_a_pack_that_two_index_files_name_counts_once() -> None:
    """A rewritten index stands beside the old one for a moment."""
    document = random_document(3, 10)
    assert len(Index.of_documents([document, document])) == 30


def test_packs_can_be_added_to_a_loaded_index() -> None:
    """What was there before keeps its place, and rows go on behind those of the tables."""
    old, new = b"\1" * 32, b"\2" * 32
    index = Index.of_documents([IndexDocument([indexed_pack("aa" * 32, [entry(old)])])])
    index.add("bb" * 32, [entry(old), entry(new, offset=100)])
    index.add("bb" * 32, [entry(old), entry(new, offset=100)])
    assert (len(index), index.count("data")) == (3, 3)
    first, second = index.lookup("data", old), index.lookup("data", new)
    assert first is not None
    assert second is not None
    assert (first.pack_id, second.pack_id) == ("aa" * 32, "bb" * 32)
    assert [index.find("data", blob) for blob in (new, old, b"\3" * 32)] == [2, 0, -1]
    assert index.place("data", 2) == second
    assert index.pack_size("bb" * 32) == pack_size_bytes([entry(old), entry(new)])
    assert dict(index.packs()).keys() == {"aa" * 32, "bb" * 32}


ATTACHING = """
import sys
from appshield.repository.index import Index
index = Index.attached(int(sys.argv[1]))
assert "numpy" not in sys.modules
assert not index.has("data", bytes(32))
print(index.lookup("tree", bytes.fromhex(sys.argv[2])).pack_id, index.pack_size(sys.argv[3]))
"""


def test_another_process_looks_up_in_the_same_memory_without_numpy() -> None:
    """It gets a descriptor and can change nothing."""
    one = b"\1" * 32
    document = IndexDocument([indexed_pack("ab" * 32, [entry(one, "tree")])])
    index = Index.of_documents([document])
    descriptor = index.share()
    answer = subprocess.run(
        [sys.executable, "-c", ATTACHING, str(descriptor), one.hex(), "ab" * 32],
        pass_fds=[descriptor],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert answer == ["ab" * 32, str(index.pack_size("ab" * 32))]
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 40)


def test_what_is_not_an_index_cannot_be_attached() -> None:
    """A wrong descriptor is told at once."""
    descriptor = os.memfd_create("other")
    os.write(descriptor, bytes(100))
    with pytest.raises(ValueError, match="not open on the tables"):
        Index.attached(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize(
    "pack",
    [
        IndexedPack("ab" * 31, []),
        IndexedPack("no hex!", []),
        IndexedPack("ab" * 32, [IndexedBlob("ab" * 31, "data", 0, 1)]),
        IndexedPack("ab" * 32, [IndexedBlob("ab " * 21 + "a", "data", 0, 1)]),
        IndexedPack("ab" * 32, [IndexedBlob("xy" * 32, "data", 0, 1)]),
        IndexedPack("ab" * 32, [IndexedBlob("ab" * 32, "data", -1, 1)]),
        IndexedPack("ab" * 32, [IndexedBlob("ab" * 32, "data", 0, 1 << 32)]),
    ],
)
def test_an_impossible_entry_is_damage(pack: IndexedPack) -> None:
    """And never a row that leads elsewhere."""
    with pytest.raises(DamagedError):
        Index.of_documents([IndexDocument([pack])])


def test_a_blob_costs_at_most_60_bytes() -> None:
    """Its row and its share of the packs."""
    index = Index.of_documents([random_document(40, 25) for _ in range(4)])
    assert os.fstat(index.share()).st_size <= 60 * len(index)


def test_an_index_is_written_from_headers_as_from_entries() -> None:
    """The same document, to the byte."""
    codec = BlobCodec(SealingKey.random())
    packs: list[tuple[str, bytes]] = []
    contents: tuple[tuple[BlobKind, tuple[bytes, ...]], ...] = (
        ("data", (b"raw", bytes(4000))),
        ("tree", (b"{}",)),
        ("data", ()),
    )
    for kind, plains in contents:
        builder = PackBuilder(kind)
        for plain in plains:
            packed, compressed_from = codec.pack(kind, plain)
            builder.add(codec, blob_id(plain), (packed,), compressed_from=compressed_from)
        packs.append((blob_id(kind.encode()).hex(), bytes(builder.header)))
    document = index_document([(pack_id, decode_header(header)) for pack_id, header in packs])
    assert encode_index(packs) == msgspec.json.encode(document)
