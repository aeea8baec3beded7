"""What an object store is: one suite for the one in memory, in a folder and on a real S3 server."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from appshield.errors import InvalidInputError
from appshield.objectstore import (
    FileContent,
    FolderObjectStore,
    MemoryObjectStore,
    ObjectExistsError,
    ObjectMissingError,
    ObjectStore,
    S3Credentials,
    S3Location,
    S3ObjectStore,
    within,
)


@pytest.fixture(params=["memory", "folder", "s3", "s3 in turns", "view", "s3 in a container"])
def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryObjectStore()
        return
    if request.param == "folder":
        yield FolderObjectStore(tmp_path / "store")
        return
    if request.param == "view":
        yield within(MemoryObjectStore(), "deep/view/")
        return
    location: S3Location
    credentials: S3Credentials
    if request.param in {"s3", "s3 in turns"}:
        location = request.getfixturevalue("s3_folder")
        credentials = request.getfixturevalue("s3_credentials")
    else:
        location, credentials = request.getfixturevalue("s3_in_container")
        location = replace(location, prefix=f"test-{secrets.token_hex(8)}/")
    s3 = S3ObjectStore(location, credentials)
    if request.param == "s3 in turns":
        s3._conditional._known = False  # as if the service had no conditional writes
    yield s3
    s3.close()


def names(store: ObjectStore, prefix: str = "") -> set[str]:
    return {found.name for found in store.list(prefix)}


@pytest.mark.parametrize("size_bytes", [0, 1, 4096, 9 * 1024 * 1024 + 17])
def test_what_was_put_comes_back(store: ObjectStore, size_bytes: int) -> None:
    """Bytes of any size come back unchanged, with their size told right."""
    data = secrets.token_bytes(size_bytes)
    store.put("data/ab/object", data)
    assert store.get("data/ab/object") == data
    assert store.size("data/ab/object") == size_bytes


def test_a_memoryview_is_stored_like_bytes(store: ObjectStore) -> None:
    """A part of a reused buffer can be stored without a copy, and may change afterwards."""
    buffer = bytearray(b"..content..")
    store.put("object", memoryview(buffer)[2:9])
    buffer[:] = b"overwritten"
    assert store.get("object") == b"content"


def test_bytes_whose_digest_is_known_are_stored_like_others(store: ObjectStore) -> None:
    """The caller has hashed them already."""
    store.put("object", b"content", sha256=hashlib.sha256(b"content").hexdigest())
    assert store.get("object") == b"content"


@pytest.mark.parametrize("size_bytes", [0, 1, 3 * 1024 * 1024 + 17])
@pytest.mark.parametrize("hashed", [True, False], ids=["with its digest", "without"])
def test_what_is_in_a_file_is_put_up_to_a_size(
    store: ObjectStore, tmp_path: Path, size_bytes: int, *, hashed: bool
) -> None:
    """Wherever the file stands, and whatever is in it behind that."""
    data = os.urandom(size_bytes)
    path = tmp_path / "content"
    path.write_bytes(data + b"left by a longer one")
    digest = hashlib.sha256(data).hexdigest() if hashed else None
    with path.open("rb", buffering=0) as file:
        file.seek(5)
        content = FileContent(file.fileno(), size_bytes)
        store.put("object", content, sha256=digest)
        store.put("again", content)
    assert store.get("object") == data
    assert store.get("again") == data


def test_a_second_put_replaces_the_first(store: ObjectStore) -> None:
    """Without a condition the last writer wins."""
    store.put("object", b"a long first version")
    store.put("object", b"second")
    assert store.get("object") == b"second"
    assert store.size("object") == 6


def test_an_object_that_exists_is_not_overwritten_if_absent_was_asked(store: ObjectStore) -> None:
    """A conditional put fails on an existing object and changes nothing."""
    store.put("object", b"first", only_if_absent=True)
    with pytest.raises(ObjectExistsError, match="object"):
        store.put("object", b"second", only_if_absent=True)
    assert store.get("object") == b"first"


def test_of_racing_conditional_puts_exactly_one_wins(store: ObjectStore) -> None:
    """Six writers at once, three times: one winner each, and its bytes are there."""

    def attempt(name: str, writer: int) -> int | None:
        try:
            store.put(name, b"writer %d" % writer, only_if_absent=True)
        except ObjectExistsError:
            return None
        return writer

    with ThreadPoolExecutor(6) as writers:
        for contest in range(3):
            name = f"contest/{contest}"
            outcomes = list(writers.map(attempt, [name] * 6, range(6)))
            winners = [writer for writer in outcomes if writer is not None]
            assert len(winners) == 1, outcomes
            assert store.get(name) == b"writer %d" % winners[0]


def test_many_threads_may_use_one_store(store: ObjectStore) -> None:
    """Objects written and read by many threads at once do not mix."""

    def round_trip(number: int) -> bool:
        data = os.urandom(2000 + number)
        store.put(f"threads/{number}", data)
        return store.get(f"threads/{number}") == data

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(round_trip, range(200)))
    assert len(names(store, "threads")) == 200


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (8, 100, b"89"),
        (0, 1, b"0"),
        (9, 1, b"9"),
        (10, 5, b""),
        (11, None, b""),
        (4, 0, b""),
    ],
)
def test_a_range_is_what_lies_there(
    store: ObjectStore, offset: int, length: int | None, expected: bytes
) -> None:
    """A range ends where the object ends, and may be empty."""
    store.put("digits", b"0123456789")
    assert store.get("digits", offset=offset, length=length) == expected


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 10, b"0123456789"), (2, 5, b"23456"), (7, 9, b"789"), (10, 5, b""), (4, 0, b"")],
)
def test_a_range_is_read_as_it_arrives(
    store: ObjectStore, offset: int, length: int, expected: bytes
) -> None:
    """In pieces of any size; behind its end comes nothing, and closing it early is no matter."""
    store.put("digits", b"0123456789")
    reader = store.open_range("digits", offset=offset, length=length)
    read = bytearray()
    piece = memoryview(bytearray(3))
    while got := reader.readinto(piece):
        assert got == 3 or len(read) + got == len(expected)
        read += piece[:got]
    assert read == expected
    reader.close()
    unread = store.open_range("digits", offset=0, length=10)
    unread.readinto(piece)
    unread.close()
    assert store.get("digits") == b"0123456789"


def test_ranges_under_way_do_not_disturb_each_other(store: ObjectStore) -> None:
    """Several are open at a time, and one that is missing is told when it is read."""
    content = {f"object-{number}": os.urandom(3 << 20) for number in range(3)}
    for name, data in content.items():
        store.put(name, data)
    missing = store.open_range("folder/nothing", offset=0, length=10)
    readers = {name: store.open_range(name, offset=1, length=4 << 20) for name in content}
    for name, reader in readers.items():
        room = memoryview(bytearray(4 << 20))
        assert room[: reader.readinto(room)] == content[name][1:]
    with pytest.raises(ObjectMissingError, match="folder/nothing"):
        missing.readinto(memoryview(bytearray(1)))


@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1)])
def test_a_range_before_the_object_is_refused(
    store: ObjectStore, offset: int, length: int | None
) -> None:
    """Negative numbers are a mistake of the caller."""
    store.put("digits", b"0123456789")
    with pytest.raises(InvalidInputError):
        store.get("digits", offset=offset, length=length)


@pytest.mark.parametrize(("offset", "length"), [(0, None), (5, None), (5, 5), (0, 0)])
def test_a_missing_object_is_reported_by_name(
    store: ObjectStore, offset: int, length: int | None
) -> None:
    """Reading what is not there raises, whole or in part; asking for its size does not."""
    with pytest.raises(ObjectMissingError, match="folder/nothing"):
        store.get("folder/nothing", offset=offset, length=length)
    assert store.size("folder/nothing") is None


def test_a_deleted_object_is_gone_and_may_be_deleted_again(store: ObjectStore) -> None:
    """Deleting is idempotent and takes effect at once for every way of looking."""
    store.put("folder/object", b"x")
    store.put("folder/other", b"x")
    for _ in range(2):
        store.delete("folder/object")
        assert store.size("folder/object") is None
        assert names(store) == {"folder/other"}
    store.delete("never/was/here")


def test_a_deleted_object_can_be_put_again(store: ObjectStore) -> None:
    """After a delete a conditional put succeeds."""
    store.put("object", b"first", only_if_absent=True)
    store.delete("object")
    store.put("object", b"second", only_if_absent=True)
    assert store.get("object") == b"second"


def test_a_listing_names_what_is_in_the_folder_and_nothing_else(store: ObjectStore) -> None:
    """A prefix is a folder, with or without its slash, to any depth, with sizes."""
    for name in ("keys/1", "keys/deep/er/2", "keys-old/3", "keyset", "other/keys/4"):
        store.put(name, name.encode())
    assert names(store, "keys") == names(store, "keys/") == {"keys/1", "keys/deep/er/2"}
    assert {f.name: f.size_bytes for f in store.list("keys")} == {"keys/1": 6, "keys/deep/er/2": 14}
    assert len(names(store)) == 5
    assert names(store, "key") == names(store, "nothing/here") == set()


def test_a_listing_is_whole_beyond_one_page(store: ObjectStore) -> None:
    """More objects than S3 puts into one answer are all listed, each once."""
    expected = {f"many/{number % 7}/{number}" for number in range(1100)}
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: store.put(name, b""), expected))
    listed = [found.name for found in store.list("many")]
    assert len(listed) == 1100
    assert set(listed) == expected


def test_a_listing_of_an_empty_store_is_empty(store: ObjectStore) -> None:
    """A store that was never written to is not an error."""
    assert names(store) == set()
    assert list(store.folders("")) == []


def test_folders_are_named_without_their_content(store: ObjectStore) -> None:
    """The folders directly below a prefix, each once, and no objects."""
    for name in ("a/b-1/x", "a/b-1/y/z", "a/b-2/x", "a/object", "c/d/e"):
        store.put(name, b"")
    assert sorted(store.folders("")) == ["a", "c"]
    assert sorted(store.folders("a")) == sorted(store.folders("a/")) == ["b-1", "b-2"]
    assert list(store.folders("a/b-2")) == list(store.folders("nothing")) == []


@pytest.mark.parametrize(
    "name", ["a b", "a+b", "a&b=c", "ü/ß", "a%2Fb", "x?y", "<z>", "~", "a'\"b"]
)
def test_odd_letters_in_names_survive(store: ObjectStore, name: str) -> None:
    """A name is found under exactly the letters it was given."""
    store.put(f"odd/{name}", name.encode())
    assert store.get(f"odd/{name}") == name.encode()
    assert names(store, "odd") == {f"odd/{name}"}
    store.delete(f"odd/{name}")
    assert names(store, "odd") == set()


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".hidden", "a\nb", "a\\b", "a\x00b"]
)
def test_a_name_that_could_leave_the_store_is_refused(store: ObjectStore, name: str) -> None:
    """No call accepts a name that means something else to a file system or in a URL."""
    with pytest.raises(InvalidInputError):
        store.put(name, b"")
    with pytest.raises(InvalidInputError):
        store.get(name)
    with pytest.raises(InvalidInputError):
        store.size(name)
    with pytest.raises(InvalidInputError):
        store.delete(name)


def test_a_view_sees_its_folder_and_nothing_else(store: ObjectStore) -> None:
    """Names in a view are relative to it; what lies beside it cannot be reached."""
    store.put("outside", b"x")
    view = within(store, "inner/part")
    view.put("folder/object", b"content")
    assert store.get("inner/part/folder/object") == b"content"
    assert names(view) == names(view, "folder") == {"folder/object"}
    assert list(view.folders("")) == ["folder"]
    assert view.size("outside") is None
    with pytest.raises(InvalidInputError):
        view.get("../../outside")
    view.delete("folder/object")
    assert names(store) == {"outside"}
