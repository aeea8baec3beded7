"""How promises about recovery were kept on days that are over.

Runs are kept for thirty days; of longer ago, this is what reports are made of. A day is written
once, when it is over, and never changed.
"""

from collections.abc import Mapping
from datetime import date

import msgspec


class PromisedDay(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One application on one day (UTC); an array in JSON, as there are many.

    Seconds in which an age of the newest version was promised, and in which that was kept;
    restores of whole versions that ended, how many of them were `judged` by a promised time, how
    many of these were `in_time`, and how long the last and the longest took, 0 without one.
    """

    promised_s: float
    kept_s: float
    restores: int = 0
    judged: int = 0
    in_time: int = 0
    last_s: float = 0.0
    worst_s: float = 0.0


class PromisedDays(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the applications on one day, by their id: those of which there is anything."""

    day: date
    applications: Mapping[str, PromisedDay]
