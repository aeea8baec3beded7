"""Bringing a version back: into its own namespace, or into another one."""

from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.actions import RESTORE
from appshield.doors.asking import Asker, RestoreOptions
from appshield.gateway.api.frame.commands import Accepted, AsCommands
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.parameters import InNamespace, Named
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.applications.histories import record_with_versions
from appshield.gateway.api.resources.versions.versions import version_at
from appshield.rights.restoring import ensure_may_create, kinds_made

_TAGS = ["Versions"]


class Restore(RestoreOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version comes back, and how.

    `paths` choose parts of it, as its files are listed; none choose all. With `existing` what is
    there is no refusal: only what differs is written, and files that the version does not hold go
    with `delete_extra`. `keep_going` leaves out what is damaged. With `dry_run` nothing is done,
    and the run's plan lists what would be. `vault` is the copy to read, empty for the first good.
    """

    version: Annotated[int, Meta(ge=1)]
    history: str = ""


@post(
    "/applications/{namespace:str}/{name:str}/restores",
    status_code=202,
    opt=in_namespace(RESTORE),
    tags=_TAGS,
    operation_class=with_example(Restore(version=17, target_namespace="shop-copy", dry_run=True)),
)
async def restore(
    backend: OnBackend,
    caller: AsCaller,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    *,
    data: JSONBody[Restore],
) -> Response[Accepted]:
    """Bring a version back.

    The caller needs to read the version's data, to restore here and in the target namespace, and
    to create each kind of object there that comes back.
    """
    target = data.target_namespace or namespace

    async def wish(asker: Asker) -> Request:
        await version_at(backend, namespace, name, data.version, data.history)
        record = await record_with_versions(backend, namespace, name, data.history)
        options = msgspec.convert(data, RestoreOptions, from_attributes=True)
        return asking.restore(record, asker, data.version, options)

    async def creatable() -> None:
        if data.dry_run:
            return
        found = await version_at(backend, namespace, name, data.version, data.history)
        await ensure_may_create(
            backend.access,
            backend.kinds,
            caller,
            kinds_made(found.facts, data.paths, target),
            target,
            existing=data.existing,
        )

    return await commands.ask(wish, kind="restore", ensure=creatable)


ROUTES: tuple[ControllerRouterHandler, ...] = (restore,)
