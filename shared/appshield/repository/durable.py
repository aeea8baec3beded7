"""Packs that are durable and not yet in an index file, and when to write one.

At the latest after 50,000 blobs, 2 GiB or 2 minutes: that is what a killed backup may lose of its
work. The first two are seen when a pack arrives; a timer watches the third, since the next pack
may be long in coming.
"""

import threading
from typing import Final

from appshield.errors import AppShieldError
from appshield.repository.index_documents import encode_index
from appshield.repository.locks import RepositoryLock
from appshield.repository.packs import StoredPack
from appshield.repository.pool import Failure
from appshield.repository.repository import Repository

MOST_BLOBS: Final = 50_000
MOST_BYTES: Final = 2 << 30
LONGEST_S: Final = 120.0


class DurablePacks:
    """Collects durable packs and writes their index; thread-safe.

    A failure of the timer goes to `failure`, since nobody waits for it.
    """

    def __init__(
        self,
        repository: Repository,
        lock: RepositoryLock,
        failure: Failure,
        *,
        longest_s: float,
    ) -> None:
        self._repository = repository
        self._lock = lock
        self._failure = failure
        self._longest_s = longest_s
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._packs: list[StoredPack] = []
        self._blobs = 0
        self._bytes = 0
        self._timer: threading.Timer | None = None

    def add(self, pack: StoredPack) -> None:
        """Take a pack whose upload has ended; writes the index when it is time.

        Raises:
            LockLostError: the lock is gone, the index was not written.
            AppShieldError: what the store raises.
        """
        with self._changing:
            self._packs.append(pack)
            self._blobs += pack.blobs
            self._bytes += pack.size_bytes
            due = self._blobs >= MOST_BLOBS or self._bytes >= MOST_BYTES
            if self._timer is None:
                self._timer = threading.Timer(self._longest_s, self._write_when_late)
                self._timer.daemon = True
                self._timer.start()
        if due:
            self.write_index()

    def write_index(self) -> None:
        """Write an index file that names what was added since the last one; raises as `add`."""
        with self._writing:
            packs = self._take()
            if not packs:
                return
            try:
                index = encode_index((pack.pack_id, pack.header) for pack in packs)
                file = self._repository.sealed_files.seal_json(index)
                self._lock.ensure_held()
                self._repository.sealed_files.put("index", file)
            except AppShieldError:
                with self._changing:
                    self._packs = packs + self._packs
                raise
            self._repository.forget_index()

    def close(self) -> None:
        """Stop the timer and index what is left, if that is still possible."""
        self._write_when_late()

    def _take(self) -> list[StoredPack]:
        with self._changing:
            packs, self._packs = self._packs, []
            self._blobs = self._bytes = 0
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
        return packs

    def _write_when_late(self) -> None:
        try:
            self.write_index()
        except AppShieldError as error:
            self._failure.keep(error)
