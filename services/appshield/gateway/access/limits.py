"""How often is often enough: a bucket of tries for each key that fills up again with time. Pure."""

import time
from collections.abc import Callable


class Buckets:
    """Lets each key do `burst` things at once and `per_s` a second for long.

    At most `keys_max` keys are known; one that is forgotten begins with a full bucket.
    """

    def __init__(
        self,
        *,
        per_s: float,
        burst: float,
        keys_max: int = 10_000,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._keys_max = keys_max
        self._now_s = now_s
        self._levels: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: str) -> float:
        """Return after how many seconds the key may do one more; 0 for now."""
        return max(0.0, (1 - self._level(key)) / self._per_s)

    def take(self, key: str) -> float:
        """Count one more, unless it is one too many; return what `wait_s` says."""
        wait_s = self.wait_s(key)
        if wait_s == 0:
            level = self._level(key) - 1
            self._levels.pop(key, None)  # the one that was used last stands last
            self._levels[key] = (level, self._now_s())
            if len(self._levels) > self._keys_max:
                del self._levels[next(iter(self._levels))]
        return wait_s

    def _level(self, key: str) -> float:
        level, at_s = self._levels.get(key, (self._burst, 0.0))
        return min(self._burst, level + (self._now_s() - at_s) * self._per_s)
