"""Golden vectors: what other programs wrote, and what we must never write differently.

`golden/restic-*` are whole repositories of two versions each, made by that restic from `EXPECTED`
(password `golden`): key file, config, indexes, packs, trees and snapshots as they come from it.
"""

import random
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from appshield.objectstore import FolderObjectStore
from appshield.repository import Node, Reader, Repository, check
from appshield.repository.chunking import Chunker
from appshield.repository.crypto import SealingKey
from appshield.repository.layout import file_id, list_files
from appshield.repository.packs import read_header
from appshield.repository.trees import decode_tree, encode_tree
from repository_content import noise, stream

GOLDEN = Path(__file__).parent / "golden"
KEY = SealingKey(encrypt=b"\1" * 32, mac_k=b"\2" * 16, mac_r=b"\3" * 16)
EXPECTED = {
    b"text": b"some text\n" * 2000,
    b"noise": random.Random(7).randbytes(9000),
    b"empty": b"",
    b'quote " back \\ \xff': b"odd",
    b"setuid": b"x",
}
CUTS = [
    553256, 589194, 610961, 525747, 740942, 563091, 749610, 588196, 999211, 550811, 676581, 572823,
    279577,
]  # fmt: skip
PRIME = (1 << 130) - 5
CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


@pytest.fixture(params=["restic-0.14.0", "restic-0.18.0"])
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """A copy of a golden repository, opened."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "repository")
    return Repository.open(FolderObjectStore(tmp_path / "repository"), "golden")


def newest(golden: Repository) -> dict[bytes, Node]:
    """Return the entries of the last version's folder `source`."""
    reader = Reader(golden)
    source = reader.find(golden.snapshots()[-1][1].tree_id, "source")
    assert source.subtree is not None
    return {node.name: node for node in reader.read_tree(source.subtree)}


def test_a_golden_repository_is_read_whole(golden: Repository) -> None:
    """Every blob of both versions verifies, and every file has its bytes."""
    assert check(golden, read_data=True).is_sound
    assert len(golden.snapshots()) == 2
    nodes, reader = newest(golden), Reader(golden)
    for name, content in (EXPECTED | {b"new": b"new\n"}).items():
        assert b"".join(reader.iter_file(nodes[name])) == content


def test_its_entries_mean_what_they_say(golden: Repository) -> None:
    """Links, kinds, modes, attributes and times before 1970."""
    nodes = newest(golden)
    kinds = {b"below": "dir", b"link": "symlink", b"fifo": "fifo", b"setuid": "file"}
    assert {name: nodes[name].kind for name in kinds} == kinds
    assert (nodes[b"link"].linktarget, nodes[b"fifo"].mode) == (b"text", 0o640)
    assert nodes[b"setuid"].mode == 0o4755
    assert nodes[b"setuid"].extended_attributes == (("user.comment", b"\0\xff"),)
    assert nodes[b"noise"].mtime_ns == -451_234_567_890_123_456
    below = nodes[b"below"].subtree
    assert below is not None
    (second,) = Reader(golden).read_tree(below)
    text = nodes[b"text"]
    assert (second.inode, second.links, second.content) == (text.inode, 2, text.content)


def test_its_packs_describe_themselves(golden: Repository) -> None:
    """The header of each pack names what the index names, in the same places."""
    index = golden.read_index()
    packs = dict(list_files(golden.store, "data"))
    assert len(packs) == 4
    for pack_id, size_bytes in packs.items():
        stored = golden.store.get(f"data/{pack_id[:2]}/{pack_id}")
        assert (file_id(stored), len(stored)) == (pack_id, size_bytes)
        for entry in read_header(stored, golden.key):
            place = index.lookup(entry.kind, entry.blob_id)
            assert place is not None
            assert (place.pack_id, place.entry) == (pack_id, entry)


def test_its_directories_are_written_again_to_the_byte(golden: Repository) -> None:
    """Decoded and encoded, a tree keeps its bytes and so its name."""
    pending = [document.tree_id for _, document in golden.snapshots()]
    reader = Reader(golden)
    seen = set()
    while pending:
        tree = pending.pop()
        seen.add(tree)
        nodes = reader.read_tree(tree)
        written = encode_tree(nodes)
        assert decode_tree(written) == nodes
        assert bytes.fromhex(file_id(written)) == tree
        pending += [node.subtree for node in nodes if node.subtree]
    assert len(seen) == 5


def poly1305(message: bytes, r: int, s: int) -> bytes:
    """Return the code of a message as the paper has it (Bernstein 2005, section 2)."""
    total = 0
    for start in range(0, len(message), 16):
        block = message[start : start + 16] + b"\1"
        total = (total + int.from_bytes(block, "little")) * r % PRIME
    return ((total + s) % (1 << 128)).to_bytes(16, "little")


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 4096])
@pytest.mark.parametrize("iv", [b"\4" * 16, b"\xff" * 16], ids=["plain", "counter overflows"])
def test_a_seal_is_aes_and_poly1305(length: int, iv: bytes) -> None:
    """Each block and each code come out as two independent ways to compute them say."""
    plain = bytes(number % 251 for number in range(length))
    sealed = KEY.seal(plain, iv=iv)
    expected = bytearray()
    for start in range(0, length, 16):
        counter = (int.from_bytes(iv, "big") + start // 16) % (1 << 128)
        block = aes(b"\1" * 32, counter.to_bytes(16, "big"))
        expected += bytes(a ^ b for a, b in zip(plain[start : start + 16], block, strict=False))
    r = int.from_bytes(b"\3" * 16, "little") & CLAMP
    s = int.from_bytes(aes(b"\2" * 16, iv), "little")
    assert sealed == iv + expected + poly1305(bytes(expected), r, s)


def aes(key: bytes, block: bytes) -> bytes:
    """Encrypt one block."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block)


def test_the_cuts_of_a_known_stream_stay() -> None:
    """Other cuts would store again all that is stored already, at the next version."""
    found = Chunker(KEY).chunks(stream(noise(8_000_000, 11)))
    sizes = [size for chunks in found for size in chunks.sizes]
    assert sizes == CUTS
