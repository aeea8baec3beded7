"""A version before a pipeline goes on, and whether it still holds what is there then."""

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from appshield.contracts.gates import Operation
from appshield.contracts.message import Request
from appshield.doors import asking
from appshield.doors.actions import BACK_UP
from appshield.doors.asking import Asker
from appshield.doors.naming import Wanted, active
from appshield.gateway.api.frame.commands import Accepted, AsCommands
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.parameters import History, InNamespace, Named, Number
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.versions.versions import version_at
from appshield.gateway.standing import Standing

_TAGS = ["Applications"]
_APPLICATION = "/applications/{namespace:str}/{name:str}"


class GateCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a pipeline is about to do, and what it changes in words."""

    before: Operation = "rollout"
    about: str = ""


class StandingNow(msgspec.Struct, frozen=True, kw_only=True):
    """Whether workloads and claims still are as a version holds them; `changed` are not.

    With `damaged`, the version cannot be relied on.
    """

    holds: bool
    changed: tuple[str, ...]
    damaged: bool


@post(
    f"{_APPLICATION}/gate",
    status_code=202,
    opt=in_namespace(BACK_UP),
    tags=_TAGS,
    operation_class=with_example(GateCheck(before="rollout", about="web 2.4")),
)
async def save_before(
    backend: OnBackend,
    commands: AsCommands,
    namespace: InNamespace,
    name: Named,
    data: JSONBody[GateCheck],
) -> Response[Accepted]:
    """Save an application before a pipeline changes it.

    When the run has succeeded, `GET …/versions/{number}/standing` says whether everything still is
    as its version holds it: then the pipeline may go on.
    """

    async def gate(asker: Asker) -> Request:
        known = await backend.views.applications()
        record = active(known, Wanted(name, namespace), backend.cluster)
        return asking.gate(record, asker, data.before, about=data.about)

    return await commands.ask(gate, kind="backup")


@get(f"{_APPLICATION}/versions/{{number:int}}/standing", opt=in_namespace(BACK_UP), tags=_TAGS)
async def show_standing(
    backend: OnBackend,
    namespace: InNamespace,
    name: Named,
    number: Number,
    *,
    history: History = "",
) -> StandingNow:
    """Say whether workloads and claims still are as a version holds them."""
    version = await version_at(backend, namespace, name, number, history)
    now = await Standing(backend.clusters.own()).states_in(namespace)
    held = version.facts.states
    changed = [one for one, state in now.items() if held.get(one, state) != state]
    damaged = version.damage is not None
    return StandingNow(
        holds=not changed and not damaged, changed=tuple(sorted(changed)), damaged=damaged
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (save_before, show_standing)
