"""Applications: how each is, how old its newest version is, what runs for it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts.applications import (
    ApplicationRecord,
    MeasuredRestore,
    Pause,
    Protection,
    Rpo,
    RpoState,
    RtoState,
    SignalProblem,
)
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.health import Health, HealthStatus, Reaction
from appshield.contracts.runs import Run
from appshield.doors.actions import SEE_APPLICATIONS, SEE_RUNS, SEE_VERSIONS
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.entity_tags import tagged
from appshield.gateway.api.frame.pages import Page, SortKey, Wanted, arranged, cut
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    History,
    InNamespace,
    Limit,
    Named,
    Namespace,
    sorting,
)
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.responses import UNCHANGED
from appshield.gateway.api.frame.rights import by_handler, in_namespace
from appshield.gateway.api.resources.applications.histories import record_of
from appshield.gateway.api.resources.runs.runs import RunSummary, run_summary
from appshield.rights.access import Access

_TAGS = ["Applications"]


class ApplicationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An application in a list.

    `active`: its object is there; an `orphaned` one has only versions. `health`, `rpo` and `rto`
    are empty where nobody knows or nothing is promised; `reason` is the first one of its health.
    `rto` is `unproved` as long as no whole version was restored; the last restore of one took
    `rto_last_s`, and where a time is promised, the next may take `rto_expected_s`.
    """

    app_id: str
    namespace: str
    name: str
    state: Literal["active", "orphaned"]
    type: str
    criticality: str
    health: HealthStatus | Literal[""]
    reason: str
    rpo: Literal["kept", "at-risk", "broken", ""]
    rpo_promised_s: int
    rpo_counted_from: datetime | None
    rto: RtoState | Literal[""]
    rto_promised_s: int
    rto_last_s: float | None
    rto_expected_s: float | None
    last_version: int
    last_backup_at: datetime | None
    vault: str
    active_run: str
    pending_runs: int
    awaiting_approval: tuple[str, ...]
    paused: bool
    refused: str


class ApplicationCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many applications there are, and how many of each health and state of their promises.

    Orphaned ones have none of it, and those of which nobody knows the health count as `Unknown`.
    """

    total: int
    health: dict[HealthStatus, int]
    rpo: dict[RpoState, int]
    rto: dict[RtoState, int]


class ApplicationDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One application: how it is and why, what is in force for it, what runs and waits.

    `signal_problems` says why the expression of a rule had no answer for the last signal.
    `newest_version` is for who may see versions, `active_run` and `pending_runs` for who may see
    runs; others have nothing there.
    """

    summary: ApplicationSummary
    revision: str
    health: Health | None
    rpo: Rpo | None
    paused: Pause | None
    targets: tuple[str, ...]
    protections: tuple[Protection, ...]
    policies: tuple[str, ...]
    undecided: dict[str, str]
    findings: tuple[str, ...]
    signal_problems: dict[str, SignalProblem]
    reactions: tuple[Reaction, ...]
    last_restore: MeasuredRestore | None
    versions: int
    newest_version: VersionRecord | None
    active_run: RunSummary | None
    pending_runs: tuple[RunSummary, ...]
    other_histories: tuple[str, ...]


_HEALTH_ORDER = {"Missing": 0, "Degraded": 1, "Unknown": 2, "Progressing": 3, "Healthy": 4}
_RPO_ORDER = {"broken": 0, "at-risk": 1, "kept": 2}
_RTO_ORDER = {"broken": 0, "at-risk": 1, "unproved": 2, "kept": 3}

SORT_KEYS: dict[str, SortKey[ApplicationRecord]] = {
    "name": lambda record: f"{record.app.namespace}/{record.app.name}",
    "health": lambda record: (
        _HEALTH_ORDER[record.health.status] if record.health else len(_HEALTH_ORDER)
    ),
    "rpo": lambda record: _RPO_ORDER[record.rpo.state] if record.rpo else len(_RPO_ORDER),
    "rto": lambda record: _RTO_ORDER[record.rto.state] if record.rto else len(_RTO_ORDER),
    "last_backup_at": lambda record: record.last_backup_at,
    "criticality": lambda record: record.criticality,
    "type": lambda record: record.application_type,
}


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which applications a list is asked for; what is empty leaves all through."""

    visible: frozenset[str]
    state: str
    health: HealthStatus | None
    rpo: str
    rto: RtoState | None
    criticality: str
    type: str
    containing: str

    def lets(self, record: ApplicationRecord) -> bool:
        """Say whether an application is one of them."""
        return (
            record.app.namespace in self.visible
            and self.state in {"", record.state}
            and self.health in {None, record.health.status if record.health else None}
            and self.rpo in {"", record.rpo.state if record.rpo else None}
            and self.rto in {None, record.rto.state if record.rto else None}
            and self.criticality in {"", record.criticality}
            and self.type in {"", record.application_type}
            and self.containing in f"{record.app.namespace}/{record.app.name}"
        )


@get("/applications", opt=by_handler(SEE_APPLICATIONS), tags=_TAGS)
async def list_applications(
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: Namespace = "",
    in_state: Annotated[
        Literal["active", "orphaned", ""],
        QueryParameter(name="state", description="Only in this state."),
    ] = "",
    health: Annotated[
        HealthStatus | None, QueryParameter(description="Only of this health.")
    ] = None,
    rpo: Annotated[
        Literal["kept", "at-risk", "broken", ""],
        QueryParameter(description="Only those whose promise about the newest version stands so."),
    ] = "",
    rto: Annotated[
        RtoState | None,
        QueryParameter(description="Only those whose promise about a restore stands so."),
    ] = None,
    criticality: Annotated[str, QueryParameter(description="Only of this criticality.")] = "",
    application_type: Annotated[
        str, QueryParameter(name="type", description="Only of this application type.")
    ] = "",
    containing: Annotated[
        str, QueryParameter(name="q", description="Only with this in the name or namespace.")
    ] = "",
    sort: Annotated[str, sorting(*SORT_KEYS)] = "name",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Page[ApplicationSummary]:
    """List the applications that the caller may see."""
    known, views = await backend.views.applications(), backend.views
    namespaces = views.remembered(
        "namespaces", lambda: frozenset(record.app.namespace for record in known)
    )
    wanted = namespaces & {namespace} if namespace else namespaces
    visible = await backend.access.visible(caller, SEE_APPLICATIONS, wanted)

    asked = _Asked(
        visible=visible,
        state=in_state,
        health=health,
        rpo=rpo,
        rto=rto,
        criticality=criticality,
        type=application_type,
        containing=containing,
    )
    chosen = (one for one in known if one.app.cluster == backend.cluster and asked.lets(one))
    placed = views.remembered(
        (asked, sort), lambda: arranged(chosen, sort, keys=SORT_KEYS, name=lambda one: one.app_id)
    )
    page = cut(placed, Wanted(sort=sort, limit=limit, cursor=cursor))
    return Page(items=[summary_of(one) for one in page.items], total=page.total, next=page.next)


@get("/applications/counts", opt=by_handler(SEE_APPLICATIONS), tags=_TAGS)
async def count_applications(backend: OnBackend, caller: AsCaller) -> ApplicationCounts:
    """Count the applications that the caller may see, by how they are."""
    here = [
        record
        for record in await backend.views.applications()
        if record.app.cluster == backend.cluster
    ]
    return counts_of(await seen_by(backend.access, caller, here))


@get(
    "/applications/{namespace:str}/{name:str}",
    opt=in_namespace(SEE_APPLICATIONS),
    tags=_TAGS,
    responses=UNCHANGED,
)
async def show_application(
    request: AnyRequest,
    backend: OnBackend,
    caller: AsCaller,
    namespace: InNamespace,
    name: Named,
    *,
    history: History = "",
) -> Response[ApplicationDetail | None]:
    """Show one application: how it is and why, what protects it, what runs and waits."""
    record = await record_of(backend, namespace, name, history)
    return tagged(request, await _detail(backend, caller, record))


async def seen_by(
    access: Access, caller: Caller, records: list[ApplicationRecord]
) -> list[ApplicationRecord]:
    """Return those of the applications that the caller may see."""
    namespaces = {record.app.namespace for record in records}
    visible = await access.visible(caller, SEE_APPLICATIONS, namespaces)
    return [record for record in records if record.app.namespace in visible]


def summary_of(record: ApplicationRecord) -> ApplicationSummary:
    """Say the most important about an application. Pure."""
    health, rpo, restore = record.health, record.rpo, record.last_restore
    reasons = health.reasons if health else ()
    return ApplicationSummary(
        app_id=record.app_id,
        namespace=record.app.namespace,
        name=record.app.name,
        state=record.state,
        type=record.application_type,
        criticality=record.criticality,
        health=health.status if health and record.state == "active" else "",
        reason=f"{reasons[0].object}: {reasons[0].why}" if reasons else "",
        rpo=rpo.state if rpo else "",
        rpo_promised_s=rpo.promised_s if rpo else 0,
        rpo_counted_from=rpo.counted_from if rpo else None,
        rto=record.rto.state if record.rto else "",
        rto_promised_s=record.rto_alert_s,
        rto_last_s=restore.took_s if restore else None,
        rto_expected_s=(record.rto.expected_s or None) if record.rto else None,
        last_version=record.last_version,
        last_backup_at=record.last_backup_at,
        vault=record.vault,
        active_run=record.active_run,
        pending_runs=len(record.pending_runs),
        awaiting_approval=record.awaiting_approval,
        paused=record.paused is not None,
        refused=record.refused,
    )


def counts_of(records: Sequence[ApplicationRecord]) -> ApplicationCounts:
    """Count applications by how they are. Pure."""
    active = [record for record in records if record.state == "active"]
    healths = Counter[HealthStatus](
        record.health.status if record.health else "Unknown" for record in active
    )
    promises = Counter[RpoState](record.rpo.state for record in active if record.rpo)
    restores = Counter[RtoState](record.rto.state for record in active if record.rto)
    return ApplicationCounts(
        total=len(records), health=dict(healths), rpo=dict(promises), rto=dict(restores)
    )


async def _detail(backend: Backend, caller: Caller, record: ApplicationRecord) -> ApplicationDetail:
    namespace = record.app.namespace
    versions = await backend.views.versions(record.app_id)
    sees_versions = await backend.access.may(caller, SEE_VERSIONS, namespace)
    active, pending = None, list[Run | None]()
    if await backend.access.may(caller, SEE_RUNS, namespace):
        active = await backend.views.run(record.active_run) if record.active_run else None
        pending = [await backend.views.run(run) for run in record.pending_runs]
    others = [
        one.app_id
        for one in await backend.views.applications()
        if one.app == record.app and one.app_id != record.app_id
    ]
    return ApplicationDetail(
        summary=summary_of(record),
        revision=record.revision,
        health=record.health,
        rpo=record.rpo,
        paused=record.paused,
        targets=record.targets,
        protections=record.protections,
        policies=record.policies,
        undecided=record.undecided,
        findings=record.findings,
        signal_problems=record.signal_problems,
        reactions=record.reactions,
        last_restore=record.last_restore,
        versions=len(versions),
        newest_version=versions[-1] if versions and sees_versions else None,
        active_run=run_summary(active) if active else None,
        pending_runs=tuple(run_summary(run) for run in pending if run),
        other_histories=tuple(others),
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (
    list_applications,
    count_applications,
    show_application,
)
