"""What the parent of the services is told, and what it tells; one message is one packet."""

import os

import msgspec

MESSAGE_BYTES_MAX = 65_536


class Fork(msgspec.Struct, frozen=True, tag=True):
    """Fork a service: all of its environment, and the file that takes its output."""

    service: str
    environment: dict[str, str]
    log_file: str


class Become(msgspec.Struct, frozen=True, tag=True):
    """Fork no more: be all these services yourself, each with its environment."""

    environments: dict[str, dict[str, str]]


class Forked(msgspec.Struct, frozen=True, tag=True):
    """The service runs; a descriptor of its process comes along."""

    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A service has ended with this exit code, negative for the signal that ended it."""

    pid: int
    code: int


Order = Fork | Become
Told = Forked | Ended


def buried(descriptor: int) -> int:
    """Bury a child that has ended; return its exit code, negative for the signal that ended it."""
    ended = os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
    assert ended is not None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
