"""The streams to worker processes and to their parent, and how both are started."""

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from typing import Final, Self

import msgspec

from appshield.repository.workers.failures import WorkerDiedError, ending_of
from appshield.repository.workers.framing import Frame, FrameReader, send
from appshield.repository.workers.ports import Done
from appshield.repository.workers.setup import Start, WorkerSetup

JOBS_PER_WORKER: Final = 2
"""One at work and one to go on with; more would only be far from a worker that is idle."""

END_S: Final = 30.0
"""How long processes may take to end by themselves once there is no more work."""


class Given:
    """A job that is to be sent."""

    def __init__(self, body: bytes, descriptors: tuple[int, ...], done: Done) -> None:
        self.body = body
        self.descriptors = descriptors
        self.done = done


class Peer:
    """The stream to one worker, and its jobs under way by number."""

    def __init__(self, number: int, one: socket.socket, *, most_jobs: int) -> None:
        self.number = number
        self._most_jobs = most_jobs
        self.socket = one
        self.reader = FrameReader()
        self.waiting: deque[Given] = deque()
        self.under_way: dict[int, Done] = {}
        self.is_open = True
        self.finished = False
        self._numbered = 0
        self._outgoing: deque[tuple[memoryview, tuple[int, ...]]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether another job may be sent now."""
        return len(self.under_way) < self._most_jobs

    def queue(self, given: Given) -> None:
        """Put a job among those that are sent next."""
        self._numbered = (self._numbered + 1) & 0xFFFFFFFF
        self.under_way[self._numbered] = given.done
        frame = Frame(self._numbered, 0, given.body, given.descriptors)
        self._outgoing.append((memoryview(frame.encoded()), given.descriptors))

    def send(self) -> bool:
        """Send what goes without waiting; return whether that is all."""
        while self._outgoing and self.is_open:
            data, descriptors = self._outgoing[0]
            try:
                sent = send(self.socket, data, descriptors)
            except BlockingIOError:
                return False
            except OSError:
                self._outgoing.clear()  # it has died: what is received tells that
                return True
            if sent == len(data):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = (data[sent:], ())
        return True

    def receive(self) -> bool:
        """Take what is there; False when the worker has ended."""
        try:
            return self.reader.receive(self.socket, wait=False)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def finish(self) -> None:
        """Tell the worker that no more jobs come."""
        self.finished = True
        if self.is_open:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                return  # it has ended already

    def close(self) -> None:
        """Close the stream."""
        self.is_open = False
        self.reader.close()
        self.socket.close()


class Parent:
    """The process that forks the workers, and what it tells of their ends."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self.control = control
        self._reader = FrameReader()
        self._ended: dict[int, int] = {}

    def hear(self, *, wait: bool = False) -> bool:
        """Take what it tells; False when it is gone itself."""
        try:
            going_on = self._reader.receive(self.control, wait=wait)
        except BlockingIOError:
            return True  # what was there has been taken already
        except OSError:
            return False
        for frame in self._reader.frames():
            self._ended[frame.number] = msgspec.msgpack.decode(frame.body, type=int)
        return going_on

    def why_worker_ended(self, number: int) -> str:
        """Wait for the end of a worker of which the stream has ended, and say how it ended."""
        while number not in self._ended and self.hear(wait=True):
            continue
        if number in self._ended:
            return ending_of(self._ended[number])
        return self.why_ended()

    def why_ended(self) -> str:
        """Say how the parent itself ended."""
        return f"the parent of the workers is gone: {ending_of(self._process.wait())}"

    def end(self) -> None:
        """End it, which ends its workers."""
        self.control.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class WorkerProcesses:
    """The processes of a pool, which may be started before it is known what they work on.

    As a context manager it leaves none behind that no pool has taken.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._parent: Parent | None = None
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()
        if self._parent is not None:
            self._parent.end()

    def start(self) -> Parent:
        """Start the parent of the workers, unless it has started; do not wait for it."""
        if self._parent is not None:
            return self._parent
        pairs = [socket.socketpair() for _ in range(self._workers + 1)]
        theirs = [str(pair[1].fileno()) for pair in pairs]
        process = subprocess.Popen(
            [sys.executable, "-P", "-S", "-m", "appshield.repository.workers", *theirs],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[pair[1].fileno() for pair in pairs],
            # few arenas: what one thread frees is there for the others
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"},
        )
        for pair in pairs:
            pair[1].close()
        control, *self._sockets = (pair[0] for pair in pairs)
        self._parent = Parent(process, control)
        return self._parent

    def begin(
        self, setup: WorkerSetup, memory: Mapping[str, int]
    ) -> tuple[Parent, list[socket.socket]]:
        """Tell what to work on, and give the processes away; jobs may be sent at once.

        Raises:
            WorkerDiedError: they are gone already.
        """
        parent = self.start()
        start = msgspec.msgpack.encode(Start(setup=setup, memory=tuple(memory)))
        try:
            frame = Frame(0, 0, start, tuple(memory.values()))
            data = memoryview(frame.encoded())
            parent.control.sendall(data[send(parent.control, data, frame.descriptors) :])
        except OSError as error:
            parent.end()
            raise WorkerDiedError(f"their parent did not start: {error}") from error
        for one in self._sockets:
            one.setblocking(False)  # noqa: FBT003 - the signature of the standard library
        sockets, self._sockets, self._parent = self._sockets, [], None
        return parent, sockets
