"""The parent of the workers: a small process that forks them, all alike, and tells how they end.

    python -m appshield.repository.workers CONTROL SOCKET...

It has imported what workers need before it forks, so that they share that memory, and has never
had a thread. It dies with its own parent, and its workers with it.
"""

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Final, NoReturn

import msgspec

from appshield.repository.workers.framing import Frame, FrameReader, send_whole
from appshield.repository.workers.serving import serve
from appshield.repository.workers.setup import Start

PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str]) -> int:
    """Fork one worker for each socket and wait until the caller is gone or all have ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides when to stop
    control, *peers = (socket.socket(fileno=int(number)) for number in arguments)
    frame = _receive(control)
    if frame is None:
        return 0
    start = msgspec.msgpack.decode(frame.body, type=Start)
    memory = dict(zip(start.memory, frame.descriptors, strict=True))
    gc.collect()
    gc.freeze()  # a collection in a worker must not touch, and so copy, what is shared
    workers: dict[int, int] = {}
    parent = os.getpid()
    for number, peer in enumerate(peers):
        pid = os.fork()
        if not pid:
            _become_worker(parent, peer, {control, *peers} - {peer})
            _work(start, memory, peer, number=number, workers=len(peers))
        workers[os.pidfd_open(pid)] = number
    for peer in peers:
        peer.close()
    _watch(control, workers)
    return 0


def _become_worker(parent: int, peer: socket.socket, others: set[socket.socket]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)
    for other in others:
        other.close()
    peer.setblocking(True)  # noqa: FBT003 - the signature of the standard library


def _work(
    start: Start, memory: dict[str, int], peer: socket.socket, *, number: int, workers: int
) -> NoReturn:
    """Serve, and end without what a fork must not do: cleaning up what its parent has made."""
    status = 1
    try:
        serve(peer, start.setup, memory, number=number, workers=workers)
        status = 0
    except BaseException:  # noqa: BLE001 - the last line of the process; the pool tells of its end
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _receive(control: socket.socket) -> Frame | None:
    reader = FrameReader()
    while reader.receive(control):
        for frame in reader.frames():
            return frame
    return None


def _watch(control: socket.socket, workers: dict[int, int]) -> None:
    """Tell the end of each worker; end all of them when the caller is gone."""
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        for ending in workers:
            selector.register(ending, selectors.EVENT_READ)
        while workers:
            for key, _ in selector.select():
                if key.fileobj is control:
                    _end_all(workers)
                    return
                selector.unregister(key.fileobj)
                _tell_end(control, key.fd, workers.pop(key.fd))


def _end_all(workers: dict[int, int]) -> None:
    for ending in workers:
        signal.pidfd_send_signal(ending, signal.SIGKILL)
    for ending in workers:
        os.waitid(os.P_PIDFD, ending, os.WEXITED)


def _tell_end(control: socket.socket, ending: int, number: int) -> None:
    ended = os.waitid(os.P_PIDFD, ending, os.WEXITED)
    os.close(ending)
    assert ended is not None
    status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    with contextlib.suppress(ConnectionError):  # the caller is gone, which is seen next
        send_whole(control, Frame(number, 0, msgspec.msgpack.encode(status)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
