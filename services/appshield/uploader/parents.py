"""The last version of a source, so that unchanged files need not be read again."""

import structlog

from appshield.errors import DamagedError, NotFoundError
from appshield.repository import Reader, Repository


def tree_of_latest(repository: Repository, reader: Reader, source: str) -> bytes | None:
    """Find the tree of `source` in the newest version that has it; None when there is none."""
    versions = sorted(repository.snapshots(), key=lambda entry: entry[1].time, reverse=True)
    for _, document in versions:
        try:
            node = reader.find(document.tree_id, source)
        except NotFoundError:
            continue
        except DamagedError as error:
            structlog.get_logger().warning("a version cannot be built upon", problem=str(error))
            continue
        if node.subtree is not None:
            return node.subtree
    return None
