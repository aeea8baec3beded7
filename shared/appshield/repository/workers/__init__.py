"""Worker processes: jobs with descriptors go to them, replies come back, shared memory joins them.

`WorkerPool` runs jobs in processes, `LocalPool` here; `jobs.py` lists what they can do.
"""

from appshield.repository.workers.context import Part, WorkerContext
from appshield.repository.workers.failures import WorkerDiedError
from appshield.repository.workers.local import LocalPool
from appshield.repository.workers.pool import WorkerPool
from appshield.repository.workers.ports import JobPool
from appshield.repository.workers.setup import KeyParts, PackSettings, WorkerSetup

__all__ = [
    "JobPool",
    "KeyParts",
    "LocalPool",
    "PackSettings",
    "Part",
    "WorkerContext",
    "WorkerDiedError",
    "WorkerPool",
    "WorkerSetup",
]
