"""A real API server behind a door that can be shut, and that counts the server's refusals.

async with FaultyApi(cluster) as api, Cluster.connect(api.access(folder)) as through:
    async with api.away(): ...    # every watch is cut, and nobody comes in for so long
    api.cut_at = b"word"          # the watch that brings this is cut in the middle of it
    api.refused[410]              # how often the server itself has said so
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from aiohttp import ClientTimeout, web

from appshield.kubernetes import Cluster, ClusterAccess
from fake_kubernetes_documents import kubeconfig_of

_ERROR = b'{"type":"ERROR"'


class FaultyApi:
    """Listens on loopback and asks the API server as the cluster does; see the module."""

    def __init__(self, cluster: Cluster) -> None:
        self.cut_at = b""
        self.cut_in_events = 0
        self.refused: Counter[int] = Counter()
        self._open = asyncio.Event()
        self._open.set()
        self._connection = cluster.requests.connection
        self._watches: set[asyncio.Transport] = set()

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=8 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._cut()
        await self._runner.cleanup()

    def access(self, folder: Path) -> ClusterAccess:
        """Return how to come in by this door; the kubeconfig is written into `folder`."""
        path = folder / "kubeconfig-of-a-faulty-api"
        path.write_text(
            json.dumps(kubeconfig_of(f"http://127.0.0.1:{self._runner.addresses[0][1]}"))
        )
        return ClusterAccess(kubeconfig=str(path))

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Cut every watch, and let whoever asks wait until the end of the block."""
        self._open.clear()
        self._cut()
        try:
            yield
        finally:
            self._open.set()

    def _cut(self) -> None:
        for transport in self._watches:
            transport.abort()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await self._open.wait()
        query = request.query
        watching = query.get("watch") == "true"
        async with self._connection.session.request(
            request.method,
            f"{self._connection.server}{request.path}",
            params=query,
            data=await request.read() or None,
            headers={
                name: request.headers[name]
                for name in ("Accept", "Content-Type")
                if name in request.headers
            },
            timeout=ClientTimeout(),
            **self._connection.route(),
        ) as answered:
            self.refused[answered.status] += 1
            if not watching or answered.status >= 400:
                return web.Response(
                    status=answered.status,
                    body=await answered.read(),
                    headers={
                        name: answered.headers[name]
                        for name in ("Content-Type", "Retry-After")
                        if name in answered.headers
                    },
                )
            response = web.StreamResponse(status=answered.status)
            response.content_type = answered.content_type
            await response.prepare(request)
            assert request.transport is not None
            self._watches.add(request.transport)
            try:
                unfinished = b""
                async for piece in answered.content.iter_any():
                    *lines, unfinished = (unfinished + piece).split(b"\n")
                    for line in lines:
                        await self._pass_on(line + b"\n", request.transport, response)
            except ConnectionError:
                pass  # whoever watched has gone, or was cut off
            finally:
                self._watches.discard(request.transport)
            return response

    async def _pass_on(
        self, line: bytes, transport: asyncio.Transport, response: web.StreamResponse
    ) -> None:
        if line.startswith(_ERROR):
            self.refused[json.loads(line)["object"]["code"]] += 1
        if self.cut_at and self.cut_at in line:
            whole = line.index(self.cut_at) + len(self.cut_at) // 2
            self.cut_at = b""
            self.cut_in_events += 1
            await response.write(line[:whole])
            transport.abort()
            raise ConnectionResetError
        await response.write(line)
