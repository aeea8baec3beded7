"""The steps of runs as data: how long each may be silent and how often it is tried."""

from typing import Any

import msgspec

from appshield.contracts.runs import Run

BACKOFF_MAX_S = 30.0


class Next(msgspec.Struct, frozen=True):
    """A step that follows, on a node if it needs one."""

    name: str
    node: str = ""


class Limits(msgspec.Struct, frozen=True):
    """`silence_s`: how long a step may go without progress before it is tried again."""

    silence_s: float
    attempts_max: int


_LIMITS = {
    "open": Limits(silence_s=60, attempts_max=4),
    "take": Limits(silence_s=300, attempts_max=3),
    "store": Limits(silence_s=120, attempts_max=6),
    "commit": Limits(silence_s=180, attempts_max=6),
    "release": Limits(silence_s=120, attempts_max=12),
    "plan": Limits(silence_s=120, attempts_max=4),
    "prepare": Limits(silence_s=240, attempts_max=4),
    "load": Limits(silence_s=120, attempts_max=6),
    "push": Limits(silence_s=180, attempts_max=4),
    "apply": Limits(silence_s=420, attempts_max=4),
    "feed": Limits(silence_s=300, attempts_max=3),
    "finish": Limits(silence_s=120, attempts_max=12),
    "rebuild": Limits(silence_s=180, attempts_max=4),
    "forget": Limits(silence_s=120, attempts_max=12),
    "prune": Limits(silence_s=180, attempts_max=12),
    "check": Limits(silence_s=180, attempts_max=12),
    "repair": Limits(silence_s=180, attempts_max=12),
    "pin": Limits(silence_s=60, attempts_max=12),
    "copy": Limits(silence_s=180, attempts_max=6),
}


def kind_of(step: str) -> str:
    """Name what a step does: the first part of its name, whatever it is about, whichever round."""
    return step.partition("/")[0].partition("=")[0]


def subject_of(step: str) -> str:
    """Name what a step is about: the rest of its name, without the round."""
    return step.partition("/")[2].partition("=")[0]


def limits_of(step: str) -> Limits:
    """Look up the limits of a step."""
    return _LIMITS[kind_of(step)]


def order_fields(run: Run, step: str) -> dict[str, Any]:
    """Return what every order of this run begins with; the attempt is set when it is sent."""
    return {
        "app": run.app,
        "run": run.id,
        "step": step,
        "attempt": 1,
        "epoch": run.epoch,
        "app_id": run.app_id,
        "vault": run.vault,
    }
