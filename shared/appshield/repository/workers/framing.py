"""Messages over a stream socket of this machine: a head, a body, and descriptors beside them.

    head = length of the body (uint32) ‖ number (uint32) ‖ kind (uint8) ‖ descriptors (uint8)

The kernel hands descriptors over with the first byte of their message or before it, in order: each
message then takes as many as its head says.
"""

import array
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

HEAD: Final = struct.Struct("<IIBB")
MOST_DESCRIPTORS: Final = 64
"""Descriptors that one message may carry; the kernel's limit is 253."""
RECEIVE_BYTES: Final = 256 << 10

DONE, FAILED, EVENT = range(3)
"""Kinds of messages from a worker; a job has kind 0."""


class Frame(NamedTuple):
    """One message; what `number` and `kind` mean is up to the two sides."""

    number: int
    kind: int
    body: bytes
    descriptors: tuple[int, ...] = ()

    def encoded(self) -> bytes:
        """Return head and body."""
        assert len(self.descriptors) <= MOST_DESCRIPTORS
        head = HEAD.pack(len(self.body), self.number, self.kind, len(self.descriptors))
        return head + self.body


class FrameReader:
    """Puts received pieces together to messages."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._descriptors: deque[int] = deque()

    def receive(self, peer: socket.socket, *, wait: bool = True) -> bool:
        """Take what is there, or wait for something; False at the end of the stream.

        Raises:
            BlockingIOError: nothing is there, and we do not wait.
            OSError: the stream broke.
        """
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)
        flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
        data, beside, _, _ = peer.recvmsg(RECEIVE_BYTES, room, flags)
        for level, kind, content in beside:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._descriptors.extend(array.array("i", content))
        self._data += data
        return bool(data)

    def frames(self) -> Iterator[Frame]:
        """Take out the messages that are complete."""
        start = 0
        data = self._data
        try:
            while len(data) - start >= HEAD.size:
                length, number, kind, count = HEAD.unpack_from(data, start)
                end = start + HEAD.size + length
                if len(data) < end:
                    return
                body = bytes(memoryview(data)[start + HEAD.size : end])
                start = end
                taken = tuple(self._descriptors.popleft() for _ in range(count))
                yield Frame(number, kind, body, taken)
        finally:
            del data[:start]

    def close(self) -> None:
        """Close descriptors that no message took."""
        while self._descriptors:
            os.close(self._descriptors.popleft())


def send(peer: socket.socket, data: memoryview, descriptors: Sequence[int]) -> int:
    """Send a part of a message, descriptors with its first byte; return how many bytes went."""
    if descriptors:
        return socket.send_fds(peer, [data], list(descriptors))
    return peer.send(data)


def send_whole(peer: socket.socket, frame: Frame) -> None:
    """Send a message over a socket that waits."""
    data = memoryview(frame.encoded())
    sent = send(peer, data, frame.descriptors)
    peer.sendall(data[sent:])
