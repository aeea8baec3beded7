"""Random directories for property tests: any kind of entry, name, owner, mode and time."""

import os
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from file_trees import Entry


class Drawn(NamedTuple):
    """A random entry; each kind uses what it needs."""

    kind: str
    content: bytes
    number: int
    linktarget: bytes
    below: "dict[bytes, Drawn]"
    attributes: dict[str, bytes]
    mode: int
    owner: tuple[int, int]
    time_ns: int


names = st.binary(min_size=1, max_size=12).filter(
    lambda name: name not in {b".", b"..", b"lost+found"} and not {0, 0x2F} & set(name)
)
contents = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.integers(1, 40_000).map(bytes),
        st.integers(1, 9).map(lambda count: os.urandom(4096 * count)),
    ),
    max_size=4,
).map(b"".join)
attributes = st.dictionaries(
    st.text("abcdefäö.-", min_size=1, max_size=8).map(lambda name: f"user.{name}"),
    st.binary(max_size=40),
    max_size=2,
)


def entries(
    kinds: list[str], below: st.SearchStrategy[dict[bytes, Drawn]]
) -> st.SearchStrategy[Drawn]:
    return st.builds(
        Drawn,
        kind=st.sampled_from(kinds),
        content=contents,
        number=st.integers(0, 3 << 20),
        linktarget=names,
        below=below,
        attributes=attributes,
        mode=st.integers(0, 0o7777),
        owner=st.tuples(st.integers(0, 70_000), st.integers(0, 70_000)),
        time_ns=st.integers(-(1 << 31) * 10**9, (1 << 33) * 10**9),
    )


entries_below = st.recursive(
    entries(["file", "hole", "link", "fifo", "hard link"], st.just({})),
    lambda inner: entries(["directory"], st.dictionaries(names, inner, max_size=5)),
    max_leaves=12,
)

drawn_trees = st.dictionaries(names, entries_below, max_size=5)
"""Directories by the names of their entries, for `make_tree`."""


def without_allocation(tree: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """A run of zeros that was written comes back as a hole: equal in all but the space it takes."""
    return {path: entry._replace(allocated=False) for path, entry in tree.items()}


def make_tree(folder: Path, tree: dict[bytes, Drawn]) -> None:
    """Make a random tree below a folder."""
    _make(folder, tree, [])


def _make(folder: Path, tree: dict[bytes, Drawn], files: list[Path]) -> None:
    """Make a random tree; metadata last, so that it is what was drawn."""
    for name, entry in tree.items():
        path = folder / os.fsdecode(name)
        if entry.kind == "directory":
            path.mkdir()
            _make(path, entry.below, files)
        elif entry.kind == "hard link" and files:
            os.link(files[entry.number % len(files)], path)
            continue
        elif entry.kind == "link":
            path.symlink_to(os.fsdecode(entry.linktarget))
        elif entry.kind == "fifo":
            os.mkfifo(path)
        else:
            path.write_bytes(b"" if entry.kind == "hole" else entry.content)
            os.truncate(path, entry.number if entry.kind == "hole" else len(entry.content))
            files.append(path)
        _finish(path, entry)


def _finish(path: Path, entry: Drawn) -> None:
    os.chown(path, *entry.owner, follow_symlinks=False)
    if entry.kind in {"file", "hole", "directory"}:
        for name, value in entry.attributes.items():
            os.setxattr(path, name, value)
    if entry.kind != "link":
        path.chmod(entry.mode)
    os.utime(path, ns=(entry.time_ns, entry.time_ns), follow_symlinks=False)
