"""The parent of the services: it imports them all, forks each when told to, and tells their ends.

Or it is told to become them all itself, as tasks.

It never has a thread or an event loop. It is forked by its owner or started as a program, dies with
its owner, and the services stop with it.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from appshield.allocator import fill_gaps, give_memory_back
from appshield.local.forking.orders import (
    MESSAGE_BYTES_MAX,
    Become,
    Ended,
    Fork,
    Forked,
    Order,
    buried,
)
from appshield.local.forking.together import run_together
from appshield.local.programs import NICENESS, SERVICES, service_of

NAME: Final = "services"
PR_SET_PDEATHSIG: Final = 1


def import_services() -> None:
    """Import all that services need, and keep it as it is, to be shared.

    A page is shared until somebody writes into it, so all is done that forks would write for.
    """
    give_memory_back()
    for service in SERVICES:
        _entry(service)
    assert threading.active_count() == 1, "a thread would not come along into a fork"
    gc.collect()
    gc.freeze()  # a collection in a service must not touch, and so copy, what is shared
    sys._clear_type_cache()  # noqa: SLF001 - documented; what it forgets is counted anew
    fill_gaps()


def fork_parent(log_file: Path, environment: Mapping[str, str]) -> tuple[int, socket.socket]:
    """Fork the parent from this process, which has imported the services and has no thread.

    Returns its process id, and the socket for orders to it. The fork itself ends here.
    """
    import_services()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    owner = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    ours.close()
    _leave(owner, log_file, environment, name=NAME)
    sys.exit(serve(theirs))


def serve(control: socket.socket) -> int:
    """Fork what is ordered until the owner is gone; in a fork, run its service.

    Told to become the services, it runs them all.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner decides when to stop
    match _serve(control):
        case None:
            return 0
        case Fork(service):
            return int(importlib.import_module(_entry(service)).main())
        case Become(environments):
            os.nice(NICENESS)
            return run_together(environments)


def _entry(service: str) -> str:
    """Import the module that a service starts with; return its name."""
    return importlib.import_module(f"appshield.{service_of(service)}.__main__").__name__


def _serve(control: socket.socket) -> Order | None:
    """Fork services until the owner is gone, None then; return what this process is to be."""
    parent = os.getpid()
    services: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    selector.unregister(key.fileobj)
                    _tell_end(control, key.fd, services.pop(key.fd))
                    continue
                packet = control.recv(MESSAGE_BYTES_MAX)
                if not packet:
                    return None
                order: Order = msgspec.msgpack.decode(packet, type=Order)
                if isinstance(order, Become):
                    control.close()
                    return order
                pid = os.fork()
                if not pid:
                    control.close()
                    _leave_parent(order, parent, services)
                    return order
                ending = os.pidfd_open(pid)
                services[ending] = pid
                selector.register(ending, selectors.EVENT_READ)
                _tell(control, Forked(pid), ending)


def _leave_parent(order: Fork, parent: int, others: Iterable[int]) -> None:
    """In a fork: leave behind what is the parent's, and hear what it ignores."""
    for descriptor in others:
        os.close(descriptor)
    _leave(parent, Path(order.log_file), order.environment, name=order.service)
    os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(origin: int, log_file: Path, environment: Mapping[str, str], *, name: str) -> None:
    """In a fork: have a group, output, environment and name of one's own, and end with `origin`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != origin:  # it died before we asked to be told
        os._exit(1)
    os.setpgid(0, 0)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, place)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(environment)
    Path("/proc/self/comm").write_text(name)


def _tell_end(control: socket.socket, ending: int, pid: int) -> None:
    code = buried(ending)
    os.close(ending)
    _tell(control, Ended(pid, code))


def _tell(control: socket.socket, message: Forked | Ended, *descriptors: int) -> None:
    with contextlib.suppress(ConnectionError):  # the owner is gone, which is seen next
        socket.send_fds(control, [msgspec.msgpack.encode(message)], descriptors)
