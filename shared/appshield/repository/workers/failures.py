"""Errors of a worker: how they travel, and what is said when one dies."""

import signal

import msgspec

from appshield.errors import AppShieldError, RunFailedError, UnavailableError


class WorkerDiedError(UnavailableError):
    """A worker process ended before its work did."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "a worker process ended before its work was done",
            why=why,
            next_step="See that memory suffices, and start again: what is stored is found and kept",
        )


class Failure(msgspec.Struct, frozen=True):
    """An error of a worker; `kinds` are the names of its class and those above, nearest first."""

    kinds: tuple[str, ...]
    what: str
    why: str
    next_step: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Return what to send of an error."""
        if not isinstance(error, AppShieldError):
            return cls((), "a worker process failed", f"{type(error).__name__}: {error}", "")
        names = tuple(kind.__name__ for kind in type(error).__mro__)
        return cls(names, error.what, error.why, error.next_step)

    def error(self) -> AppShieldError:
        """Return the error again, of the nearest class that is known here."""
        known = {kind.__name__: kind for kind in _kinds(AppShieldError)}
        kind = next((known[name] for name in self.kinds if name in known), RunFailedError)
        error = kind.__new__(kind)
        AppShieldError.__init__(error, self.what, why=self.why, next_step=self.next_step)
        return error


def ending_of(status: int) -> str:
    """Say how a process ended, from its exit code as `subprocess` gives it."""
    if status >= 0:
        return f"it ended with status {status}"
    try:
        return f"it was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was killed by signal {-status}"


def _kinds(kind: type[AppShieldError]) -> list[type[AppShieldError]]:
    found = [kind]
    for below in kind.__subclasses__():
        found += _kinds(below)
    return found
