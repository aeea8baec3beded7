"""Sealed documents are read in every form that restic writes them."""

import io

import msgspec
import pytest
import zstandard

from appshield.errors import DamagedError
from appshield.objectstore import MemoryObjectStore, ObjectMissingError
from appshield.repository.compression import Compression
from appshield.repository.crypto import SealingKey
from appshield.repository.index import IndexDocument, index_document
from appshield.repository.packs import PackEntry
from appshield.repository.unpacked import SealedFile, SealedFiles

KEY = SealingKey.random()
ENTRIES = (PackEntry(b"\1" * 32, "data", 0, 100, 0), PackEntry(b"\2" * 32, "data", 100, 50, 60))
DOCUMENT = index_document([("ab" * 32, ENTRIES)])


@pytest.fixture
def files() -> SealedFiles:
    return SealedFiles(MemoryObjectStore(), KEY)


def frame_without_size(plain: bytes) -> bytes:
    """Compress as Go's encoder does: as a stream whose size is not known at its start."""
    target = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(target, closefd=False) as writer:
        writer.write(plain)
    return target.getvalue()


def test_a_document_comes_back(files: SealedFiles) -> None:
    """Under the name of its stored bytes."""
    file = files.seal(DOCUMENT)
    files.put("index", file)
    assert files.load("index", file.identity, IndexDocument) == DOCUMENT
    assert DOCUMENT.packs[0].entries() == ENTRIES


def test_the_size_of_a_raw_blob_is_left_out() -> None:
    """`uncompressed_length` stands only where a blob is compressed."""
    first, second = msgspec.json.decode(msgspec.json.encode(DOCUMENT))["packs"][0]["blobs"]
    assert set(first) == {"id", "type", "offset", "length"}
    assert second["uncompressed_length"] == 60


def test_frames_without_a_size_are_read(files: SealedFiles) -> None:
    """Go's encoder writes them."""
    frame = frame_without_size(msgspec.json.encode(DOCUMENT) + b" " * 300_000)
    sealed = bytes(KEY.seal(b"\2" + frame))
    assert files.decode(sealed, IndexDocument) == DOCUMENT
    assert Compression().decompress(frame_without_size(b"x" * 9), size_bytes=9) == b"x" * 9


def test_documents_of_the_first_format_are_read(files: SealedFiles) -> None:
    """They are JSON without compression."""
    assert files.decode(bytes(KEY.seal(msgspec.json.encode(DOCUMENT))), IndexDocument) == DOCUMENT


@pytest.mark.parametrize(
    "plain",
    [b"", b"\1{}", b"\2", b"\2nonsense", b"{", b'{"packs":7}', b"\2" + zstandard.compress(b"[]")],
)
def test_a_wrong_document_is_damage(files: SealedFiles, plain: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(DamagedError):
        files.decode(bytes(KEY.seal(plain)), IndexDocument)


def test_bytes_under_a_wrong_name_are_damage(files: SealedFiles) -> None:
    """Swapped files are found, and the message names the file."""
    file = files.seal(DOCUMENT)
    files.put("index", SealedFile("ab" * 32, file.sealed))
    with pytest.raises(DamagedError, match="index/abab"):
        files.load("index", "ab" * 32, IndexDocument)


def test_a_missing_file_is_told_apart_from_a_damaged_one(files: SealedFiles) -> None:
    """Others may have removed it."""
    with pytest.raises(ObjectMissingError):
        files.load("index", "ab" * 32, IndexDocument)


@pytest.mark.parametrize("promised", [0, 8, 10, 1 << 20])
def test_a_blob_of_another_size_than_promised_is_damage(promised: int) -> None:
    """Neither more nor less."""
    with pytest.raises(DamagedError):
        Compression().decompress(frame_without_size(b"x" * 9), size_bytes=promised)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that would not fit the memory is damage."""
    monkeypatch.setattr("appshield.repository.compression.LARGEST_PLAIN_BYTES", 1 << 20)
    with pytest.raises(DamagedError, match="larger"):
        Compression().decompress_unknown(zstandard.compress(bytes(2 << 20)))
