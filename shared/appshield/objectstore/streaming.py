"""Reading a range of an object as it arrives, without ever having all of it in memory.

The request is sent when the range is opened: the service, and the buffers of the network, run ahead
of who reads. It is sent once. After any failure what is left is asked for again with `get`, piece
by piece, which knows about patience and says what is wrong.
"""

import contextlib
import http.client
import weakref
from collections.abc import Callable
from typing import Final, Protocol

PIECE_BYTES: Final = 4 << 20
"""How much is asked for at once when the first request has failed."""

Get = Callable[[int, int], bytes]
"""Returns so many bytes from an offset, fewer where the object ends before; see ObjectStore.get."""


class RangeReader(Protocol):
    """A range of an object, read from its start to its end by one thread."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; return how many bytes, fewer only where range or object end before.

        Raises what `ObjectStore.get` does.
        """
        ...

    def close(self) -> None:
        """Let go of it, read to its end or not."""
        ...


class Arriving(Protocol):
    """The body of an answer that is on its way."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; return how many bytes, fewer at the end; OSError or HTTPException."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class PiecewiseRange:
    """A range that comes from a body on its way as long as that lasts, then from `get`."""

    def __init__(
        self, get: Get, offset: int, length: int, *, arriving: Arriving | None = None
    ) -> None:
        self._get = get
        self._position = offset
        self._end = offset + length
        self._arriving = arriving
        # who fails between opening and reading never comes to close it
        self._let_go = None if arriving is None else weakref.finalize(self, arriving.close)

    def readinto(self, buffer: memoryview) -> int:
        """See RangeReader."""
        wanted = min(len(buffer), self._end - self._position)
        filled = 0
        while filled < wanted:
            got = self._arrived(buffer[filled:wanted]) or self._asked(buffer[filled:wanted])
            if not got:
                self._end = self._position  # the object ends here
            wanted = min(wanted, filled + self._end - self._position)
            self._position += got
            filled += got
        if self._position == self._end:
            self.close()
        return filled

    def close(self) -> None:
        """See RangeReader."""
        self._arriving = None
        if self._let_go is not None:
            self._let_go()

    def _arrived(self, buffer: memoryview) -> int:
        if self._arriving is None:
            return 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            if got := self._arriving.readinto(buffer):
                return got
        self.close()
        return 0

    def _asked(self, buffer: memoryview) -> int:
        piece = self._get(self._position, min(len(buffer), PIECE_BYTES))
        buffer[: len(piece)] = piece
        return len(piece)
