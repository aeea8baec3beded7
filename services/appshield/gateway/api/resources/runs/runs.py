"""Runs: backups, restores and everything else that is done, step by step."""

import asyncio
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts.identities import RunKind
from appshield.contracts.maintenance import (
    CheckProgress,
    CopyProgress,
    ForgetProgress,
    PinProgress,
    PruneProgress,
    RepairProgress,
)
from appshield.contracts.runs import (
    Approval,
    BackupProgress,
    EndState,
    Failure,
    RestoreProgress,
    Run,
    RunState,
    Step,
    Trigger,
    Wait,
    WaitReason,
)
from appshield.doors.actions import SEE_RUNS
from appshield.doors.run_rows import RunRow
from appshield.errors import NotFoundError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.entity_tags import tagged
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, page_of
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    Limit,
    Namespace,
    RunId,
    in_utc,
    sorting,
)
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.responses import UNCHANGED
from appshield.gateway.api.frame.rights import by_handler

_TAGS = ["Runs"]


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list; `problem` is why it failed, `waits_for` what holds it back.

    `wait_reason` is the same as a word.
    """

    id: str
    kind: RunKind
    namespace: str
    name: str
    app_id: str
    vault: str
    state: RunState
    trigger: Trigger
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    version: int | None
    problem: str
    waits_for: str
    wait_reason: WaitReason | None


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One run with its steps, and what it has gathered so far, by its kind."""

    summary: RunSummary
    ends_as: EndState
    folded_into: str
    steps: tuple[Step, ...]
    failure: Failure | None
    wait: Wait | None
    priority: int
    needs_approval: bool
    approval: Approval | None
    backup: BackupProgress | None
    restore: RestoreProgress | None
    forget: ForgetProgress | None
    prune: PruneProgress | None
    check: CheckProgress | None
    repair: RepairProgress | None
    pin: PinProgress | None
    copy: CopyProgress | None


SORT_KEYS: dict[str, SortKey[RunRow]] = {
    "requested_at": lambda run: run.requested_at,
    "finished_at": lambda run: run.finished_at,
    "state": lambda run: run.state,
    "kind": lambda run: run.kind,
}


@get("/runs", opt=by_handler(SEE_RUNS), tags=_TAGS)
async def list_runs(
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: Namespace = "",
    name: Annotated[str, QueryParameter(description="Only of this application.")] = "",
    kind: Annotated[RunKind | None, QueryParameter(description="Only of this kind.")] = None,
    in_state: Annotated[
        RunState | None, QueryParameter(name="state", description="Only in this state.")
    ] = None,
    since: Annotated[
        datetime | None, QueryParameter(description="Only those asked for from this time on.")
    ] = None,
    sort: Annotated[str, sorting(*SORT_KEYS)] = "-requested_at",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[RunSummary]:
    """List the runs that the caller may see, the newest first."""
    since = in_utc(since)
    chosen = [
        run
        for run in await backend.views.runs()
        if run.cluster == backend.cluster
        and namespace in {"", run.namespace}
        and name in {"", run.name}
        and kind in {None, run.kind}
        and in_state in {None, run.state}
        and (since is None or run.requested_at >= since)
    ]
    visible = await backend.access.visible(caller, SEE_RUNS, {run.namespace for run in chosen})
    page = page_of(
        [run for run in chosen if run.namespace in visible],
        Wanted(sort=sort, limit=limit, cursor=cursor),
        keys=SORT_KEYS,
        name=lambda run: run.id,
    )
    found = await asyncio.gather(*(backend.views.run(row.id) for row in page.items))
    items = [run_summary(run) for run in found if run is not None]
    return Page(items=items, total=page.total, next=page.next)


@get("/runs/{run:str}", opt=by_handler(SEE_RUNS), tags=_TAGS, responses=UNCHANGED)
async def show_run(
    request: AnyRequest, backend: OnBackend, caller: AsCaller, run: RunId
) -> Response[RunDetail | None]:
    """Show one run with its steps."""
    return tagged(request, run_detail(await visible_run(backend, caller, run)))


async def visible_run(backend: Backend, caller: Caller, run: str) -> Run:
    """Return a run that the caller may see.

    Raises:
        NotFoundError: there is none; a run that they may not see reads the same.
    """
    found = await backend.views.run(run)
    if (
        found is None
        or found.app.cluster != backend.cluster
        or not await backend.access.may(caller, SEE_RUNS, found.app.namespace)
    ):
        raise NotFoundError(f"run {run} is unknown", next_step="GET /api/v1/runs lists them.")
    return found


def run_summary(run: Run) -> RunSummary:
    """Say the most important about a run. Pure."""
    return RunSummary(
        id=run.id,
        kind=run.kind,
        namespace=run.app.namespace,
        name=run.app.name,
        app_id=run.app_id,
        vault=run.vault,
        state=run.state,
        trigger=run.trigger,
        requested_at=run.requested_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        version=run.version,
        problem=str(run.failure) if run.failure else "",
        waits_for=run.wait.why if run.wait else "",
        wait_reason=run.wait.reason if run.wait else None,
    )


def run_detail(run: Run) -> RunDetail:
    """Say everything about a run but what only the planner needs. Pure."""
    return RunDetail(
        summary=run_summary(run),
        ends_as=run.ends_as,
        folded_into=run.folded_into,
        steps=run.steps,
        failure=run.failure,
        wait=run.wait,
        priority=run.priority,
        needs_approval=run.needs_approval,
        approval=run.approval,
        backup=run.backup,
        restore=run.restore,
        forget=run.forget,
        prune=run.prune,
        check=run.check,
        repair=run.repair,
        pin=run.pin,
        copy=run.copy,
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (list_runs, show_run)
