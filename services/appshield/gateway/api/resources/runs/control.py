"""What a run does at the moment, and stopping it or letting it begin."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.contracts import decode
from appshield.contracts.message import Request
from appshield.contracts.restores import RestorePlanned
from appshield.contracts.runs import LogLine
from appshield.contracts.sources import DumpTarget, VolumeChanges, VolumeTarget
from appshield.contracts.streams import LOGS
from appshield.contracts.subjects import log
from appshield.doors import asking
from appshield.doors.actions import APPROVE, CANCEL, SEE_RUNS
from appshield.doors.asking import Asker
from appshield.errors import InvalidInputError, NotFoundError
from appshield.gateway.api.frame.commands import Accepted, AsCommands
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import LIMIT, Limit, RunId, sorting
from appshield.gateway.api.frame.rights import by_handler
from appshield.gateway.api.known.progress import StepProgress
from appshield.gateway.api.resources.runs.runs import visible_run

_TAGS = ["Runs"]


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the steps of a run have come that move bytes; empty where nothing was heard lately.

    It is heard, not kept: a gateway that has just started knows nothing for a few seconds.
    """

    steps: tuple[StepProgress, ...]


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in the order in which they were written; `next` goes on behind them, also later."""

    items: list[LogLine]
    next: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore creates, in order; objects as `Kind namespace/name`.

    `present` are those that are there already and are changed where they differ; `changes` say of a
    dry run what would be written and deleted in each volume. `lost` is damaged and left out.
    """

    target_namespace: str
    objects: tuple[str, ...]
    present: tuple[str, ...]
    volumes: tuple[VolumeTarget, ...]
    dumps: tuple[DumpTarget, ...]
    images: tuple[str, ...]
    warnings: tuple[str, ...]
    lost: tuple[str, ...]
    lost_total: int
    changes: tuple[VolumeChanges, ...]


@get("/runs/{run:str}/progress", opt=by_handler(SEE_RUNS), tags=_TAGS)
async def show_progress(backend: OnBackend, caller: AsCaller, run: RunId) -> RunProgress:
    """Show how far the steps of a run have come."""
    found = await visible_run(backend, caller, run)
    return RunProgress(steps=backend.progress.of(found.id))


@get("/runs/{run:str}/logs", opt=by_handler(SEE_RUNS), tags=_TAGS)
async def show_logs(
    backend: OnBackend,
    caller: AsCaller,
    run: RunId,
    *,
    service: Annotated[
        str, QueryParameter(max_length=64, description="Only of this service.")
    ] = "",
    _sort: Annotated[Literal["at"], sorting("at", only_upwards=True)] = "at",
    limit: Limit = LIMIT,
    cursor: Annotated[
        str,
        QueryParameter(max_length=20, description="`next` of the page before; empty: the first."),
    ] = "",
) -> LogPage:
    """Show what the services logged about a run, in the order in which they did."""
    found = await visible_run(backend, caller, run)
    since = _sequence(cursor)
    lines: list[LogLine] = []
    wanted = log(found.id, service or "*")
    async for stored in backend.bus.read(LOGS, filters=(wanted,), since=since or "all"):
        if len(lines) == limit:
            break
        line = decode(stored.body)
        if isinstance(line, LogLine):
            lines.append(line)
            since = stored.sequence + 1
    return LogPage(items=lines, next=str(since))


@get("/runs/{run:str}/plan", opt=by_handler(SEE_RUNS), tags=_TAGS)
async def show_plan(backend: OnBackend, caller: AsCaller, run: RunId) -> Plan:
    """Show what a restore creates, changes and deletes."""
    found = await visible_run(backend, caller, run)
    restore = found.restore
    if restore is None or restore.planned is None:
        raise NotFoundError(
            f"run {found.id} has no plan",
            why="it is no restore" if restore is None else "it has not been planned yet",
            next_step="" if restore is None else "Ask again when its step `plan` is done.",
        )
    return _plan(restore.planned, restore.target_namespace, restore.changes)


@post("/runs/{run:str}/cancel", status_code=202, opt=by_handler(CANCEL), tags=_TAGS)
async def cancel(
    backend: OnBackend, caller: AsCaller, commands: AsCommands, run: RunId
) -> Response[Accepted]:
    """Stop a run that has not ended; what it has made is removed."""
    found = await visible_run(backend, caller, run)
    await backend.access.require(caller, CANCEL, found.app.namespace)

    async def wish(asker: Asker) -> Request:
        return asking.cancel(found, asker)

    return await commands.tell(wish, run=found.id)


@post("/runs/{run:str}/approve", status_code=202, opt=by_handler(APPROVE), tags=_TAGS)
async def approve(
    backend: OnBackend, caller: AsCaller, commands: AsCommands, run: RunId
) -> Response[Accepted]:
    """Let a restore begin that waits for approval; the run says who gave it."""
    found = await visible_run(backend, caller, run)
    target = found.restore.target_namespace if found.restore else ""
    for namespace in sorted({found.app.namespace, target or found.app.namespace}):
        await backend.access.require(caller, APPROVE, namespace)

    async def wish(asker: Asker) -> Request:
        return asking.approve(found, asker)

    return await commands.tell(wish, run=found.id)


def _plan(
    planned: RestorePlanned, target_namespace: str, changes: tuple[VolumeChanges, ...]
) -> Plan:
    return Plan(
        target_namespace=target_namespace,
        objects=planned.objects,
        present=planned.present,
        volumes=planned.volumes,
        dumps=planned.dumps,
        images=planned.images,
        warnings=planned.warnings,
        lost=planned.lost,
        lost_total=planned.lost_total,
        changes=changes,
    )


def _sequence(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdecimal()):
        raise InvalidInputError(
            "the cursor is none of this list", next_step="Begin again without a cursor."
        )
    return int(cursor)


ROUTES: tuple[ControllerRouterHandler, ...] = (
    show_progress,
    show_logs,
    show_plan,
    cancel,
    approve,
)
