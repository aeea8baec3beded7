"""How far somebody has heard: the revisions of the buckets, and when that was. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from appshield.gateway.api.known.watched_views import Revisions

KEPT_FOR = timedelta(minutes=50)
"""How old a position may be: what is deleted leaves a trace on the bus for an hour."""
_FORM = re.compile(r"(\d{1,18})-(\d{1,18})-(\d{1,18})-(\d{1,12})", re.ASCII)


class Position(NamedTuple):
    """What was known at a moment; written as the id of an event."""

    revisions: Revisions
    at: datetime

    def __str__(self) -> str:
        return "-".join(map(str, (*self.revisions, int(self.at.timestamp()))))

    @classmethod
    def read(cls, text: str) -> "Position | None":
        """Read what `str` wrote; None where it is something else."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        applications, runs, policies, at = map(int, found.groups())
        try:
            moment = datetime.fromtimestamp(at, UTC)
        except (OverflowError, ValueError, OSError):
            return None
        return cls(Revisions(applications, runs, policies), moment)

    def is_too_old(self, now: datetime) -> bool:
        """Say whether something may have happened since then that nobody knows of any more."""
        return now - self.at > KEPT_FOR
