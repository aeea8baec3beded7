"""What of a version a restore is about: all of it, or what its paths choose. Pure but for reading.

manifests                       every object, and the application's document
manifests/secret/*              some objects
volumes, volumes/data           every volume, or one: its claim and its data
volumes/data/etc                part of the data; the claim is made if it is not there
dumps/db                        a dump, loaded into the running component
images                          archived images, brought back to their registry
"""

import os
from collections.abc import Sequence

from appshield.capture.layout import DUMPS, IMAGES, MANIFESTS, VOLUMES
from appshield.errors import InvalidInputError, NotFoundError
from appshield.repository import Reader
from appshield.repository.files import Selection
from appshield.repository.nodes import Node

PARTS = (MANIFESTS, VOLUMES, DUMPS, IMAGES)


class Choice:
    """What the paths of an order choose; no paths choose everything."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = tuple(paths)
        self._selection = Selection(paths) if paths else None

    def covers(self, path: str) -> bool:
        """Say whether an entry is chosen, itself or with a folder above it."""
        return self._selection is None or self._selection.covers(os.fsencode(path))

    def below(self, folder: str) -> Selection | None:
        """Give the choice within a folder of the version; None where all of it is chosen."""
        if self._selection is None or self.covers(folder):
            return None
        return self._selection.below(os.fsencode(folder))

    def reaches(self, reader: Reader, path: str, node: Node) -> bool:
        """Say whether an entry of the version, or anything below it, is chosen."""
        within = self.below(path)
        return within is None or bool(node.subtree and _holds(reader, node.subtree, within))

    def ensure_held(self, reader: Reader, root: bytes) -> None:
        """Make sure that the version holds something for every path.

        Raises:
            NotFoundError: names a path for which there is nothing.
            InvalidInputError: a path is none.
        """
        for path in self._paths:
            if path.split("/")[0] not in {*PARTS, "**", "*"}:
                raise InvalidInputError(
                    f"{path!r} is nothing that can be restored",
                    why="what comes back begins with manifests, volumes, dumps or images",
                    next_step="`appshield ls` lists what is in a version.",
                )
            if not _holds(reader, root, Selection((path,))):
                raise NotFoundError(
                    f"the version holds nothing at {path!r}",
                    next_step="`appshield ls` lists what is in a version.",
                )


def _holds(reader: Reader, tree_id: bytes, selection: Selection) -> bool:
    """Look for anything that is chosen; ends at the first."""
    way = [(b"", iter(reader.read_tree(tree_id)))]
    while way:
        above, nodes = way[-1]
        node = next(nodes, None)
        if node is None:
            way.pop()
            continue
        path = b"/".join((above, node.name)) if above else node.name
        if selection.wants(path):
            return True
        if node.subtree is not None and selection.may_hold(path):
            way.append((path, iter(reader.read_tree(node.subtree))))
    return False
