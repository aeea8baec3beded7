"""Until when the lock of a repository may be believed, in memory that processes share.

The process that holds the lock sets a moment; workers look at it before each upload. A moment of
the clock of the machine that goes on while it sleeps: whoever was stopped for too long sees that.
"""

import mmap
import os
import struct
import time
from typing import Final

from appshield.repository.locks import LockLostError

_MOMENT: Final = struct.Struct("<d")


class Freshness:
    """The shared moment; nothing may be written before it is set, nor after it has passed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self._map = mmap.mmap(self._descriptor, mmap.PAGESIZE)

    @classmethod
    def create(cls) -> "Freshness":
        """Make one that has passed."""
        descriptor = os.memfd_create("freshness")
        try:
            os.ftruncate(descriptor, mmap.PAGESIZE)
            return cls(descriptor)
        finally:
            os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """What another process opens the same moment with."""
        return self._descriptor

    def extend(self, for_s: float) -> None:
        """Set the moment to `for_s` seconds from now."""
        _MOMENT.pack_into(self._map, 0, _now_s() + for_s)

    def ensure(self) -> None:
        """Raise LockLostError if the moment has passed."""
        (until_s,) = _MOMENT.unpack_from(self._map, 0)
        if _now_s() >= until_s:
            raise LockLostError("it was not seen to be renewed in time")

    def close(self) -> None:
        """Let go of the memory."""
        self._map.close()
        os.close(self._descriptor)


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
