"""The inside of a worker process: take a job, do it, answer; end when the caller is gone."""

import os
import socket
import threading
from collections.abc import Mapping

import msgspec

from appshield.errors import AppShieldError
from appshield.repository.workers import jobs
from appshield.repository.workers.context import WorkerContext
from appshield.repository.workers.failures import Failure
from appshield.repository.workers.framing import DONE, EVENT, FAILED, Frame, FrameReader, send_whole
from appshield.repository.workers.setup import WorkerSetup


def serve(
    peer: socket.socket,
    setup: WorkerSetup,
    memory: Mapping[str, int],
    *,
    number: int,
    workers: int,
) -> None:
    """Do jobs until the stream ends; uploads under way are then awaited."""
    answers = _Answers(peer)
    context = WorkerContext.from_setup(setup, memory, answers.emit, number=number, workers=workers)
    reader = FrameReader()
    try:
        while reader.receive(peer):
            for frame in reader.frames():
                _do(context, frame, answers)
    except ConnectionError:
        return  # the caller is gone, nobody wants the answer
    finally:
        reader.close()
        context.close()


def _do(context: WorkerContext, frame: Frame, answers: "_Answers") -> None:
    try:
        job = jobs.decode_job(frame.body)
        reply = jobs.run(context, job, frame.descriptors)
        answers.send(frame.number, DONE, reply)
    except ConnectionError:
        raise
    except AppShieldError as error:
        answers.send(frame.number, FAILED, Failure.of(error))
    except Exception as error:  # noqa: BLE001 - the loop of the process; the caller raises it
        answers.send(frame.number, FAILED, Failure.of(error))
    finally:
        for descriptor in frame.descriptors:
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
