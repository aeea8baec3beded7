"""Until when the lock of a repository may be believed, in memory that processes share.

The process that holds the lock sets a moment; workers look at it before each upload, and wait until
it is set for the first time: they are at work while the lock settles. A moment of the clock of the
machine that goes on while it sleeps: whoever was stopped for too long sees that.
"""

import mmap
import os
import select
import struct
import time
from collections.abc import Mapping
from typing import Final, Self

from appshield.repository.locks import LockLostError

_MOMENT_NAME: Final = "freshness"
_SET_NAME: Final = "freshness is set"
_MOMENT: Final = struct.Struct("<d")


class Freshness:
    """The shared moment; nothing may be written before it is set, nor after it has passed.

    It takes over the two descriptors: of the moment, and of an event that tells that it is set.
    """

    def __init__(self, moment: int, is_set: int) -> None:
        self._descriptors = {_MOMENT_NAME: moment, _SET_NAME: is_set}
        self._map = mmap.mmap(moment, mmap.PAGESIZE)
        self._is_set = False

    @classmethod
    def create(cls) -> Self:
        """Make one that is not set yet."""
        moment = os.memfd_create(_MOMENT_NAME)
        os.ftruncate(moment, mmap.PAGESIZE)
        return cls(moment, os.eventfd(0))

    @classmethod
    def attached(cls, memory: Mapping[str, int]) -> Self:
        """Open the one of another process, of which these are the `descriptors`, among others."""
        return cls(os.dup(memory[_MOMENT_NAME]), os.dup(memory[_SET_NAME]))

    @property
    def descriptors(self) -> Mapping[str, int]:
        """What another process opens the same moment with, by name."""
        return self._descriptors

    def extend(self, for_s: float) -> None:
        """Set the moment to `for_s` seconds from now."""
        _MOMENT.pack_into(self._map, 0, _now_s() + for_s)
        if not self._is_set:
            os.eventfd_write(self._descriptors[_SET_NAME], 1)
            self._is_set = True

    def ensure(self) -> None:
        """Wait until there is a moment, and raise LockLostError if it has passed."""
        if not self._is_set:
            waiting = select.poll()
            waiting.register(self._descriptors[_SET_NAME], select.POLLIN)
            self._is_set = bool(waiting.poll())
        (until_s,) = _MOMENT.unpack_from(self._map, 0)
        if _now_s() >= until_s:
            raise LockLostError("it was not seen to be renewed in time")

    def close(self) -> None:
        """Let go of the memory."""
        self._map.close()
        for descriptor in self._descriptors.values():
            os.close(descriptor)


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
