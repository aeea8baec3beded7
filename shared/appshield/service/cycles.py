"""How often Python looks for garbage that refers to itself, and through how much."""

import gc
import time
from typing import Final, Literal

_NEW_OBJECTS_MAX: Final = 10_000
_LONG_LOOK_S: Final = 0.02


def look_for_cycles_rarely() -> None:
    """Let Python look for such garbage only after many new objects, and never for long.

    For services that keep what they know of thousands of applications: each look goes through
    much of it, and finds next to nothing. After 700 objects, as is usual, a policy that changes for
    all of them spends a third of its processor time so. A whole look stops everything, 400 ms with
    50,000 objects known, so what one has found to be in use after a long time is put aside.
    """
    gc.set_threshold(_NEW_OBJECTS_MAX)
    gc.callbacks.append(_LongLooks().noted)


def put_aside() -> None:
    """Look once more, and let later looks pass over what is known now, as it stays.

    Its memory is freed as ever when nobody refers to it; only what refers to itself is not.
    """
    gc.collect()
    gc.freeze()


class _LongLooks:
    """Puts aside what a look has left, where that took long: the next one begins with nothing."""

    def __init__(self) -> None:
        self._began_s = 0.0

    def noted(self, phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = time.thread_time()
        elif info["generation"] == 2 and time.thread_time() - self._began_s > _LONG_LOOK_S:
            gc.freeze()
