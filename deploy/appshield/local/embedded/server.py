"""A server that AppShield brings along: one process in a private folder of its own.

    folder/lock           who runs here
    folder/address.json   its ports, kept across restarts
    folder/server.log     what it says
    folder/data/          what it keeps

A second one on the same folder is refused. A server whose owner was killed is found by the next
owner, stopped and replaced.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from appshield.local.embedded.folder_lock import FolderLock
from appshield.local.embedded.process import OwnedProcess

LOG_BYTES_MAX = 16 * 1024 * 1024
"""A longer log is begun anew at the next start; the one before is kept."""


class EmbeddedServer(ABC):
    """One server with its data in `folder`; an async context manager, or `start` and `stop`.

    `environment` is all that it sees of one.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        environment: Mapping[str, str],
        ready_deadline_s: float,
        stop_deadline_s: float,
    ) -> None:
        self.name = name
        self.address_changed = False
        """Whether the last start had to take other ports than the one before."""
        self._folder = folder.absolute()
        self._environment = environment
        self._ready_deadline_s = ready_deadline_s
        self._stop_deadline_s = stop_deadline_s
        self._lock = FolderLock(self._folder, name)
        self._process: OwnedProcess | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def log_file(self) -> Path:
        """Where the server's log is."""
        return self._folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the server and return when it serves.

        Raises:
            RefusedError: it runs in this folder already.
            UnavailableError, DeadlineError: it did not come up; the message shows its log.
        """
        for folder in (self._folder, self._folder / "data"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        await self._lock.acquire()
        try:
            await self._run(self._prepare())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server; what it confirmed is there at the next start."""
        try:
            if self._process is not None:
                await self._process.stop(self._stop_deadline_s)
                for file in self._left_outside():
                    file.unlink(missing_ok=True)
        finally:
            self._lock.release()

    async def wait(self) -> int:
        """Wait for the server's end; return its exit code, negative for a signal."""
        return await self._process.wait() if self._process else 0

    def kill(self) -> None:
        """End the server at once, without a chance to clean up."""
        if self._process is not None:
            self._process.kill()

    @abstractmethod
    def _prepare(self) -> Sequence[str]:
        """Write what the server reads into its folder, and return its command line."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether this very server serves."""

    def _left_outside(self) -> Iterable[Path]:
        """Name files that a server which was killed leaves outside its folder."""
        return ()

    async def _run(self, command: Sequence[str]) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES_MAX:
            self.log_file.replace(self.log_file.with_suffix(".log.before"))
        self._process = OwnedProcess(
            self.name,
            command,
            log_file=self.log_file,
            environment=self._environment,
            folder=self._folder,
            inherit=[self._lock.descriptor],
        )
        await self._process.start()
        if self._process.pid is not None:
            self._lock.record_server(self._process.pid)
        await self._process.wait_ready(self._answers, self._ready_deadline_s)
