"""Retention: for how long which objects cannot be deleted, not even by whoever wrote them.

The service enforces it (S3 object lock), object by object; the bucket has no default, so that
locks and other small things that come and go stay deletable. What the service keeps is a version
of an object: somebody may still hide it behind a newer version or a delete marker, and whoever
removes those sees it again.
"""

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

import msgspec

LockMode = Literal["governance", "compliance"]

MARGIN = 0.1
"""Objects are kept this part longer than asked, so that an old one that new versions need has to be
extended only now and then, and not for each of them."""


class Retention(msgspec.Struct, frozen=True):
    """How long objects are kept, and which ones.

    `governance` lets a person with a special right delete earlier, `compliance` lets nobody.
    """

    mode: LockMode
    lasts_s: float
    names: tuple[str, ...]
    """Patterns that end like the names of the objects that are kept, such as `data/*/*`."""

    def covers(self, name: str) -> bool:
        """Tell whether an object of this name is kept."""
        path = PurePosixPath(name)
        return any(path.match(pattern) for pattern in self.names)

    def least(self, now: datetime) -> datetime:
        """Return until when an object that is needed now must be kept."""
        return now + timedelta(seconds=self.lasts_s)

    def until(self, now: datetime) -> datetime:
        """Return until when an object is kept that is written or extended now."""
        return now + timedelta(seconds=self.lasts_s * (1 + MARGIN))


def lock_headers(retention: Retention, now: datetime) -> dict[str, str]:
    """Return the headers of a PUT that keeps what it writes."""
    return {
        "x-amz-object-lock-mode": retention.mode.upper(),
        "x-amz-object-lock-retain-until-date": _written(retention.until(now)),
    }


def retention_document(retention: Retention, now: datetime) -> bytes:
    """Return the body of a request that keeps an object from now on."""
    return (
        '<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Mode>{retention.mode.upper()}</Mode>"
        f"<RetainUntilDate>{_written(retention.until(now))}</RetainUntilDate></Retention>"
    ).encode()


def kept_until(text: str) -> datetime | None:
    """Read a date of the service; None where it tells none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
