"""What lives for a while: agents on nodes, workers, and the repository locks they hold."""

from datetime import datetime
from typing import Literal

import msgspec

ServiceName = Literal["watcher", "planner", "snapshotter", "uploader", "restorer", "gateway"]
AgentService = Literal["uploader", "restorer"]
"""Services that have agents on nodes: processes of their own, which reach the volumes there."""


def agent_user(service: ServiceName) -> str:
    """Name the user of the bus that the agents of a service are."""
    return f"{service}-agent"


def agent_key(service: ServiceName, cluster: str, node: str) -> str:
    """Name an agent by its place, as in keys of buckets: its successor has the same name."""
    return f"{service}.{cluster.replace('.', '_')}.{node.replace('.', '_')}"


def agent_keys(service: ServiceName, cluster: str, node: str) -> str:
    """Name what the keys begin with that an agent may write where others write, too."""
    return f"agents.{agent_key(service, cluster, node)}."


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is alive and renews this record; with a `node` it reaches volumes there."""

    service: ServiceName
    cluster: str
    worker: str
    node: str = ""
    seen_at: datetime


class LockRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A repository lock that a worker has written, so that its successor can remove it.

    `agent` says what the keys of an agent's records begin with. An agent may have no right to
    delete: a lock that it has `let_go` is removed by whoever may.
    """

    app_id: str
    vault: str
    lock_id: str
    worker: str
    written_at: datetime
    agent: str = ""
    let_go: bool = False

    def key(self) -> str:
        """Name the record in its bucket."""
        return f"{self.agent}{self.app_id}.{self.lock_id}"


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
