"""Who holds which repository: opening it, locking it on record, and removing locks of the dead.

A worker writes on the bus which lock it is about to write into a repository. When the worker is
not alive any more, whoever finds the record removes the lock, so that a stock client never waits
for a process of ours that is gone. Locks that are not on record are never touched.
"""

from appshield.custody.holding import Custody, HeldRepository
from appshield.custody.keeping import KeptRepositories, LockedRepository
from appshield.custody.locking import RecordedLocks
from appshield.custody.opening import mend_repository, open_repository

__all__ = [
    "Custody",
    "HeldRepository",
    "KeptRepositories",
    "LockedRepository",
    "RecordedLocks",
    "mend_repository",
    "open_repository",
]
