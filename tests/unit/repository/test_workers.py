"""Worker processes: jobs reach them, replies come back, and none is left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from appshield.errors import NotFoundError
from appshield.objectstore import FolderAccess, MemoryObjectStore
from appshield.repository.crypto import SealingKey
from appshield.repository.keys import KeyParts
from appshield.repository.settings import PackSettings
from appshield.repository.workers import jobs
from appshield.repository.workers.context import WorkerContext
from appshield.repository.workers.failures import Failure, WorkerDiedError
from appshield.repository.workers.framing import Frame, FrameReader, send_whole
from appshield.repository.workers.jobs import Echo, Echoed
from appshield.repository.workers.local import LocalPool
from appshield.repository.workers.peers import WorkerProcesses
from appshield.repository.workers.pool import WorkerPool
from appshield.repository.workers.ports import JobPool, Work
from appshield.repository.workers.serving import serve
from appshield.repository.workers.setup import WorkerSetup
from file_trees import open_descriptors
from waiting import wait_until

KEY = SealingKey.random()


def setup_in(folder: Path) -> WorkerSetup:
    return WorkerSetup(store=FolderAccess(str(folder)), key=KeyParts.of(KEY))


@pytest.fixture(params=["local", "processes"])
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobPool]:
    if request.param == "local":
        context = WorkerContext(
            store=MemoryObjectStore(), key=KEY, packs=PackSettings(), emit=lambda _: None, memory={}
        )
        yield LocalPool(partial(jobs.run, context))
        return
    with WorkerPool(setup_in(tmp_path), workers=2) as pool:
        yield pool


def children(of: int) -> list[int]:
    found = Path(f"/proc/{of}/task/{of}/children").read_text()
    return [int(pid) for pid in found.split()]


def test_each_job_is_answered(pool: JobPool) -> None:
    """Small and large ones, all of them, before `drain` returns."""
    contents = [os.urandom(size) for size in (0, 1, 100_000, 3_000_000)] * 3
    answered: list[bytes] = []
    for content in contents:
        pool.submit(Echo(content), done=lambda reply: answered.append(reply.content))
    pool.drain()
    assert sorted(answered) == sorted(contents)


def test_processes_may_be_started_before_it_is_known_what_they_work_on(tmp_path: Path) -> None:
    """Those that a pool has taken are its own; the others end with the block."""
    before = set(children(os.getpid()))
    answered: list[int] = []
    with WorkerProcesses(2) as processes, WorkerProcesses(2):
        assert len(set(children(os.getpid())) - before) == 2
        with WorkerPool(setup_in(tmp_path), workers=2, processes=processes) as pool:
            for _ in range(4):
                pool.submit(Echo(), done=lambda reply: answered.append(reply.number))
            pool.drain()
            assert len(set(children(os.getpid())) - before) == 2
    assert set(answered) == {0, 1}
    assert set(children(os.getpid())) == before


def test_jobs_may_come_of_jobs(pool: JobPool) -> None:
    """A callback submits more without waiting, and `drain` waits for that too."""
    left = 50

    def more(_: Echoed) -> None:
        nonlocal left
        left -= 1
        if left:
            pool.submit(Echo(), done=more)

    pool.submit(Echo(), done=more)
    pool.drain()
    assert left == 0


def test_a_job_may_be_for_one_worker(pool: JobPool) -> None:
    """What belongs together is done by the same one."""
    numbers: list[int] = []
    for _ in range(20):
        pool.submit(Echo(), done=lambda reply: numbers.append(reply.number), to=pool.workers - 1)
    pool.drain()
    assert numbers == [pool.workers - 1] * 20


def test_all_workers_are_used(tmp_path: Path) -> None:
    """Jobs go to whoever has least to do; a broadcast reaches each of them once."""
    with WorkerPool(setup_in(tmp_path), workers=3) as pool:
        numbers: set[int] = set()
        for _ in range(30):
            pool.submit(Echo(bytes(100_000)), done=lambda reply: numbers.add(reply.number))
        pool.drain()
        told: list[int] = []
        pool.broadcast(Echo(), done=lambda reply: told.append(reply.number))
        pool.drain()
    assert numbers == {0, 1, 2}
    assert sorted(told) == [0, 1, 2]


def test_nothing_is_started_for_no_work(tmp_path: Path) -> None:
    """A pool that is not used costs nothing."""
    before = children(os.getpid())
    with WorkerPool(setup_in(tmp_path), workers=2) as pool:
        pool.drain()
        pool.broadcast(Echo(), done=lambda _: None)
        assert children(os.getpid()) == before


def test_no_process_and_no_descriptor_is_left(tmp_path: Path) -> None:
    """After a good end and after a failure."""
    before = (children(os.getpid()), open_descriptors())
    with WorkerPool(setup_in(tmp_path), workers=2) as pool:
        pool.submit(Echo(), done=lambda _: None)
        pool.drain()
    with pytest.raises(ValueError, match="ours"), WorkerPool(setup_in(tmp_path), workers=2) as pool:
        echo_and_fail(pool)
    assert (children(os.getpid()), open_descriptors()) == before


def echo_often(pool: JobPool, content: bytes = b"") -> None:
    for _ in range(1000):
        pool.submit(Echo(content), done=lambda _: None)
    pool.drain()


def echo_and_fail(pool: JobPool) -> None:
    pool.submit(Echo(), done=lambda _: None)
    raise ValueError("ours")


def parent_of_workers() -> int:
    """Return the one process of ours that is a pool's; the suite may have servers beside it."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(os.getpid())}
    (parent,) = [pid for pid, line in commands.items() if b"appshield.repository.workers" in line]
    return parent


def workers_of() -> list[int]:
    return children(parent_of_workers())


def test_the_end_of_a_worker_is_one_clear_error(tmp_path: Path) -> None:
    """Told by the next call, and by each later one."""
    with WorkerPool(setup_in(tmp_path), workers=2) as pool:
        pool.submit(Echo(), done=lambda _: None)
        pool.drain()
        os.kill(workers_of()[0], signal.SIGKILL)
        with pytest.raises(WorkerDiedError, match="killed by SIGKILL"):
            echo_often(pool)
        with pytest.raises(WorkerDiedError):
            pool.drain()


def test_the_end_of_their_parent_is_one_clear_error(tmp_path: Path) -> None:
    """And ends the workers."""
    with WorkerPool(setup_in(tmp_path), workers=2) as pool:
        pool.submit(Echo(), done=lambda _: None)
        pool.drain()
        os.kill(parent_of_workers(), signal.SIGKILL)
        with pytest.raises(WorkerDiedError):
            echo_often(pool)


CALLER = """
import sys, time
from pathlib import Path
from appshield.repository.workers.pool import WorkerPool
from appshield.repository.workers.jobs import Echo
from test_workers import setup_in
pool = WorkerPool(setup_in(Path(sys.argv[1])), workers=2)
pool.start()
pool.broadcast(Echo(), done=lambda _: None)
pool.drain()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has used a pool and does not end."""
    path = [str(Path(__file__).parent), *sys.path]
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
    ) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"ready\n"
        yield caller
        caller.kill()


async def test_workers_die_with_the_caller(caller: subprocess.Popen[bytes]) -> None:
    """Even when it is killed."""
    (parent,) = children(caller.pid)
    processes = [parent, *children(parent)]
    assert len(processes) == 3
    caller.kill()
    await wait_until(lambda: not any(map(is_alive, processes)), deadline_s=10, what="their end")


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def answered_by(folder: Path, contents: list[bytes]) -> list[bytes]:
    """Let a worker find these jobs, all at once and no more; return its answers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for number, content in enumerate(contents):
            send_whole(ours, Frame(number, 0, jobs.encode(Echo(content))))
        ours.shutdown(socket.SHUT_WR)
        serve(theirs, setup_in(folder), {}, number=0, workers=1)
        theirs.shutdown(socket.SHUT_WR)
        reader = FrameReader()
        while reader.receive(ours):
            continue
        return [jobs.decode_answer(frame.body).content for frame in reader.frames()]


def test_the_next_job_is_begun_while_one_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one, of a kind that can be; the answers keep the order of the jobs."""
    steps: list[bytes] = []

    def in_two_steps(context: WorkerContext, job: Echo, _: tuple[int, ...]) -> Work[Echoed]:
        steps.append(b"begin " + job.content)
        yield
        steps.append(b"end " + job.content)
        return Echoed(context.number, job.content)

    monkeypatch.setattr(jobs, "HANDLERS", {Echo: in_two_steps})
    assert answered_by(tmp_path, [b"1", b"2", b"3"]) == [b"1", b"2", b"3"]
    assert steps == [b"begin 1", b"begin 2", b"end 1", b"begin 3", b"end 2", b"end 3"]


def test_an_error_keeps_its_kind_and_its_words() -> None:
    """A subclass that is not known here becomes the nearest one that is."""

    class OnlyThereError(NotFoundError):
        def __init__(self) -> None:
            super().__init__("what", why="why", next_step="next")

    sent = Failure.of(OnlyThereError())
    error = Failure(sent.kinds[1:], sent.what, sent.why, sent.next_step).error()
    assert type(error) is NotFoundError
    assert str(error) == "what: why. next"
    assert "ZeroDivisionError: no" in str(Failure.of(ZeroDivisionError("no")).error())


def test_a_caller_can_stop_while_it_waits(tmp_path: Path) -> None:
    """`go_on` is asked in each turn."""
    asked = 0

    def go_on() -> None:
        nonlocal asked
        asked += 1
        if asked > 3:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        WorkerPool(setup_in(tmp_path), workers=1, go_on=go_on) as pool,
    ):
        echo_often(pool, bytes(100_000))


def test_a_setup_shows_no_secret(tmp_path: Path) -> None:
    """Neither in a log nor in an error."""
    setup = setup_in(tmp_path)
    assert repr(KEY.encrypt) not in repr(setup)
    assert "parts of a sealing key" in repr(setup)
