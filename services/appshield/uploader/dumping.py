"""Store the output of a component's dump command; a command that fails is never a source."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from appshield.capture import CapturedApplication, CapturedComponent, Discretion
from appshield.contracts.sources import DumpSource, StoredSource
from appshield.custody import HeldRepository
from appshield.errors import DamagedError, InvalidInputError, RunFailedError
from appshield.kubernetes import Cluster, PodRef
from appshield.podvolumes.commands import run_command
from appshield.repository import Writer
from appshield.repository.files import store_stream
from appshield.service import Cancelled, run_bulk
from appshield.service.steps import StepContext

_PIECES_MAX = 32


async def store_dump(
    cluster: Cluster,
    source: DumpSource,
    captured: CapturedApplication,
    held: HeldRepository,
    context: StepContext,
) -> StoredSource:
    """Run the dump command and store what it writes, counted at both ends.

    Raises:
        RunFailedError: the command failed.
        DamagedError: the bytes stored are not those that the command wrote.
    """
    component = _component(captured, source.component)
    pipe = _Pipe(asyncio.get_running_loop())
    storing = asyncio.ensure_future(run_bulk(partial(_store, held, source, pipe.read, context)))
    try:
        async with context.waiting():
            written = await _until_either(_run(cluster, source, captured, component, pipe), storing)
        await pipe.end()
        stored = await storing
    except BaseException:
        pipe.break_off()
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)
        raise
    if stored.bytes_read != written:
        raise DamagedError(
            f"the dump of {source.component} is not whole",
            why=f"the command wrote {written} bytes, {stored.bytes_read} were stored",
            next_step="Back up again; nothing of it was kept.",
        )
    return stored


async def _until_either(
    running: Coroutine[Any, Any, int], storing: "asyncio.Future[StoredSource]"
) -> int:
    """Run the command; when storing ends before it, which only a failure does, raise that."""
    command = asyncio.ensure_future(running)
    try:
        ends: set[asyncio.Future[Any]] = {command, storing}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not command.done():
            storing.result()
        return await command
    finally:
        command.cancel()
        await asyncio.gather(command, return_exceptions=True)


async def _run(
    cluster: Cluster,
    source: DumpSource,
    captured: CapturedApplication,
    component: CapturedComponent,
    pipe: "_Pipe",
) -> int:
    if component.dump is None:
        raise InvalidInputError(f"component {component.name} declares no dump")
    pod = PodRef(source.pod_namespace, source.pod, source.container)
    done = await run_command(
        cluster,
        pod,
        component.dump,
        what=f"the dump of {source.component}",
        next_step="Correct the dump command or the component, then back up again.",
        discretion=Discretion.of(captured.objects, captured.components),
        stdout=pipe.write,
    )
    return done.stdout_bytes


def _store(
    held: HeldRepository,
    source: DumpSource,
    read: Callable[[int], bytes],
    context: StepContext,
    _: Cancelled,
) -> StoredSource:
    with Writer(
        held.repository,
        held.lock,
        lambda done, stored: context.progress(done, bytes_stored=stored),
    ) as writer:
        tree, size = store_stream(
            read, writer, name=source.name.rpartition("/")[2], mtime_ns=time.time_ns()
        )
    return StoredSource(
        name=source.name,
        kind="dump",
        tree=tree.hex(),
        bytes_read=size,
        bytes_stored=writer.bytes_stored,
        files=1,
    )


def _component(captured: CapturedApplication, name: str) -> CapturedComponent:
    found = next((part for part in captured.components if part.name == name), None)
    if found is None:
        raise InvalidInputError(f"the staged application has no component {name}")
    return found


class _Pipe:
    """Carries bytes from the event loop to a thread; the writer waits when the reader is slow."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES_MAX)
        self._rest = b""
        self._broken = False
        self._ended = False

    async def write(self, piece: bytes) -> None:
        """Hand a piece over."""
        await self._pieces.put(piece)

    async def end(self) -> None:
        """Say that the command has ended well."""
        await self._pieces.put(None)

    def break_off(self) -> None:
        """Let the reader fail: what was read so far is no dump."""
        self._broken = True
        while not self._pieces.empty():
            self._pieces.get_nowait()
        self._pieces.put_nowait(None)

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes, none at the end; called in the thread."""
        if not self._rest and not self._ended:
            piece = asyncio.run_coroutine_threadsafe(self._pieces.get(), self._loop).result()
            self._ended = piece is None
            self._rest = piece or b""
        if self._broken:
            raise RunFailedError("the dump was broken off")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
