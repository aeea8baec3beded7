"""A real API server behind a door that can be made to fail: what comes through is the server's own.

A young cluster forgets nothing and is never busy: those two answers are the door's, as a server
gives them.

async with FaultyApi(cluster) as api, Cluster.connect(api.access(folder)) as through:
    api.forgetting = 3     # watches that go on are told that history is gone: 410
    api.busy = 2           # requests are turned away: 429, with Retry-After
    api.cut_at = b"word"   # the watch that brings this is cut in the middle of it
    api.cut()              # every open watch is cut
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Self

from aiohttp import ClientTimeout, web

from appshield.kubernetes import Cluster, ClusterAccess
from fake_kubernetes_documents import kubeconfig_of

_GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "Expired",
    "message": "too old resource version: 1 (2)",
    "code": 410,
}


class FaultyApi:
    """Listens on loopback and asks the API server as the cluster does; see the module."""

    def __init__(self, cluster: Cluster) -> None:
        self.forgetting = 0
        self.busy = 0
        self.cut_at = b""
        self.seen: Counter[str] = Counter()
        """How often each fault happened."""
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
        self.cut()
        await self._runner.cleanup()

    def access(self, folder: Path) -> ClusterAccess:
        """Return how to come in by this door; the kubeconfig is written into `folder`."""
        path = folder / "kubeconfig-of-a-faulty-api"
        path.write_text(
            json.dumps(kubeconfig_of(f"http://127.0.0.1:{self._runner.addresses[0][1]}"))
        )
        return ClusterAccess(kubeconfig=str(path))

    def cut(self) -> None:
        """Cut every open watch."""
        for transport in self._watches:
            transport.abort()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.busy:
            self.busy -= 1
            self.seen["busy"] += 1
            return web.Response(status=429, headers={"Retry-After": "1"})
        query = request.query
        watching = query.get("watch") == "true"
        if watching and self.forgetting and "sendInitialEvents" not in query:
            self.forgetting -= 1
            self.seen["gone"] += 1
            return web.json_response({"type": "ERROR", "object": _GONE})
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
            if not watching:
                body = await answered.read()
                return web.Response(
                    status=answered.status, body=body, content_type=answered.content_type
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
        if self.cut_at and self.cut_at in line:
            whole = line.index(self.cut_at) + len(self.cut_at) // 2
            self.cut_at = b""
            self.seen["cut"] += 1
            await response.write(line[:whole])
            transport.abort()
            raise ConnectionResetError
        await response.write(line)
