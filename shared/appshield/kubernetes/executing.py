"""Running a command in a container, with its streams as bytes and nothing lost unnoticed.

One WebSocket carries stdin (channel 0), stdout (1), stderr (2) and the end status (3). Version 5
of the protocol can close stdin alone. How a command ended tells the status on channel 3, or the
report of the wrapper that counts, once all that it counted is here; a connection that closes
without either has failed, whatever its close code says.
Source: https://kubernetes.io/docs/concepts/cluster-administration/websockets/ and
k8s.io/apimachinery pkg/util/remotecommand/constants.go
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import aiohttp
import msgspec

from appshield.errors import DamagedError, DeadlineError, InvalidInputError, UnavailableError
from appshield.kubernetes import counting
from appshield.kubernetes.access import Connection
from appshield.kubernetes.channels import (
    CLOSE_STDIN,
    STATUS,
    STDERR,
    STDIN,
    STDOUT,
    PodRef,
    channels,
)
from appshield.kubernetes.errors import Status, status_of

FRAME_BYTES = 256 * 1024
STDERR_TAIL_BYTES = 16 * 1024

Output = Callable[[bytes], Awaitable[None]]


class ExecOutcome(msgspec.Struct, frozen=True):
    """How a command ended. Bytes are those sent and received at this end."""

    exit_code: int
    stdin_bytes: int
    stdout_bytes: int
    stderr_tail: str


async def execute(
    connection: Connection,
    pod: PodRef,
    command: Sequence[str],
    *,
    timeout_s: float,
    stdin: AsyncIterator[bytes] | None = None,
    stdout: Output | None = None,
    count_received: bool = True,
) -> ExecOutcome:
    """Run `command` and return its outcome; an exit code other than 0 is an outcome.

    With `stdin`, the command sees its bytes and then their end; it is started when there is
    something to give it, or the end has come. With `stdout`, that is awaited for every piece and
    slows the command down when it is slow. With `count_received`, the bytes that pass on either
    stream are counted inside the container and compared: a command that succeeded while they
    differ raises DamagedError. It needs `sh`, `cat`, `tee` and `wc` in the image; without it,
    `stdin` needs `sh` and `cat`.

    Raises NotFoundError, DeniedError, InvalidInputError (no such container), UnavailableError
    (the connection failed) and DeadlineError; after the latter two the command may still run.
    """
    deadline = asyncio.timeout(timeout_s)
    try:
        async with deadline:
            given = await _begun(stdin) if stdin is not None else None
            takes, gives = given is not None, stdout is not None
            counts = count_received and (stdin is not None or gives)
            mark = f"appshield-{secrets.token_hex(8)}:" if counts else ""
            wrapped = _wrapped(command, mark, takes=takes, gives=gives)
            async with channels(connection, pod, wrapped, with_stdin=takes or counts) as ws:
                exchange = _Exchange(ws, pod, given, stdout, mark)
                exit_code = await exchange.run()
    except TimeoutError as error:
        if not deadline.expired():
            raise  # a stream of the caller's own
        raise DeadlineError(
            f"a command in {pod} did not end within {timeout_s:g} s",
            next_step="It may still run there; look at what it waits for.",
        ) from error
    return _checked(exchange, exit_code, counted=bool(mark))


def _wrapped(command: Sequence[str], mark: str, *, takes: bool, gives: bool) -> Sequence[str]:
    if mark:
        return counting.counting(command, mark, stdin=takes, stdout=gives)
    return counting.draining(command) if takes else command


async def _begun(stdin: AsyncIterator[bytes]) -> AsyncIterator[bytes] | None:
    """Wait for the first bytes; None where none come.

    Such a command reads from /dev/null: a stdin that is closed before the runtime has opened its
    own side of it is now and then never closed there, and the command waits for ever.
    """
    async for first in stdin:
        if first:
            return _after(first, stdin)
    return None


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


class _Exchange:
    """Both directions of one exec."""

    def __init__(
        self,
        ws: aiohttp.ClientWebSocketResponse,
        pod: PodRef,
        stdin: AsyncIterator[bytes] | None,
        stdout: Output | None,
        mark: str,
    ) -> None:
        self._ws = ws
        self._mark = mark
        self.pod = pod
        self.stdin = stdin
        self.stdout = stdout
        self.stdin_bytes = 0
        self.stdout_bytes = 0
        self.stderr = b""
        self.report: counting.Report | None = None

    async def run(self) -> int:
        """Move bytes until the status comes; return the exit code."""
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send())
        try:
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                sending.result()  # the source of stdin failed: give up
            return await receiving
        finally:
            for task in (receiving, sending):
                task.cancel()
            await asyncio.gather(receiving, sending, return_exceptions=True)

    async def _send(self) -> None:
        if self.stdin is None:
            return
        async for chunk in self.stdin:
            for start in range(0, len(chunk), FRAME_BYTES):
                piece = chunk[start : start + FRAME_BYTES]
                if not await self._sent(bytes([STDIN]) + piece):
                    return
                self.stdin_bytes += len(piece)
        await self._sent(CLOSE_STDIN)

    async def _sent(self, frame: bytes) -> bool:
        """Send; False when the other side has closed, whose reason the receiver learns."""
        try:
            await self._ws.send_bytes(frame)
        except (aiohttp.ClientError, OSError):
            return False
        return True

    async def _receive(self) -> int:
        async for message in self._ws:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == STDOUT:
                self.stdout_bytes += len(data)
                if self.stdout and data:
                    await self.stdout(data)
            elif channel == STDERR:
                await self._take_stderr(data)
            elif channel == STATUS:
                return _exit_code(status_of(data), self.pod)
            if self._is_whole():
                return 0  # the wrapper only waits to be let go, and that word can be lost
        raise UnavailableError(
            f"the connection to {self.pod} broke before the command ended",
            why=_closed_because(self._ws),
            next_step="Check the node's kubelet, then try again.",
        )

    def _is_whole(self) -> bool:
        """Tell whether the report is here, and every byte that it counted."""
        report = self.report
        if report is None or report.exit_code is None:
            return False
        return (self.stdin is None or self.stdin_bytes == report.stdin_bytes) and (
            self.stdout is None or self.stdout_bytes == report.stdout_bytes
        )

    async def _take_stderr(self, data: bytes) -> None:
        self.stderr = (self.stderr + data)[-STDERR_TAIL_BYTES:]
        if not self._mark or self.report is not None:
            return
        self.stderr, self.report = counting.split_report(self.stderr, self._mark)
        if self.report is not None and self.stdin is None:
            await self._sent(CLOSE_STDIN)  # the wrapper waits for this


def _closed_because(ws: aiohttp.ClientWebSocketResponse) -> str:
    error = ws.exception()
    return type(error).__name__ if error else "it was closed without a status"


def _exit_code(status: Status, pod: PodRef) -> int:
    """Return the exit code in the end status; raise when the command never ran."""
    if status.status == "Success":
        return 0
    for cause in status.causes:
        if cause.reason == "ExitCode" and cause.message.isdecimal():
            return int(cause.message)
    if "executable file not found" in status.message or "no such file" in status.message:
        raise InvalidInputError(
            f"a command cannot be run in {pod}",
            why="the image has no such program, or no shell to run it with",
            next_step="Name a program of the image.",
        )
    raise UnavailableError(
        f"a command could not be run in {pod}",
        why=status.message,
        next_step="Check that the container is running, then try again.",
    )


def _checked(exchange: _Exchange, exit_code: int, *, counted: bool) -> ExecOutcome:
    return ExecOutcome(
        exit_code=_proved(exchange, exit_code) if counted else exit_code,
        stdin_bytes=exchange.stdin_bytes,
        stdout_bytes=exchange.stdout_bytes,
        stderr_tail=exchange.stderr.decode(errors="replace"),
    )


def _proved(exchange: _Exchange, exit_code: int) -> int:
    """Return the command's exit code after comparing the counts of both ends."""
    report = exchange.report
    if exit_code != 0:
        return exit_code  # the wrapper itself was ended
    if report is None or report.exit_code is None:
        raise _lost(exchange.pod, "the count of the container did not come back")
    if report.exit_code != 0:
        return report.exit_code
    if exchange.stdin is not None:
        _compare(exchange.pod, "stdin", exchange.stdin_bytes, report.stdin_bytes)
    if exchange.stdout is not None:
        _compare(exchange.pod, "stdout", exchange.stdout_bytes, report.stdout_bytes)
    return 0


def _compare(pod: PodRef, stream: str, here: int, there: int | None) -> None:
    if there is None:
        raise _lost(pod, f"the container could not count {stream}: it needs `tee` and `wc`")
    if here != there:
        raise _lost(pod, f"{here} bytes of {stream} passed here, {there} in the container")


def _lost(pod: PodRef, why: str) -> DamagedError:
    return DamagedError(
        f"exec lost bytes in {pod}", why=why, next_step="Nothing of it can be used; try again."
    )
