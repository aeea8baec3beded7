"""Which rights a request needs, and where: the same for whoever asks, at whichever door. Pure."""

from collections.abc import Mapping

import msgspec

from appshield.contracts.message import Request
from appshield.contracts.requests import (
    RequestApprove,
    RequestBackup,
    RequestCancel,
    RequestCatalog,
    RequestCheck,
    RequestCopy,
    RequestForget,
    RequestGate,
    RequestPause,
    RequestPin,
    RequestPrune,
    RequestRepair,
    RequestRestore,
)
from appshield.doors import actions
from appshield.doors.actions import Action

WANTED: Mapping[type[Request], tuple[Action, ...]] = {
    RequestBackup: (actions.BACK_UP,),
    RequestGate: (actions.BACK_UP,),
    RequestRestore: (actions.READ_DATA, actions.RESTORE),
    RequestCancel: (actions.CANCEL,),
    RequestApprove: (actions.APPROVE,),
    RequestPause: (actions.PAUSE,),
    RequestCatalog: (actions.CHANGE_VAULTS,),
    RequestForget: (actions.FORGET,),
    RequestPrune: (actions.MAINTAIN,),
    RequestCheck: (actions.KEEP,),
    RequestRepair: (actions.MAINTAIN,),
    RequestPin: (actions.KEEP,),
    RequestCopy: (actions.KEEP,),
}
"""What each kind of request needs in the namespace of the application that it is about."""

EVERYWHERE = ""
"""The place of what belongs to no namespace."""


class Need(msgspec.Struct, frozen=True):
    """A right that is needed, and the namespace in which; `EVERYWHERE` for what is in none."""

    action: Action
    namespace: str

    def __str__(self) -> str:
        where = f"in namespace {self.namespace}" if self.namespace else "everywhere"
        return f"{self.action.verb} {self.action.resource} {where}"


def needs(request: Request) -> tuple[Need, ...]:
    """List what a request needs.

    Whoever restores elsewhere needs the right to restore there, too.
    """
    place = EVERYWHERE if isinstance(request, RequestCatalog) else request.app.namespace
    wanted = [Need(action, place) for action in WANTED[type(request)]]
    if isinstance(request, RequestRestore) and request.target_namespace not in {"", place}:
        wanted.append(Need(actions.RESTORE, request.target_namespace))
    return tuple(wanted)
