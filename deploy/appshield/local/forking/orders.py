"""What the parent of the services is told, and what it tells; one message is one packet."""

import msgspec

MESSAGE_BYTES_MAX = 65_536


class Fork(msgspec.Struct, frozen=True):
    """Fork a service: all of its environment, and the file that takes its output."""

    service: str
    environment: dict[str, str]
    log_file: str


class Forked(msgspec.Struct, frozen=True, tag=True):
    """The service runs; a descriptor of its process comes along."""

    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A service has ended with this exit code, negative for the signal that ended it."""

    pid: int
    code: int


Told = Forked | Ended
