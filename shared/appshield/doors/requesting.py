"""Asking: a request on the bus, and the id of the run that the planner will make of it."""

import getpass
import socket
import uuid

from appshield.bus import Bus
from appshield.contracts.identities import RunKind, run_id
from appshield.contracts.message import Request


def new_request_id() -> str:
    """Mint the identity of a request: asking again with it is asking once."""
    return str(uuid.uuid4())


def actor() -> str:
    """Say who asks, for the run's record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user on this machine
        user = "someone"
    return f"{user}@{socket.gethostname()}"


async def ask(bus: Bus, request: Request, kind: RunKind) -> str:
    """Publish a request; return the id of its run, which may not exist yet."""
    await bus.publish(request)
    return run_id(kind, f"request/{request.request_id}")
