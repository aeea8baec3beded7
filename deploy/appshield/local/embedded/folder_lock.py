"""The right to run one server in one data folder.

The server inherits the lock, so it lasts as long as anybody uses the folder: the owner or the
server itself. A server whose owner was killed is found by the next owner, stopped and replaced.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
from pathlib import Path

import msgspec

from appshield.errors import RefusedError
from appshield.local.embedded.process import pause_s

ORPHAN_DEADLINE_S = 15.0
"""How long a server whose owner died may take to stop before it is killed."""


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for a later one with the same id."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of a living process."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = stat.rpartition(")")[2].split()
        return None if state in "ZX" else cls(pid, int(fields[18]))

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process, if it still runs."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Holders(msgspec.Struct, frozen=True):
    """What the lock file says about who uses the folder."""

    owner: ProcessIdentity | None = None
    server: ProcessIdentity | None = None


def running_server(folder: Path) -> ProcessIdentity | None:
    """Find the server that uses a folder at this moment, whoever owns it."""
    try:
        server = msgspec.json.decode((folder / "lock").read_bytes(), type=_Holders).server
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return server if server is not None and server.alive() else None


class FolderLock:
    """The right to run one server in one folder; `descriptor` is to be inherited by it."""

    def __init__(self, folder: Path, what: str) -> None:
        self._path = folder / "lock"
        self._what = what
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open lock file."""
        if self._descriptor is None:
            raise RefusedError(f"the folder of {self._what} is not locked")
        return self._descriptor

    async def acquire(self) -> None:
        """Take the folder, and stop a server that lost its owner.

        Raises:
            RefusedError: somebody alive uses the folder.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._write(_Holders(owner=ProcessIdentity.of(os.getpid())))

    def record_server(self, pid: int) -> None:
        """Note the server that now uses the folder, so that a later owner can find it."""
        self._write(_Holders(ProcessIdentity.of(os.getpid()), ProcessIdentity.of(pid)))

    def release(self) -> None:
        """Give our share of the lock back; a server that still runs keeps its own."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    async def _take(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        attempt = 0
        asked: ProcessIdentity | None = None
        while not _locked(descriptor):
            holders = self._read(descriptor)
            waited_s = loop.time() - begun
            if (holders.owner and holders.owner.alive()) or waited_s > 2 * ORPHAN_DEADLINE_S:
                pid = holders.owner.pid if holders.owner else "unknown"
                raise RefusedError(
                    f"{self._what} already runs in {self._path.parent}",
                    why=f"process {pid} holds it",
                    next_step="Stop it first, or let APPSHIELD_HOME name another folder",
                )
            if holders.server and waited_s > ORPHAN_DEADLINE_S:
                holders.server.signal(signal.SIGKILL)
            elif holders.server and asked != holders.server:
                asked = holders.server
                asked.signal(signal.SIGTERM)
            await asyncio.sleep(pause_s(attempt))
            attempt += 1

    def _read(self, descriptor: int) -> _Holders:
        try:
            return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=_Holders)
        except msgspec.DecodeError:
            return _Holders()

    def _write(self, holders: _Holders) -> None:
        text = msgspec.json.encode(holders)
        os.pwrite(self.descriptor, text, 0)
        os.ftruncate(self.descriptor, len(text))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
