"""Which versions stay, and where; and what keeps their repositories in order."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, delete, post, put
from litestar.params import JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import RunKind
from appshield.contracts.maintenance import PRUNE_GRACE_S
from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.actions import FORGET, KEEP, MAINTAIN
from appshield.doors.asking import Asker, Contents
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.commands import Accepted, AsCommands
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.parameters import History, InNamespace, Named, Number
from appshield.gateway.api.frame.rights import by_handler, in_namespace
from appshield.gateway.api.resources.applications.histories import record_with_versions
from appshield.gateway.api.resources.versions.versions import version_at

_TAGS = ["Versions"]
_APPLICATION = "/applications/{namespace:str}/{name:str}"
_VERSION = f"{_APPLICATION}/versions/{{number:int}}"


class Copy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which Vault a version is to come into, too."""

    vault: Annotated[str, Meta(min_length=1)]


class Maintenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to the repository of an application in a Vault, its first one if none is named.

    `check` reads no data (`structure`), the day's part of it (`sample`) or `all`. `prune` removes
    what no version needs and was not needed for `grace_s`. `repair` heals what is damaged.
    """

    task: Literal["check", "prune", "repair"]
    vault: str = ""
    contents: Contents = "structure"
    grace_s: Annotated[float, Meta(ge=0)] = PRUNE_GRACE_S


@put(f"{_VERSION}/pin", status_code=202, opt=in_namespace(KEEP), tags=_TAGS)
async def pin(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    number: Number,
    *,
    history: History = "",
) -> Response[Accepted]:
    """Keep a version whatever the rules say."""

    async def wish(asker: Asker) -> Request:
        record = await _held(backend, namespace, name, number, history)
        return asking.pin(record, asker, number, pinned=True)

    return await commands.ask(wish, kind="pin")


@delete(f"{_VERSION}/pin", status_code=202, opt=in_namespace(KEEP), tags=_TAGS)
async def unpin(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    number: Number,
    *,
    history: History = "",
) -> Response[Accepted]:
    """Let the rules decide about a version again."""

    async def wish(asker: Asker) -> Request:
        record = await _held(backend, namespace, name, number, history)
        return asking.pin(record, asker, number, pinned=False)

    return await commands.ask(wish, kind="pin")


@post(
    f"{_VERSION}/copies",
    status_code=202,
    opt=in_namespace(KEEP),
    tags=_TAGS,
    operation_class=with_example(Copy(vault="second")),
)
async def copy(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    *,
    number: Number,
    data: JSONBody[Copy],
    history: History = "",
) -> Response[Accepted]:
    """Copy a version into another Vault now: only what is not there yet."""

    async def wish(asker: Asker) -> Request:
        record = await _held(backend, namespace, name, number, history)
        return asking.copy(record, asker, number, data.vault)

    return await commands.ask(wish, kind="copy")


@delete(_VERSION, status_code=202, opt=in_namespace(FORGET), tags=_TAGS)
async def forget(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    number: Number,
    *,
    history: History = "",
    even_last: Annotated[
        bool, QueryParameter(description="Even if no good version is left then.")
    ] = False,
    vault: Annotated[
        str, QueryParameter(description="Only in this Vault; copies in others stay.")
    ] = "",
    reason: Annotated[str, QueryParameter(description="Why, for the run's record.")] = "",
) -> Response[Accepted]:
    """Let a version stop to exist. A pinned one is refused; its data goes with a later prune."""

    async def wish(asker: Asker) -> Request:
        record = await _held(backend, namespace, name, number, history)
        return asking.forget(
            record, asker, [number], even_last=even_last, vault=vault, reason=reason
        )

    return await commands.ask(wish, kind="forget")


@post(
    f"{_APPLICATION}/maintenance",
    status_code=202,
    opt=by_handler(MAINTAIN),
    tags=_TAGS,
    operation_class=with_example(Maintenance(task="check", contents="sample")),
)
async def maintain(
    backend: OnBackend,
    caller: AsCaller,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    *,
    data: JSONBody[Maintenance],
    history: History = "",
) -> Response[Accepted]:
    """Check, prune or repair the repository of an application; the right depends on the task."""
    action = KEEP if data.task == "check" else MAINTAIN
    await backend.access.require(caller, action, namespace)

    async def wish(asker: Asker) -> Request:
        record = await record_with_versions(backend, namespace, name, history)
        vault = data.vault or record.vault
        match data.task:
            case "check":
                now = backend.clock.now()
                return asking.check(record, asker, vault, data.contents, now)
            case "prune":
                return asking.prune(record, asker, vault, grace_s=data.grace_s)
            case "repair":
                return asking.repair(record, asker, vault)

    kind: RunKind = data.task
    return await commands.ask(wish, kind=kind)


async def _held(
    backend: Backend, namespace: str, name: str, number: int, history: str
) -> ApplicationRecord:
    """Return the history that holds a version.

    Raises:
        NotFoundError: there is no such application or version.
    """
    await version_at(backend, namespace, name, number, history)
    return await record_with_versions(backend, namespace, name, history)


ROUTES: tuple[ControllerRouterHandler, ...] = (pin, unpin, copy, forget, maintain)
