"""A clock that moves only when a test moves it."""

from datetime import datetime


class FixedClock:
    """Tells the moment that was set in `at`."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at
