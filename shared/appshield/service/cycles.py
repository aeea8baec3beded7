"""How often Python looks for garbage that refers to itself."""

import gc
from typing import Final

_NEW_OBJECTS_MAX: Final = 10_000


def look_for_cycles_rarely() -> None:
    """Let Python look for such garbage only after many new objects.

    For services that keep what they know of thousands of applications: each look goes through
    much of it, and finds next to nothing. After 700 objects, as is usual, a policy that changes for
    all of them spends a third of its processor time so.
    """
    gc.set_threshold(_NEW_OBJECTS_MAX)
