"""Saving an application: now, or not by itself for a while."""

import msgspec
from litestar import Response, post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.actions import BACK_UP, PAUSE
from appshield.doors.asking import Asker
from appshield.doors.naming import Wanted, active
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.commands import Accepted, AsCommands, Commands
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.parameters import InNamespace, Named
from appshield.gateway.api.frame.rights import in_namespace

_TAGS = ["Applications"]
_APPLICATION = "/applications/{namespace:str}/{name:str}"


class Backup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a backup: why, and a rule that starts by hand whose version it is."""

    reason: str = ""
    rule: str = ""


class PauseReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why nothing is to begin by itself; shown with the application."""

    reason: str = ""


@post(
    f"{_APPLICATION}/backups",
    status_code=202,
    opt=in_namespace(BACK_UP),
    tags=_TAGS,
    operation_class=with_example(Backup(reason="before the move")),
)
async def back_up(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    data: JSONBody[Backup],
) -> Response[Accepted]:
    """Make a version of an application now, while it runs."""

    async def backup(asker: Asker) -> Request:
        known = await backend.views.applications()
        record = active(known, Wanted(name, namespace), backend.cluster)
        return asking.backup(record, asker, reason=data.reason, rule=data.rule)

    return await commands.ask(backup, kind="backup")


@post(
    f"{_APPLICATION}/pause",
    status_code=202,
    opt=in_namespace(PAUSE),
    tags=_TAGS,
    operation_class=with_example(PauseReason(reason="the database is moved")),
)
async def pause(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    data: JSONBody[PauseReason],
) -> Response[Accepted]:
    """Let nothing begin by itself for an application; what is asked for is done all the same."""
    return await _change(backend, commands, Wanted(name, namespace), reason=data.reason)


@post(f"{_APPLICATION}/resume", status_code=202, opt=in_namespace(PAUSE), tags=_TAGS)
async def resume(
    backend: OnBackend, commands: AsCommands, namespace: InNamespace, name: Named
) -> Response[Accepted]:
    """Let triggers and reactions act for an application again."""
    return await _change(backend, commands, Wanted(name, namespace), reason=None)


async def _change(
    backend: Backend, commands: Commands, want: Wanted, *, reason: str | None
) -> Response[Accepted]:
    async def change(asker: Asker) -> Request:
        record = active(await backend.views.applications(), want, backend.cluster)
        return asking.pause(record, asker, paused=reason is not None, reason=reason or "")

    return await commands.tell(change, about=f"/api/v1/applications/{want.namespace}/{want.name}")


ROUTES: tuple[ControllerRouterHandler, ...] = (back_up, pause, resume)
