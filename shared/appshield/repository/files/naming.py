"""Names on the way: how what was made gets its own, and the temporary ones that are used meanwhile.

Temporary names are the same on each run, so that a run finds what a killed one left, and never one
of the tree. A large file has one of its own, for its content is taken over.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from itertools import chain

from appshield.repository.files.descriptors import path_of
from appshield.repository.files.removing import remove_entry, remove_tree
from appshield.repository.nodes import StoredEntry

_TEMPORARY = b".appshield-restoring"
_PATTERN = re.compile(rb"\.appshield-restoring(?:-[0-9a-f]+)?-*\Z")
_AFTER_TEMPORARY = _TEMPORARY + b"."  # sorts after all names of the pattern
_MOST_LOOKED_AT = 1000


def is_temporary(name: bytes) -> bool:
    """Whether a name is one that a restore uses meanwhile."""
    return _PATTERN.match(name) is not None


def temporary_name(taken: Collection[bytes], slot: int = 0) -> bytes:
    """Return the temporary name for what is made and named at once; one per slot at a time."""
    return _untaken(b"%b-%x" % (_TEMPORARY, slot) if slot else _TEMPORARY, taken)


def temporary_link_name(taken: Collection[bytes]) -> bytes:
    """Return the temporary name for hard links, which the walk makes while orders are under way."""
    return _untaken(_TEMPORARY + b"-0", taken)


def temporary_name_of(name: bytes, taken: Collection[bytes]) -> bytes:
    """Return the temporary name of a file that takes a while."""
    mark = hashlib.sha256(name).hexdigest()[:16].encode()
    return _untaken(b"%b-%b" % (_TEMPORARY, mark), taken)


def taken_names(
    entries: Iterator[StoredEntry], again: Iterator[StoredEntry]
) -> tuple[frozenset[bytes], Iterator[StoredEntry]]:
    """Return which names of a directory look temporary, and its entries from the start.

    Few names sort before those, so few entries are held; `again` yields the same entries, for the
    directory where they are many.
    """
    seen: list[StoredEntry] = []
    for entry in entries:
        seen.append(entry)
        if entry.name >= _AFTER_TEMPORARY:
            break
        if len(seen) > _MOST_LOOKED_AT:
            return _taken(again), chain(seen, entries)
    return _taken(iter(seen)), chain(seen, entries)


def _taken(entries: Iterator[StoredEntry]) -> frozenset[bytes]:
    taken: set[bytes] = set()
    for entry in entries:
        if entry.name >= _AFTER_TEMPORARY:
            break
        if is_temporary(entry.name):
            taken.add(entry.name)
    return frozenset(taken)


def _untaken(name: bytes, taken: Collection[bytes]) -> bytes:
    while name in taken:
        name += b"-"
    return name


def name_file(
    descriptor: int, name: bytes, directory: int, temporary: bytes, *, replace_directories: bool
) -> None:
    """Give a file without a name its own, in place of what may be there."""
    try:
        os.link(path_of(descriptor), name, dst_dir_fd=directory)
    except FileExistsError:
        remove_entry(temporary, directory)
        os.link(path_of(descriptor), temporary, dst_dir_fd=directory)
        rename_over(temporary, name, directory, replace_directories=replace_directories)


def rename_over(
    temporary: bytes, name: bytes, directory: int, *, replace_directories: bool
) -> None:
    """Give what was made its name; an empty directory there goes, a full one if allowed."""
    try:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except IsADirectoryError:
        if replace_directories:
            remove_tree(name, directory)
        else:
            os.rmdir(name, dir_fd=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
