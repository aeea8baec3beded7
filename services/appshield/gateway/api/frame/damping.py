"""How often the same is told: some times within a window, then only how often it was. Pure."""

from collections import OrderedDict

KEYS_MAX = 4_096


class Damping:
    """Counts by key; the window of a key begins with its first time."""

    def __init__(self, *, times: int, window_s: float) -> None:
        self._times = times
        self._window_s = window_s
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def untold(self, key: str, now_s: float) -> int | None:
        """Return how often this was not told since it was last, None if it is not to be told now.

        `now_s` is of a clock that only grows.
        """
        since_s, count = self._seen.get(key, (now_s, 0))
        over = now_s - since_s >= self._window_s
        before = max(count - self._times, 0) if over else 0
        self._seen[key] = (now_s, 1) if over else (since_s, count + 1)
        self._seen.move_to_end(key)
        if len(self._seen) > KEYS_MAX:
            self._seen.popitem(last=False)
        return before if over or count < self._times else None
