"""The inside of a worker process: take a job, do it, answer; end when the caller is gone."""

import os
import socket
import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec

from appshield.repository.workers import jobs
from appshield.repository.workers.context import WorkerContext
from appshield.repository.workers.failures import Failure
from appshield.repository.workers.framing import DONE, EVENT, FAILED, Frame, FrameReader, send_whole
from appshield.repository.workers.ports import Work
from appshield.repository.workers.setup import WorkerSetup

BEGUN_MAX: Final = 2
"""Jobs that are begun at a time: one at work, and one that waits for what it has asked for."""


def serve(
    peer: socket.socket,
    setup: WorkerSetup,
    memory: Mapping[str, int],
    *,
    number: int,
    workers: int,
) -> None:
    """Do jobs until the stream ends; uploads under way are then awaited.

    While one is at work the next is begun, if it is there and of a kind that can be.
    """
    answers = _Answers(peer)
    context = WorkerContext.from_setup(setup, memory, answers.emit, number=number, workers=workers)
    incoming = _Incoming(peer)
    begun: deque[_Job] = deque()
    try:
        while True:
            while len(begun) < BEGUN_MAX and (frame := incoming.next(wait=not begun)):
                job = _Job(context, frame, answers)
                if not job.go_on():
                    begun.append(job)
            if not begun:
                return
            begun.popleft().finish()
    except ConnectionError:
        return  # the caller is gone, nobody wants the answer
    finally:
        incoming.close()
        context.close()


class _Incoming:
    """Jobs as they come."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._ended = False

    def next(self, *, wait: bool) -> Frame | None:
        """Return the next job; None if there is none, now or, after waiting, for ever."""
        while not (self._frames or self._ended):
            try:
                self._ended = not self._reader.receive(self._peer, wait=wait)
            except BlockingIOError:
                return None
            self._frames.extend(self._reader.frames())
        return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        """Let go of what nobody will do."""
        self._reader.close()


class _Job:
    """One job at work, up to its answer."""

    def __init__(self, context: WorkerContext, frame: Frame, answers: "_Answers") -> None:
        self._frame = frame
        self._answers = answers
        self._work = self._decoded_and_done(context)

    def go_on(self) -> bool:
        """Go on to where another job may be begun; return whether it is done, and answered."""
        try:
            next(self._work)
        except StopIteration as ended:
            self._answer(DONE, ended.value)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - the loop of the process; the caller raises it
            self._answer(FAILED, Failure.of(error))
        else:
            return False
        return True

    def finish(self) -> None:
        """Do all that is left."""
        while not self.go_on():
            continue

    def _decoded_and_done(self, context: WorkerContext) -> Work[jobs.Reply]:
        job = jobs.decode_job(self._frame.body)
        return (yield from jobs.work_on(context, job, self._frame.descriptors))

    def _answer(self, kind: int, content: msgspec.Struct | None) -> None:
        try:
            self._answers.send(self._frame.number, kind, content)
        finally:
            for descriptor in self._frame.descriptors:
                os.close(descriptor)


class _Answers:
    """Sends messages, whole, from any thread."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._sending = threading.Lock()

    def send(self, number: int, kind: int, content: msgspec.Struct | None) -> None:
        frame = Frame(number, kind, jobs.encode(content))
        with self._sending:
            send_whole(self._peer, frame)

    def emit(self, event: msgspec.Struct) -> None:
        self.send(0, EVENT, event)
