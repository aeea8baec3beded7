"""What lists and reports keep of a run: very many of them are held at once."""

import sys
from datetime import datetime

import msgspec

from appshield.contracts.identities import RunKind
from appshield.contracts.runs import Run, RunState


class RunRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What lists of runs are filtered and sorted by; there are very many."""

    id: str
    kind: RunKind
    cluster: str
    namespace: str
    name: str
    app_id: str
    state: RunState
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    brings_all_back: bool
    """Whether it is a restore of a whole version."""


def row_of(run: Run) -> RunRow:
    """Keep of a run what lists need. Pure."""
    return RunRow(
        id=run.id,
        kind=run.kind,
        cluster=sys.intern(run.app.cluster),
        namespace=sys.intern(run.app.namespace),
        name=sys.intern(run.app.name),
        app_id=sys.intern(run.app_id),
        state=run.state,
        requested_at=run.requested_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        brings_all_back=run.restore is not None and run.restore.is_whole,
    )
