"""Signals: what other tools tell, for rules that wait for it."""

import uuid

import msgspec
from litestar import post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from appshield.contracts import subjects
from appshield.contracts.identities import token
from appshield.doors.actions import SIGNAL
from appshield.errors import InvalidInputError
from appshield.gateway.api.frame.audit import Act, audited
from appshield.gateway.api.frame.commands import IdempotencyKey
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.parameters import Named
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.rights import in_cluster


class SignalSent(msgspec.Struct, frozen=True, kw_only=True):
    """A signal is stored; `duplicate`: it already was, under the same key."""

    signal: str
    duplicate: bool


@post(
    "/signals/{signal:str}",
    status_code=202,
    opt=in_cluster(SIGNAL),
    tags=["Signals"],
    operation_class=with_example({"pipeline": "deploy", "number": 4711}),
)
async def send_signal(
    request: AnyRequest,
    backend: OnBackend,
    caller: AsCaller,
    *,
    signal: Named,
    data: JSONBody[dict[str, object]],
    idempotency_key: IdempotencyKey = "",
) -> SignalSent:
    """Tell something: rules with `signal` of this name see the body as `payload`."""
    try:
        token(signal)
    except ValueError as error:
        raise InvalidInputError(f"{signal!r} is no name of a signal", why=str(error)) from error
    name = msgspec.json.encode([caller.name, signal, idempotency_key or str(uuid.uuid4())])
    act = Act(
        caller=caller,
        action=SIGNAL.name,
        outcome="succeeded",
        object=f"signal {signal}",
        request_id=request_id(request.scope),
    )
    async with audited(backend.auditor, act):
        receipt = await backend.bus.publish_raw(
            subjects.signal(signal),
            msgspec.json.encode(data),
            message_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name.decode())),
        )
    return SignalSent(signal=signal, duplicate=receipt.duplicate)


ROUTES: tuple[ControllerRouterHandler, ...] = (send_signal,)
