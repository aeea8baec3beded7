"""How long to wait before the same request is sent again. Pure."""

import random

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
LONGEST_ASKED_PAUSE_S = 30.0


def backoff_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """Return a pause that doubles with each failure, spread at random over its upper half.

    Never shorter than `first_s`, never longer than `longest_s`; `failures` counts from 1.
    """
    ceiling_s = min(longest_s, first_s * 2.0 ** min(failures, 32))
    return max(first_s, ceiling_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load


def longer_if_asked_s(own_s: float, asked_s: float | None) -> float:
    """Return our own pause, or the longer one that the server asked for, within reason."""
    return own_s if asked_s is None else max(own_s, min(asked_s, LONGEST_ASKED_PAUSE_S))


def pause_s(failures: int, asked_s: float | None) -> float:
    """Return the pause before a request is repeated for the `failures`-th time."""
    own_s = backoff_s(failures, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)
    return longer_if_asked_s(own_s, asked_s)
