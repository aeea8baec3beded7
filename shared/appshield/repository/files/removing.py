"""Removing what is in the way, by descriptors, without following links or leaving the device."""

import os

from appshield.repository.files.descriptors import DirectoryChain


def remove_entry(name: bytes, directory: int) -> None:
    """Remove a name that is no directory, if it is there."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def remove_tree(name: bytes, directory: int) -> None:
    """Remove a directory and all that is below it, at any depth.

    Raises:
        OSError: something cannot be removed, or (EXDEV) another file system is mounted below.
    """
    with DirectoryChain(directory) as chain:
        chain.enter(name)
        pending = [_remove_files(chain.descriptor)]
        while pending:
            if pending[-1]:
                chain.enter(pending[-1].pop())
                pending.append(_remove_files(chain.descriptor))
                continue
            pending.pop()
            empty = chain.name
            chain.leave()
            os.rmdir(empty, dir_fd=chain.descriptor)


def _remove_files(directory: int) -> list[bytes]:
    """Remove all but the directories of a directory; return their names."""
    directories: list[bytes] = []
    with os.scandir(directory) as entries:
        listed = [
            (os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries
        ]
    for name, is_directory in listed:
        if is_directory:
            directories.append(name)
        else:
            remove_entry(name, directory)
    return directories
