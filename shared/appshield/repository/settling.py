"""Reading the index while the lock of the repository settles.

A lock counts from the moment it is written, but that nobody removes what we read is certain only
after the second look. What was read before is right if every index file of it is still there then:
whoever removes packs removes the index files that name them first.
"""

import threading

from appshield.errors import UnavailableError
from appshield.repository.layout import list_files
from appshield.repository.locks import RepositoryLock
from appshield.repository.repository import Repository


class SettlingIndex:
    """The index under a lock; nothing that relies on it may be stored before `ensure_right`."""

    def __init__(self, repository: Repository, lock: RepositoryLock) -> None:
        self._repository = repository
        self._lock = lock
        self._looking = threading.Lock()
        self._is_right = lock.is_settled
        self._read = {identity for identity, _ in list_files(repository.store, "index")}
        self.index = repository.load_index(self._read)

    def ensure_right(self) -> None:
        """Wait until the lock has settled, and make sure that the index was read under it.

        Raises:
            RepositoryLockedError: the lock does not go together with another.
            UnavailableError: the index was rewritten meanwhile.
        """
        with self._looking:
            if self._is_right:
                return
            self._lock.ensure_settled()
            there = {identity for identity, _ in list_files(self._repository.store, "index")}
            if not self._read <= there:
                raise UnavailableError(
                    "the index was rewritten while the lock of the repository settled",
                    why="another client has removed what nobody needed",
                    next_step="Start the work again",
                )
            self._is_right = True
