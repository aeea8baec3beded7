"""Owning a server that AppShield starts itself: its program, its process and its ports.

`OwnedProcess` starts a program in a process group of its own, so that Ctrl-C reaches it through
us and not from the terminal, and ends nothing but that process.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

from appshield.errors import DeadlineError, NotFoundError, RefusedError, UnavailableError

LOOPBACK = "127.0.0.1"

LOG_TAIL_LINES = 15
"""How much of a server's log goes into the error about its end."""

FIRST_PORT = 10_240
"""Lowest port to choose: above the range of well-known services."""


def program(name: str) -> Path:
    """Return the path of a program that a wheel put beside this Python, not one from PATH.

    Raises:
        NotFoundError: this installation does not have it.
    """
    folders = (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent)
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return folder / name
    raise NotFoundError(
        f"the program {name} is missing from this installation",
        why=f"it is not in {folders[0]}",
        next_step="Install AppShield again with its dependencies",
    )


def free_port(host: str = LOOPBACK, *, besides: Iterable[int] = (), last: int | None = None) -> int:
    """Return a port that nobody listens on and that no outgoing connection will take.

    Ports below the range from which the kernel serves outgoing connections stay free while the
    server is down, so that it keeps its address across restarts.
    """
    taken = set(besides)
    last = min(last or 65_535, _first_outgoing_port() - 1)
    for _ in range(200):
        port = random.randint(FIRST_PORT, last)  # noqa: S311 - not a secret
        if port not in taken and port_is_free(port, host):
            return port
    raise UnavailableError(f"no free port between {FIRST_PORT} and {last} was found on {host}")


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


class OwnedProcess:
    """One program, from its start to its end.

    Its output goes to the end of `log_file`. `environment` is all that it sees of an environment,
    None means ours; `folder` is where it runs; `inherit` are descriptors that it shares.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        inherit: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = tuple(command)
        self._environment = environment
        self._folder = folder
        self._inherit = tuple(inherit)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the program; it may not be ready yet when this returns."""
        if self.running:
            raise RefusedError(f"{self.name} runs already as process {self.pid}")
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                process_group=0,
                pass_fds=self._inherit,
            )
        except OSError as error:
            raise UnavailableError(
                f"{self.name} cannot be started", why=f"{self._command[0]}: {error.strerror}"
            ) from error
        finally:
            os.close(log)

    async def wait_ready(self, check: Callable[[], Awaitable[bool]], deadline_s: float) -> None:
        """Return as soon as `check` says yes.

        Raises:
            UnavailableError: the program ended instead; the message shows the end of its log.
            DeadlineError: it runs, but was not ready in time.
        """
        try:
            async with asyncio.timeout(deadline_s):
                attempt = 0
                while not await check():
                    await self._pause(pause_s(attempt))
                    attempt += 1
        except TimeoutError as error:
            raise DeadlineError(
                f"{self.name} was not ready within {deadline_s:.0f} s",
                why=self._last_words(),
            ) from error

    async def wait(self) -> int:
        """Wait for the end; return the exit code, negative for the signal that ended it."""
        if self._process is None:
            raise RefusedError(f"{self.name} was not started")
        return await self._process.wait()

    async def stop(self, deadline_s: float) -> None:
        """Ask it to end and wait; kill it when it has not ended after `deadline_s`."""
        if self._process is None:
            return
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        try:
            async with asyncio.timeout(deadline_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """Kill it at once, without a chance to clean up."""
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _pause(self, seconds: float) -> None:
        """Wait, but raise at once when the program ends meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                code = await self.wait()
        except TimeoutError:
            return
        ending = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        raise UnavailableError(f"{self.name} ended early, with {ending}", why=self._last_words())

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            text = self.log_file.read_bytes()[-16_384:].decode(errors="replace")
            return "its log ends:\n" + "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
        return f"its log {self.log_file} cannot be read"


def pause_s(attempt: int) -> float:
    """How long to wait before looking again: short at first, never longer than 0.25 s."""
    return float(min(0.02 * 1.5**attempt, 0.25))


def _first_outgoing_port() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768
