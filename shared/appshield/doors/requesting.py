"""Asking: a request on the bus, and the id of the run that the planner will make of it."""

import getpass
import socket
import uuid
from collections.abc import Mapping

from appshield.bus import Bus
from appshield.contracts import requests
from appshield.contracts.identities import RunKind, run_id
from appshield.contracts.message import Request
from appshield.doors.asking import Asker
from appshield.manifests.objects import Object

KINDS: Mapping[type[Request], RunKind] = {
    requests.RequestBackup: "backup",
    requests.RequestGate: "backup",
    requests.RequestRestore: "restore",
    requests.RequestCatalog: "catalog",
    requests.RequestForget: "forget",
    requests.RequestPrune: "prune",
    requests.RequestCheck: "check",
    requests.RequestRepair: "repair",
    requests.RequestPin: "pin",
    requests.RequestCopy: "copy",
}
"""What kind of run becomes of a request; of those that are missing none does."""


def asker_here(cluster: str) -> Asker:
    """Say that the user of this machine asks, for something new."""
    return Asker(actor=user_here(), request_id=str(uuid.uuid4()), cluster=cluster)


def run_asked_for(request: Request) -> str:
    """Name the run that the planner makes of a request.

    Raises:
        TypeError: it makes none of such a request.
    """
    kind = KINDS.get(type(request))
    if kind is None:
        raise TypeError(f"no run becomes of a {type(request).__name__}")
    return run_id(kind, f"request/{request.request_id}")


def request_by(obj: Object) -> str:
    """Name the request of a Backup or Restore object: one for each that ever was."""
    return f"{obj['kind'].lower()}-{obj['metadata']['uid']}"


def run_asked_by(obj: Object) -> str:
    """Name the run of a Backup or Restore object, whether or not it exists yet."""
    kind: RunKind = "backup" if obj["kind"] == "Backup" else "restore"
    return run_id(kind, f"request/{request_by(obj)}")


async def ask(bus: Bus, request: Request) -> str:
    """Publish a request; return the id of its run, which may not exist yet."""
    run = run_asked_for(request)
    await bus.publish(request)
    return run


def user_here() -> str:
    """Name the user of this machine, and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user on this machine
        user = "someone"
    return f"{user}@{socket.gethostname()}"
