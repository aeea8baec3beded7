"""A pool of worker processes, seen from the one thread that gives them work.

    with WorkerPool(setup, workers=2, memory={"index": descriptor}) as pool:
        pool.submit(job, (directory,), done=take)
        pool.drain()

Callbacks run in the caller's thread, inside `submit` and
`drain`, and may submit more. One loop sends and receives, and never waits for one of them alone:
two sides that both wait to send would wait for ever.
"""

import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from appshield.errors import AppShieldError
from appshield.repository.workers import jobs
from appshield.repository.workers.failures import Failure, WorkerDiedError
from appshield.repository.workers.framing import EVENT, FAILED, Frame
from appshield.repository.workers.peers import (
    END_S,
    JOBS_PER_WORKER,
    Given,
    Parent,
    Peer,
    WorkerProcesses,
)
from appshield.repository.workers.ports import Done
from appshield.repository.workers.setup import WorkerSetup

TICK_S: Final = 0.5
"""Longest wait without asking the caller whether to go on."""


class WorkerPool:
    """A JobPool of `workers` processes.

    `memory` are descriptors of shared memory for `WorkerContext.memory`. `on_event` takes what
    workers emit. `go_on` is asked before each wait, so before any answer is taken, and raises to
    stop. `processes` may have been started before; else they start with the first job. As a context
    manager it lets the workers end when the block did well, and kills them when it failed.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        workers: int,
        jobs_per_worker: int = JOBS_PER_WORKER,
        memory: Mapping[str, int] | None = None,
        on_event: Callable[[Any], None] = lambda _: None,
        go_on: Callable[[], None] = lambda: None,
        processes: WorkerProcesses | None = None,
    ) -> None:
        self._encode = jobs.encode
        self._decode = jobs.decode_answer
        self._setup = setup
        self._workers = workers
        self._jobs_per_worker = jobs_per_worker
        self._memory = dict(memory or {})
        self._on_event = on_event
        self._go_on = go_on
        self._processes = processes or WorkerProcesses(workers)
        self._selector = selectors.DefaultSelector()
        self._parent: Parent | None = None
        self._peers: list[Peer] = []
        self._waiting: deque[Given] = deque()
        self._calling_back = False
        self._failure: AppShieldError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.kill()

    @property
    def workers(self) -> int:
        """See JobPool."""
        return self._workers

    @property
    def started(self) -> bool:
        """Whether there are processes."""
        return self._parent is not None

    def start(self) -> None:
        """Start the processes now rather than with the first job; does not wait for them."""
        if self._parent is not None:
            return
        self._parent, sockets = self._processes.begin(self._setup, self._memory)
        self._selector.register(self._parent.control, selectors.EVENT_READ)
        for number, one in enumerate(sockets):
            self._peers.append(Peer(number, one, most_jobs=self._jobs_per_worker))
            self._selector.register(one, selectors.EVENT_READ, self._peers[-1])

    def submit(
        self,
        job: msgspec.Struct,
        descriptors: Sequence[int] = (),
        *,
        done: Done,
        to: int | None = None,
    ) -> None:
        """See JobPool; from a callback it never waits."""
        self._check()
        self.start()
        given = Given(self._encode(job), tuple(descriptors), done)
        (self._waiting if to is None else self._peers[to].waiting).append(given)
        self._hand_out()
        while not self._calling_back and self._has_waiting():
            self._turn(TICK_S)

    def drain(self) -> None:
        """See JobPool."""
        self._check()
        while any(peer.under_way for peer in self._peers) or self._has_waiting():
            self._turn(TICK_S)

    def wait(self) -> None:
        """See JobPool."""
        self._check()
        self._turn(TICK_S)

    def broadcast(self, job: msgspec.Struct, *, done: Done) -> None:
        """See JobPool."""
        for peer in self._peers:
            self.submit(job, done=done, to=peer.number)

    def close(self) -> None:
        """Let the workers end, and wait for that; what they still send is taken."""
        deadline = time.monotonic() + END_S
        for peer in self._peers:
            peer.finish()
        while self._failure is None and any(peer.is_open for peer in self._peers):
            if time.monotonic() > deadline:
                break
            self._receive(TICK_S)
        self.kill()

    def kill(self) -> None:
        """End the workers at once; what they have sent already is still taken."""
        if self._failure is None and self._parent is not None:
            self._receive(0)
        for peer in self._peers:
            peer.close()
        if self._parent is not None:
            self._parent.end()
            self._parent = None
        self._peers.clear()
        self._waiting.clear()
        self._selector.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _has_waiting(self) -> bool:
        return bool(self._waiting) or any(peer.waiting for peer in self._peers)

    def _hand_out(self) -> None:
        """Give waiting jobs to workers that have room, least busy first."""
        for peer in self._peers:
            while peer.waiting and peer.has_room:
                self._give(peer, peer.waiting.popleft())
        while self._waiting:
            peer = min(self._peers, key=lambda each: len(each.under_way))
            if not peer.has_room:
                return
            self._give(peer, self._waiting.popleft())

    def _give(self, peer: Peer, given: Given) -> None:
        peer.queue(given)
        self._send(peer)

    def _send(self, peer: Peer) -> None:
        wanted = selectors.EVENT_READ
        if not peer.send():
            wanted |= selectors.EVENT_WRITE
        if peer.is_open and self._selector.get_key(peer.socket).events != wanted:
            self._selector.modify(peer.socket, wanted, peer)

    def _turn(self, timeout_s: float) -> None:
        self._go_on()
        self._receive(timeout_s)
        self._check()
        self._hand_out()

    def _receive(self, timeout_s: float) -> None:
        for key, events in self._selector.select(timeout_s):
            if key.data is None:
                self._hear_of_end()
                continue
            peer: Peer = key.data
            if events & selectors.EVENT_WRITE:
                self._send(peer)
            if events & selectors.EVENT_READ:
                self._take(peer)

    def _take(self, peer: Peer) -> None:
        if not peer.receive():
            self._selector.unregister(peer.socket)
            peer.close()
            if not peer.finished or peer.under_way:
                self._failure = self._failure or WorkerDiedError(self._why_ended(peer.number))
            return
        for frame in peer.reader.frames():
            self._handle(peer, frame)

    def _handle(self, peer: Peer, frame: Frame) -> None:
        if frame.kind == FAILED:
            peer.under_way.pop(frame.number)
            failure = msgspec.msgpack.decode(frame.body, type=Failure)
            self._failure = self._failure or failure.error()
            return
        answer = self._decode(frame.body)
        self._calling_back = True
        try:
            if frame.kind == EVENT:
                self._on_event(answer)
            elif self._failure is None:
                peer.under_way.pop(frame.number)(answer)
        finally:
            self._calling_back = False

    def _hear_of_end(self) -> None:
        assert self._parent is not None
        if not self._parent.hear():
            self._selector.unregister(self._parent.control)
            if not all(peer.finished for peer in self._peers):
                self._failure = self._failure or WorkerDiedError(self._parent.why_ended())

    def _why_ended(self, number: int) -> str:
        """Return how a worker ended, of which the stream has ended."""
        assert self._parent is not None
        return self._parent.why_worker_ended(number)
