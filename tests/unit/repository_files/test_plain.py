"""Small new files, written in C and in Python: the same files either way."""

import os
from pathlib import Path

import pytest

from appshield.objectstore import MemoryObjectStore
from appshield.repository import Reader, Repository
from appshield.repository.blobs import blob_id
from appshield.repository.files.sparse import write_sparsely
from appshield.repository.layout import file_name
from appshield.repository.native import SWITCH
from file_trees import bring_back, describe, save
from repository_content import PASSWORD, store_files, writing
from repository_fakes import MemoryBlobs

BLOCK = 4096
CONTENTS = {
    "text": b"text",
    "a block": b"x" * BLOCK,
    "a hole": bytes(BLOCK) + b"data behind a hole",
    "ends with a hole": b"x" * BLOCK + bytes(BLOCK),
    "zeros within": b"x" + bytes(BLOCK) + b"x",
    "empty": b"",
}


@pytest.mark.usefixtures("native_library")
@pytest.mark.parametrize("native", ["1", "0"], ids=["C", "Python"])
def test_plain_files_come_back_whole(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, native: str
) -> None:
    """With mode, times before and after 1970, odd names, and the holes that they had."""
    monkeypatch.setenv(SWITCH, native)
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    for number, (name, content) in enumerate(CONTENTS.items()):
        path = source / "below" / os.fsdecode(name.encode() + b"\xff\n")
        with path.open("wb", buffering=0) as file:
            write_sparsely(file.fileno(), content, 0)
            file.truncate(len(content))
        path.chmod((0o644, 0o400, 0o777)[number % 3])
        at = (-1) ** number * 1_700_000_000_123_456_789
        os.utime(path, ns=(at, at))
    blobs = MemoryBlobs()
    stored = save(source, blobs)
    bring_back(target, stored.tree_id, blobs, root_node=stored.root_node)
    assert describe(target) == describe(source)


@pytest.mark.usefixtures("native_library")
@pytest.mark.parametrize("native", ["1", "0"], ids=["C", "Python"])
@pytest.mark.parametrize("damaged", [0, 1])
def test_a_file_that_is_damaged_in_one_pack_comes_from_another(
    target: Path, monkeypatch: pytest.MonkeyPatch, native: str, damaged: int
) -> None:
    """Two that store the same at one time store it twice, and either will do."""
    monkeypatch.setenv(SWITCH, native)
    store = MemoryObjectStore()
    Repository.create(store, PASSWORD)
    files = {b"file": b"content" * 100}
    with (
        writing(Repository.open(store, PASSWORD)) as first,
        writing(Repository.open(store, PASSWORD)) as second,
    ):
        tree = store_files(first, files)
        store_files(second, files)
    repository = Repository.open(store, PASSWORD)
    places = repository.index.places("data", blob_id(files[b"file"]))
    packs = [file_name("data", place.pack_id) for place in places]
    assert len(packs) == 2
    broken = bytearray(store.get(packs[damaged]))
    broken[20] ^= 1
    store.put(packs[damaged], bytes(broken))
    bring_back(target, tree, Reader(repository))
    assert (target / "file").read_bytes() == files[b"file"]
