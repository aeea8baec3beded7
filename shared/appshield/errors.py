"""What can go wrong, in one tree.

    AppShieldError                  every error that AppShield raises on purpose
    ├── InvalidInputError           a document, argument or setting is wrong            exit 2
    ├── NotFoundError               an application, version, run or vault is unknown    exit 3
    ├── RefusedError                a rule forbids it in the present state              exit 4
    ├── UnavailableError            cluster, bus or store cannot be reached: try again  exit 5
    ├── DeniedError                 credentials or rights do not allow it               exit 6
    ├── RunFailedError              a backup or restore ended without success           exit 7
    ├── DamagedError                stored data does not verify                         exit 8
    ├── DeadlineError               something did not happen in the time given          exit 9
    └── PartialError                a restore left out what is damaged, as asked        exit 10

Each message says what happened, why, and what to do next, for the person who reads it. A library
raises the category itself, or a subclass of its own when a caller has to tell cases apart. Errors
of third parties are wrapped at the boundary and kept as `__cause__`.
"""

from typing import ClassVar


class AppShieldError(Exception):
    """An error with a meaning for the reader: what, why and the next step."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        text = self.what if not self.why else f"{self.what}: {self.why}"
        return text if not self.next_step else f"{text.rstrip('.')}. {self.next_step}"


class InvalidInputError(AppShieldError):
    """A document, an argument or a setting cannot be accepted as it stands."""

    exit_code = 2


class NotFoundError(AppShieldError):
    """What was named does not exist."""

    exit_code = 3


class RefusedError(AppShieldError):
    """The request is understood and forbidden by a rule in the present state."""

    exit_code = 4


class UnavailableError(AppShieldError):
    """A part that is needed cannot be reached now; the same call may succeed later."""

    exit_code = 5


class DeniedError(AppShieldError):
    """The other side knows who asks and says no."""

    exit_code = 6


class RunFailedError(AppShieldError):
    """A run came to its end without success."""

    exit_code = 7


class DamagedError(AppShieldError):
    """Stored bytes are not what their name or seal says."""

    exit_code = 8


class DeadlineError(AppShieldError):
    """What was waited for did not happen in the time given."""

    exit_code = 9


class PartialError(AppShieldError):
    """What was asked for was done without what is damaged, as it was asked to."""

    exit_code = 10
