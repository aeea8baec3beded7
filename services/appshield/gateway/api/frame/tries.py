"""What was tried in vain, and by whom: each thing once a window, with how often more. Pure.

There is a bound to what is told of one and of all. Beyond it only who is told, and beyond that how
often: so a flood leaves a number, and never nothing.
"""

from collections import Counter
from typing import Final, NamedTuple

OF_ONE_MAX: Final = 100
OF_STRANGERS_MAX: Final = 60
OF_ALL_MAX: Final = 4_096


class Tried(NamedTuple):
    """Who tried what; either is empty where there were too many to tell them apart."""

    who: str
    what: str


class Tries:
    """Counts the windows that are open. Each begins with a try, and is closed by who is told."""

    def __init__(self) -> None:
        self._more: dict[Tried, int] = {}
        self._of: Counter[str] = Counter()

    def begun(self, who: str, what: str, *, known: bool) -> Tried | None:
        """Count a try; return the window that begins with it, None where one is open.

        `who` is a name, or where the try came from when nobody is `known`.
        """
        tried = self._as_told(Tried(who, what), known=known)
        if tried in self._more:
            self._more[tried] += 1
            return None
        self._more[tried] = 0
        self._of[_counted(tried.who, known=known)] += 1
        return tried

    def closed(self, tried: Tried, *, known: bool) -> int:
        """Close a window; return how often it was tried again in it."""
        counted = _counted(tried.who, known=known)
        self._of[counted] -= 1
        if not self._of[counted]:
            del self._of[counted]
        return self._more.pop(tried)

    def _as_told(self, tried: Tried, *, known: bool) -> Tried:
        if tried in self._more:
            return tried
        if len(self._more) >= OF_ALL_MAX:
            return Tried("", "")
        if self._of[_counted(tried.who, known=known)] < (OF_ONE_MAX if known else OF_STRANGERS_MAX):
            return tried
        return Tried(tried.who, "") if known else Tried("", "")


def _counted(who: str, *, known: bool) -> str:
    """Name whom a try counts for: strangers are one, however many addresses they have."""
    return f"known {who}" if known else "strangers"
