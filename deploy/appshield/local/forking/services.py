"""The parent of the services as its owner sees it, and the services: its forks, or itself."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from appshield.errors import RefusedError, UnavailableError
from appshield.local.embedded.process import OwnedProcess
from appshield.local.forking.orders import (
    MESSAGE_BYTES_MAX,
    Become,
    Ended,
    Fork,
    Forked,
    Told,
    buried,
)
from appshield.local.programs import command_of_parent

NAME = "the parent of the services"
STOP_DEADLINE_S = 5.0


class Child:
    """A process that the parent has forked; it can be asked for its end, whoever buries it."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._descriptor = descriptor

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process, if it still runs."""
        if not self.code.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def ended(self, code: int) -> None:
        """Take note of its exit code."""
        if not self.code.done():
            self.code.set_result(code)
            os.close(self._descriptor)

    async def orphaned(self) -> None:
        """Wait for its end when nobody will tell: the parent is gone, so it was asked to stop."""
        await _readable(self._descriptor)
        self.ended(-signal.SIGTERM)


class OwnFork:
    """A process that this one has forked itself, and buries."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._code: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._pid if self._code is None else None

    async def wait(self) -> int:
        """Wait for its end; return the exit code, negative for the signal that ended it."""
        if self._code is None:
            await _readable(self._descriptor)
            self._bury()
        assert self._code is not None
        return self._code

    async def stop(self, deadline_s: float) -> None:
        """Ask it to end and wait; kill it when it has not ended after `deadline_s`."""
        if self._code is not None:
            return
        signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline_s):
                await self.wait()
        except TimeoutError:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            await self.wait()

    def _bury(self) -> None:
        if self._code is None:  # whoever waits beside us may have been first
            self._code = buried(self._descriptor)
            os.close(self._descriptor)


class ServiceParent:
    """Forks services; when its process is gone, the next fork starts another one.

    `forked` is the process that it begins with, forked by this one, and the socket to it.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        log_file: Path,
        forked: tuple[int, socket.socket] | None = None,
    ) -> None:
        self._environment = dict(environment)
        self._log_file = log_file
        self._first = forked
        self._turn = asyncio.Lock()
        self._process: OwnedProcess | OwnFork | None = None
        self._control: socket.socket | None = None
        self._forked: asyncio.Future[Child] | None = None
        self._children: dict[int, Child] = {}
        self._orphans: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start its process unless it runs; orders wait until it has imported the services."""
        if self._control is not None:
            return
        if self._process is not None:
            await self._process.stop(STOP_DEADLINE_S)
        if self._first is not None:
            pid, ours = self._first
            self._process, self._first = OwnFork(pid), None
        else:
            self._process, ours = await self._started()
        ours.setblocking(False)  # noqa: FBT003 - the signature of the standard library
        self._control = ours
        asyncio.get_running_loop().add_reader(ours, self._hear, ours)

    async def _started(self) -> tuple[OwnedProcess, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = OwnedProcess(
                NAME,
                command_of_parent(theirs.fileno()),
                log_file=self._log_file,
                environment=self._environment,
                inherit=[theirs.fileno()],
            )
            try:
                await process.start()
            except BaseException:
                ours.close()
                raise
        return process, ours

    async def fork(self, order: Fork) -> Child:
        """Start a service.

        Raises:
            UnavailableError: the parent died before it had.
        """
        async with self._turn:
            await self.start()
            assert self._control is not None
            loop = asyncio.get_running_loop()
            self._forked = loop.create_future()
            await loop.sock_sendall(self._control, msgspec.msgpack.encode(order))
            return await self._forked

    async def become(self, order: Become) -> OwnedProcess | OwnFork:
        """Let its process be the services; it is nobody's parent then, and the caller's to stop."""
        async with self._turn:
            await self.start()
            assert self._control is not None
            assert self._process is not None
            control, process = self._control, self._process
            with contextlib.suppress(ConnectionError):  # it has died: its end is told
                await asyncio.get_running_loop().sock_sendall(
                    control, msgspec.msgpack.encode(order)
                )
            if self._control is control:
                self._lose(control)
            self._process = None
            return process

    async def stop(self) -> None:
        """End its process; services that still run are asked to stop by the kernel."""
        if self._control is not None:
            self._lose(self._control)
        if self._process is not None:
            await self._process.stop(STOP_DEADLINE_S)
        await asyncio.gather(*self._orphans)

    def _hear(self, control: socket.socket) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES_MAX, 1)
        except BlockingIOError:
            return
        except OSError:
            packet, descriptors = b"", []
        if not packet:
            self._lose(control)
            return
        match msgspec.msgpack.decode(packet, type=Told):
            case Forked(pid):
                child = self._children[pid] = Child(pid, descriptors[0])
                if self._forked is not None and not self._forked.done():
                    self._forked.set_result(child)
                else:  # whoever asked has gone
                    child.signal(signal.SIGTERM)
            case Ended(pid, code):
                self._children.pop(pid).ended(code)

    def _lose(self, control: socket.socket) -> None:
        """Give up a process that is gone; its services were asked to stop, and do."""
        asyncio.get_running_loop().remove_reader(control)
        control.close()
        self._control = None
        if self._forked is not None and not self._forked.done():
            self._forked.set_exception(
                UnavailableError(f"{NAME} ended early", why=f"its log is {self._log_file}")
            )
        for child in self._children.values():
            task = asyncio.get_running_loop().create_task(child.orphaned(), name="orphan")
            self._orphans.add(task)
            task.add_done_callback(self._orphans.discard)
        self._children.clear()


class ForkedService:
    """One service, from its start to its end; it can be started again."""

    def __init__(
        self, name: str, parent: ServiceParent, *, environment: Mapping[str, str], log_file: Path
    ) -> None:
        self.name = name
        self._parent = parent
        self._order = Fork(name, dict(environment), str(log_file))
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and self.running else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and not self._child.code.done()

    async def start(self) -> None:
        """Start the service; it may not be ready yet when this returns."""
        if self.running:
            raise RefusedError(f"{self.name} runs already as process {self.pid}")
        Path(self._order.log_file).parent.mkdir(parents=True, exist_ok=True)
        self._child = await self._parent.fork(self._order)

    async def wait(self) -> int:
        """Wait for the end; return the exit code, negative for the signal that ended it."""
        if self._child is None:
            raise RefusedError(f"{self.name} was not started")
        return await asyncio.shield(self._child.code)

    async def stop(self, deadline_s: float) -> None:
        """Ask it to end and wait; kill it when it has not ended after `deadline_s`."""
        if self._child is None:
            return
        self._child.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(deadline_s):
                await self.wait()
        except TimeoutError:
            self._child.signal(signal.SIGKILL)
            await self.wait()


class ServicesTogether:
    """All services as one process, from its start to its end; it can be started again."""

    name = "services"

    def __init__(
        self, parent: ServiceParent, environments: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._parent = parent
        self._order = Become({name: dict(one) for name, one in environments.items()})
        self._process: OwnedProcess | OwnFork | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the services; they may not be ready yet when this returns."""
        if self.pid is not None:
            raise RefusedError(f"{self.name} run already as process {self.pid}")
        self._process = await self._parent.become(self._order)

    async def wait(self) -> int:
        """Wait for the end; return the exit code, negative for the signal that ended it."""
        if self._process is None:
            raise RefusedError(f"{self.name} were not started")
        return await self._process.wait()

    async def stop(self, deadline_s: float) -> None:
        """Ask it to end and wait; kill it when it has not ended after `deadline_s`."""
        if self._process is not None:
            await self._process.stop(deadline_s)


async def _readable(descriptor: int) -> None:
    """Wait for something to read: of the descriptor of a process, its end."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
