"""Directories entry by entry, whatever is in them and wherever the windows end."""

import hashlib
import tracemalloc
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from appshield.errors import DamagedError
from appshield.repository.nodes import Node
from appshield.repository.trees import decode_node, decode_tree, encode_tree
from appshield.repository.treestream import WINDOW_BYTES, encoded_entries, entries_of, inflated
from repository_content import file_node

names = st.binary(min_size=1, max_size=30).filter(
    lambda name: name not in {b".", b".."} and not {0, 0x2F} & set(name)
)
attributes = st.lists(
    st.tuples(st.text(min_size=1, max_size=12), st.binary(max_size=20)), max_size=3
).map(tuple)


def windows_of(stored: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(stored), size):
        yield stored[start : start + size]


def a_node(name: bytes, chunks: int, extended: tuple[tuple[str, bytes], ...]) -> Node:
    plain = file_node(name, tuple(bytes([n]) * 32 for n in range(chunks)), chunks)
    return Node(**{**{f: getattr(plain, f) for f in plain.__struct_fields__},
                   "extended_attributes": extended})  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.dictionaries(names, st.tuples(st.integers(0, 3), attributes), max_size=40),
    size=st.integers(1, 500),
)
def test_entries_are_those_of_the_whole_tree(
    drawn: dict[bytes, tuple[int, tuple[tuple[str, bytes], ...]]], size: int
) -> None:
    """Names and attributes that look like the start of an entry cut nothing in two."""
    stored = encode_tree(a_node(name, *rest) for name, rest in drawn.items())

    found = list(entries_of(windows_of(stored, size), window_bytes=200))

    assert tuple(decode_node(entry.stored) for entry in found) == decode_tree(stored)
    assert [entry.name for entry in found] == sorted(drawn)
    groups = list(encoded_entries(windows_of(stored, size), window_bytes=200))
    encoded = {name: entry for group in groups for name, entry in group.items()}
    assert list(encoded.items()) == [(entry.name, entry.stored) for entry in found]
    assert [entry.chunks for entry in found] == [drawn[name][0] for name in sorted(drawn)]


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"{",
        b"[]",
        b'{"nodes":[',
        b'{"nodes":[]',
        b'{"nodes":[{"name":"a"}]}',
        b'{"nodes":[{"name":"a","type":"file"},]}',
        b'{"nodes":[{"name":"b","type":"file"},{"name":"a","type":"file"}]}',
        b'{"nodes":[{"name":"a","type":"file"},{"name":"a","type":"file"}]}',
        b'{"nodes":[{"name":"..","type":"file"}]}',
        b'{"nodes":[{"name":"a","type":"unknown"}]}',
    ],
)
def test_what_is_no_tree_is_damage(stored: bytes) -> None:
    """Never fewer entries in silence."""
    with pytest.raises(DamagedError):
        list(entries_of([stored]))


@pytest.mark.parametrize(
    "stored", [b"", b"{", b"[]", b'{"nodes":[', b'{"nodes":[]', b'{"nodes":[{"name":"a"},]}']
)
def test_what_cannot_be_cut_into_entries_is_damage(stored: bytes) -> None:
    """What is in each of them is seen by who decodes it."""
    with pytest.raises(DamagedError):
        list(encoded_entries([stored]))


@pytest.mark.parametrize("stored", [b'{"nodes":[]}\n', b'{"nodes":null}\n', b'{ "nodes": [] }'])
def test_an_empty_tree_has_no_entries(stored: bytes) -> None:
    """As other programs write it, too."""
    assert list(entries_of([stored])) == []


def test_a_tree_with_spaces_is_read_as_a_whole() -> None:
    """Other programs may write one."""
    stored = b'{ "nodes": [ { "name": "a", "type": "file", "content": [] } ] }'

    assert [entry.name for entry in entries_of(windows_of(stored, 7))] == [b"a"]


def test_a_huge_directory_is_never_in_memory() -> None:
    """30 MiB of entries pass through little more than two windows."""
    count = 90_000
    stored = encode_tree(
        file_node(b"entry-%06d" % number, (number.to_bytes(32, "big"),), 4096)
        for number in range(count)
    )
    frame = zstandard.compress(stored)
    identity, size_bytes = hashlib.sha256(stored).digest(), len(stored)
    del stored

    tracemalloc.start()
    try:
        windows = inflated(frame, identity, size_bytes=size_bytes)
        found = sum(1 for _ in entries_of(windows))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == count
    assert peak < 24 * WINDOW_BYTES


@pytest.mark.parametrize("change", ["id", "size"])
def test_a_large_tree_is_verified_before_its_first_entry(change: str) -> None:
    """What is not what its name says is not believed for a moment."""
    stored = encode_tree([file_node(b"a", (), 0)])
    identity, size_bytes = hashlib.sha256(stored).digest(), len(stored)

    with pytest.raises(DamagedError, match="name"):
        inflated(
            zstandard.compress(stored),
            bytes(32) if change == "id" else identity,
            size_bytes=size_bytes + (change == "size"),
        )
