"""Directories have exactly the bytes that restic gives them."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appshield.errors import DamagedError, InvalidInputError
from appshield.repository.nodes import Node
from appshield.repository.trees import decode_tree, encode_tree

GOLDEN = Path(__file__).parent / "golden"
FILE = Node(
    name=b"f", kind="file", mode=0o644, mtime_ns=1, atime_ns=2, ctime_ns=3, uid=4, gid=5, content=()
)

blob_ids = st.binary(min_size=32, max_size=32)
times = st.integers(-62_167_219_200, 253_402_300_799).map(
    lambda s: s * 1_000_000_007 // 1_000_000_007
)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.binary(min_size=1, max_size=40).filter(
    lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name
)
number = st.integers(0, 2**63 - 1)


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Any entry that a walk could find."""
    kind = draw(st.sampled_from(["file", "dir", "symlink", "dev", "chardev", "fifo", "socket"]))
    attributes = st.lists(st.tuples(texts, st.binary(max_size=30)), max_size=3)
    return Node(
        name=draw(names),
        kind=kind,  # type: ignore[arg-type]  # one of the kinds, which mypy sees as str
        mode=draw(st.integers(0, 0o7777)),
        mtime_ns=draw(times) * 10**9 + draw(st.integers(0, 10**9 - 1)),
        atime_ns=draw(times) * 10**9,
        ctime_ns=draw(times) * 10**9,
        uid=draw(st.integers(0, 2**32 - 1)),
        gid=draw(st.integers(0, 2**32 - 1)),
        user=draw(texts),
        group=draw(texts),
        inode=draw(number),
        device_id=draw(number),
        size_bytes=draw(number) if kind == "file" else 0,
        links=draw(st.integers(1, 1000)) if kind in ("file", "symlink") else 1,
        linktarget=draw(st.binary(max_size=40)) if kind == "symlink" else b"",
        extended_attributes=tuple(draw(attributes)),
        device=draw(number) if kind in ("dev", "chardev") else 0,
        content=tuple(draw(st.lists(blob_ids, max_size=3))) if kind == "file" else None,
        subtree=draw(blob_ids) if kind == "dir" else None,
    )


def test_the_empty_directory_has_its_well_known_name() -> None:
    """The same id in every restic repository."""
    assert encode_tree([]) == b'{"nodes":[]}\n'
    assert hashlib.sha256(encode_tree([])).hexdigest().startswith("ac08ce34")


def test_what_restic_wrote_is_read_and_written_again_to_the_byte() -> None:
    """A directory of hostile names, links, devices, attributes and times, saved by restic 0.18."""
    stored = (GOLDEN / "tree-restic-0.18.0.json").read_bytes()
    decoded = decode_tree(stored)
    assert {"file", "dir", "symlink", "dev", "chardev", "fifo"} == {node.kind for node in decoded}
    assert stored == encode_tree(reversed(decoded))


def test_the_spelling_of_one_file_is_known() -> None:
    """Fields come in restic's order, and empty ones are left out."""
    node = msgspec.structs.replace(FILE, content=(b"\xab" * 32,), size_bytes=7, user="me")
    times = ",".join(
        f'"{name}":"1970-01-01T00:00:00.00000000{n}Z"'
        for n, name in enumerate(("mtime", "atime", "ctime"), 1)
    )
    assert encode_tree([node]).decode() == (
        f'{{"nodes":[{{"name":"f","type":"file","mode":420,{times},"uid":4,"gid":5,"user":"me",'
        f'"size":7,"links":1,"content":["{"ab" * 32}"]}}]}}\n'
    )


@given(entries=st.lists(nodes(), max_size=5, unique_by=lambda node: node.name))
def test_any_entries_come_back_in_order(entries: list[Node]) -> None:
    """Nothing of an entry is lost, and the order of adding does not matter."""
    stored = encode_tree(entries)
    assert tuple(sorted(entries, key=lambda node: node.name)) == decode_tree(stored)
    assert stored == encode_tree(reversed(entries))


def test_two_entries_of_one_name_are_refused() -> None:
    """A directory cannot hold both."""
    with pytest.raises(InvalidInputError, match="two entries"):
        encode_tree([FILE, FILE])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": b""},
        {"name": b".."},
        {"name": b"a/b"},
        {"content": None},
        {"kind": "dir"},
        {"kind": "fifo"},
        {"kind": "dir", "content": None},
        {"subtree": b"\1" * 32},
    ],
)
def test_an_impossible_entry_is_not_written(wrong: dict[str, object]) -> None:
    """Better an error now than a version that cannot be restored."""
    with pytest.raises(InvalidInputError):
        encode_tree([msgspec.structs.replace(FILE, **wrong)])


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "\\x00", "../../etc/passwd", "\\x2e\\x2e"])
def test_a_name_that_leaves_its_directory_is_damage(name: str) -> None:
    """Whoever can write the bucket must not write elsewhere on a node."""
    stored = encode_tree([FILE]).replace(b'"name":"f"', msgspec.json.encode({"name": name})[1:-1])
    with pytest.raises(DamagedError):
        decode_tree(stored)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (b'"content":[]', b'"content":null'),
        (b'"type":"file"', b'"type":"dir"'),
        (b'"type":"file"', b'"type":"door"'),
        (b'"uid":4', b'"uid":"4"'),
        (b'"content":[]', b'"content":["abcd"]'),
        (b'"content":[]', b'"content":["zz"]'),
        (b"1970-01-01T", b"yesterday at "),
        (b"]}", b"]"),
        (b"\n", b"\n{}"),
    ],
)
def test_a_wrong_document_is_damage(part: bytes, other: bytes) -> None:
    """Nothing is guessed from a directory that is not as it should be."""
    with pytest.raises(DamagedError):
        decode_tree(encode_tree([FILE]).replace(part, other))


def test_entries_out_of_order_are_damage() -> None:
    """Restic demands ascending names, and so do we."""
    both = encode_tree([FILE, msgspec.structs.replace(FILE, name=b"g")])
    swapped = both.replace(b'"name":"g"', b'"name":"a"')
    with pytest.raises(DamagedError, match="order"):
        decode_tree(swapped)


def test_fields_of_newer_clients_are_passed_over() -> None:
    """A directory with an unknown field is still restored."""
    stored = encode_tree([FILE]).replace(b'"uid":4', b'"uid":4,"tomorrow":{"a":1}')
    assert decode_tree(stored) == (FILE,)
