"""A TCP proxy that can be slow, silent, gone or cut: what networks do to connections.

async with TcpProxy("127.0.0.1", 6443) as proxy:
    proxy.blackhole = True    # bytes vanish, nobody is told
    proxy.cut()               # every open connection is reset
"""

import asyncio
from typing import Self


class TcpProxy:
    """Listens on a free port of loopback and passes bytes to one target."""

    def __init__(self, host: str, port: int) -> None:
        self.latency_s = 0.0
        self.blackhole = False
        self.refusing = False
        self.cut_after_bytes: int | None = None  # of the answers, counted over all connections
        self.port = 0
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every open connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self.refusing:
            near.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far_in, far = await asyncio.open_connection(*self._target)
        except OSError:
            near.transport.abort()
            return
        self._writers |= {near, far}
        try:
            await asyncio.gather(
                self._pump(near_in, far, counted=False), self._pump(far_in, near, counted=True)
            )
        finally:
            self._writers -= {near, far}
            near.transport.abort()
            far.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        try:
            while data := await source.read(65536):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                if self.blackhole:
                    continue
                if counted and self.cut_after_bytes is not None:
                    self.cut_after_bytes -= len(data)
                    if self.cut_after_bytes < 0:
                        self.cut_after_bytes = None
                        self.cut()
                        return
                sink.write(data)
                await sink.drain()
            sink.write_eof()
        except (OSError, RuntimeError):  # the other half was cut
            sink.transport.abort()
