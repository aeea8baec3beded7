"""Entries that cannot be restored: noted while the rest goes on, or the end of the run."""

import errno
from typing import Final

from appshield.errors import AppShieldError, DamagedError, NotFoundError, RunFailedError
from appshield.repository.files.problems import Problems, shown

Failed = DamagedError | NotFoundError | OSError
"""What can be wrong with one entry alone."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_USE_GOING_ON: Final = _NO_ROOM | {errno.EROFS}


class Failures:
    """Takes what failed; with `keep_going` it is a problem, else the first one ends the run."""

    def __init__(self, problems: Problems, *, keep_going: bool) -> None:
        self._problems = problems
        self._keep_going = keep_going
        self._first: AppShieldError | None = None

    def add(self, path: bytes, error: Failed) -> None:
        """Take that an entry is not restored; raises nothing."""
        if isinstance(error, OSError):
            detail, is_of_system = error.strerror or str(error), True
            can_go_on = error.errno not in _NO_USE_GOING_ON
        else:
            detail, is_of_system, can_go_on = str(error), False, True
        if self._keep_going and can_go_on:
            self._problems.add(path, "failed" if is_of_system else "damaged", detail)
        elif self._first is None:
            self._first = _end_of_run(path, error)
            self._first.__cause__ = error

    def check(self) -> None:
        """Raise what ends the run, if there is something."""
        if self._first is not None:
            raise self._first


def _end_of_run(path: bytes, error: Failed) -> AppShieldError:
    what = f"{shown(path)} cannot be restored"
    if isinstance(error, OSError):
        return RunFailedError(what, why=error.strerror or str(error), next_step=_advice(error))
    return DamagedError(
        what,
        why=str(error),
        next_step="Restore another version, or what is left of this one with keep going",
    )


def _advice(error: OSError) -> str:
    if error.errno in _NO_ROOM:
        return "Give the volume more room and restore again: what is there is kept"
    return "Remove the cause and restore again: what is there is kept"
