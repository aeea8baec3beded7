"""What lives for a while: agents on nodes, workers, and the repository locks they hold."""

from datetime import datetime
from typing import Literal

import msgspec

ServiceName = Literal["watcher", "planner", "snapshotter", "uploader", "restorer", "gateway"]


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is alive and renews this record; with a `node` it reaches volumes there."""

    service: ServiceName
    cluster: str
    worker: str
    node: str = ""
    seen_at: datetime


class LockRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A repository lock that a worker has written, so that its successor can remove it."""

    app_id: str
    vault: str
    lock_id: str
    worker: str
    written_at: datetime


class CommitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The sealed snapshot document of a run, written before it is put into the bucket.

    The first one wins; every retry writes these same bytes under this same name.
    """

    snapshot_id: str
    sealed: bytes


class QuiesceLease(msgspec.Struct, frozen=True, kw_only=True):
    """A promise to resume: written before the first quiesce hook runs.

    Any snapshotter that finds it past `resume_by`, or its `worker` dead, resumes the application.
    """

    worker: str
    run: str
    app_id: str
    cluster: str
    namespace: str
    name: str
    vault: str
    staged_sha256: str
    components: tuple[str, ...]
    resume_by: datetime
