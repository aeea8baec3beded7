"""A fake exec endpoint: speaks version 5 of the protocol and runs the command on this machine.

Its faults are those of real nodes: stdin closed early or never, output that ends early, a tail that
is lost when the command ends, a connection without a status.
"""

import asyncio
import contextlib
import json
import os
import signal
from typing import Any, Self

from aiohttp import WSMsgType, web

PROTOCOL = "v5.channel.k8s.io"


class FakeExec:
    """One pod that every command runs in."""

    def __init__(self) -> None:
        self.protocols: tuple[str, ...] = (PROTOCOL,)
        self.refuse_with = 0
        self.lose_stdin_after: int | None = None
        self.lose_stdout_after: int | None = None
        self.lose_tail_after_s = 0.0  # what is under way for so long when the command ends
        self.lose_end_of_stdin = False
        self.give_status = True
        self.queries: list[dict[str, str]] = []
        self._out = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/api", self._api)
        application.router.add_get("/api/v1/namespaces/{ns}/pods/{pod}/exec", self.answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.server = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _api(self, _request: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroupDiscoveryList", "items": []})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Run what a request asks for."""
        if self.refuse_with:
            return web.Response(status=self.refuse_with)
        self.queries.append(dict(request.query))
        ws = web.WebSocketResponse(protocols=self.protocols, max_msg_size=16 * 1024 * 1024)
        await ws.prepare(request)
        await self._run(ws, request.query.getall("command"), request.query["stdin"] == "true")
        await ws.close()
        return ws

    async def _run(self, ws: web.WebSocketResponse, command: list[str], with_stdin: bool) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=pipe if with_stdin else asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                start_new_session=True,
            )
        except FileNotFoundError:
            message = f'exec: "{command[0]}": executable file not found in $PATH'
            await self._end(ws, {"status": "Failure", "message": message, "details": {}})
            return
        assert process.stdout is not None
        assert process.stderr is not None
        feeding = asyncio.create_task(self._feed(ws, process))
        try:
            await asyncio.gather(
                self._give(ws, process, 1, process.stdout),
                self._give(ws, process, 2, process.stderr),
            )
            code = await process.wait()
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            _kill(process)
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined] # else its pipes stay open until collected, and warn; asyncio has no public way
        causes = [{"reason": "ExitCode", "message": str(code)}]
        failure = {
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "details": {"causes": causes},
        }
        await self._end(ws, failure if code else {"status": "Success"})

    async def _feed(self, ws: web.WebSocketResponse, process: asyncio.subprocess.Process) -> None:
        """Pass stdin on; a client that goes away ends the command."""
        stdin = process.stdin
        fed = 0
        async for message in ws:
            if message.type is not WSMsgType.BINARY or stdin is None:
                continue
            if message.data[0] == 255:
                if not self.lose_end_of_stdin:
                    stdin.close()
                continue
            data = message.data[1:]
            if self.lose_stdin_after is not None:
                data = data[: max(0, self.lose_stdin_after - fed)]
            fed += len(data)
            with contextlib.suppress(ConnectionError):
                stdin.write(data)
                await stdin.drain()
        _kill(process)

    async def _give(
        self,
        ws: web.WebSocketResponse,
        process: asyncio.subprocess.Process,
        channel: int,
        source: asyncio.StreamReader,
    ) -> None:
        while data := await source.read(32768):
            if self.lose_tail_after_s:
                await asyncio.sleep(self.lose_tail_after_s)
                if process.returncode is not None:
                    continue
            if channel == 1 and self.lose_stdout_after is not None:
                data = data[: max(0, self.lose_stdout_after - self._out)]
                self._out += len(data)
            with contextlib.suppress(ConnectionError):
                await ws.send_bytes(bytes([channel]) + data)

    async def _end(self, ws: web.WebSocketResponse, status: dict[str, Any]) -> None:
        if self.give_status and not ws.closed:
            await ws.send_bytes(b"\x03" + json.dumps(status).encode())


def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
