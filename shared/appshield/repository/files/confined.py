"""Opening a directory below a trusted root from a relative path, for agents on a node.

The path below the root (`pods/<uid>/volumes/...`) passes through directories that other parties
write to, so no component of it may be a link.
"""

import os
from pathlib import Path

from appshield.errors import InvalidInputError, NotFoundError, RefusedError
from appshield.repository.files.descriptors import open_directory


def open_directory_inside(root: Path, relative: str) -> int:
    """Open the directory `relative` below `root` and return its descriptor; the caller closes it.

    `root` is trusted configuration and may itself be reached through links. Mount points on the
    way are entered: a CSI volume is one.

    Raises:
        InvalidInputError: `relative` is absolute, empty, or has an empty, `.` or `..` component.
        NotFoundError: a component does not exist.
        RefusedError: a component is a link or no directory, or may not be opened.
    """
    components = _components(relative)
    descriptor = _open_root(root)
    for depth, component in enumerate(components, start=1):
        above = descriptor
        try:
            descriptor = open_directory(os.fsencode(component), above)
        except OSError as error:
            raise _refusal(root.joinpath(*components[:depth]), error) from error
        finally:
            os.close(above)
    return descriptor


def _components(relative: str) -> list[str]:
    components = relative.split("/")
    if "\0" in relative or any(component in {"", ".", ".."} for component in components):
        raise InvalidInputError(
            f"{relative!r} is no path below a directory",
            why="it must be relative, without empty, '.' or '..' components",
            next_step="Give the path as the API server's objects imply it",
        )
    return components


def _open_root(root: Path) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _refusal(root, error) from error


def _refusal(path: Path, error: OSError) -> NotFoundError | RefusedError:
    if isinstance(error, FileNotFoundError):
        return NotFoundError(
            f"{path} does not exist",
            why="nothing is mounted there on this node",
            next_step="Check that the pod runs here and that its volume is mounted",
        )
    return RefusedError(
        f"{path} is not opened",
        why=f"it is a link or no accessible directory ({error.strerror})",
        next_step="Links are never followed on a node: look who made it",
    )
