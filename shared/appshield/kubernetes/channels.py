"""The WebSocket to a container: opened, kept alive, refused in words.

Source: k8s.io/apimachinery pkg/util/remotecommand/constants.go, version 5 of the protocol.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from appshield.errors import (
    AppShieldError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from appshield.kubernetes.access import Connection
from appshield.kubernetes.errors import Status, refusal
from appshield.kubernetes.kinds import POD
from appshield.kubernetes.requests import CONNECT_TIMEOUT_S

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
CLOSE_STDIN = bytes([255, STDIN])
LONGEST_FRAME_BYTES = 16 * 1024 * 1024
KEEPALIVE_AFTER_S = 30
CLOSE_TIMEOUT_S = 2.0


class PodRef(msgspec.Struct, frozen=True):
    """One container of one pod."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"container {self.container} of pod {self.pod} in namespace {self.namespace}"


@asynccontextmanager
async def channels(
    connection: Connection, pod: PodRef, command: Sequence[str], *, with_stdin: bool
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Start `command` and yield the socket that carries its streams.

    Raises NotFoundError, DeniedError, InvalidInputError (no such container), RefusedError (the
    server is too old) and UnavailableError.
    """
    query = [
        ("container", pod.container),
        ("stdin", str(with_stdin).lower()),
        ("stdout", "true"),
        ("stderr", "true"),
        *(("command", word) for word in command),
    ]
    await connection.pace.turn()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S * 3) as opening:
            ws = await connection.session.ws_connect(
                connection.url(POD.path(pod.namespace, pod.pod, "exec"), urlencode(query)),
                protocols=(PROTOCOL,),
                headers=await connection.authorization(),
                max_msg_size=LONGEST_FRAME_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                **connection.route(),
            )
            opening.reschedule(None)
    except aiohttp.WSServerHandshakeError as error:
        raise _handshake_refused(error.status, pod) from error
    except (aiohttp.ClientError, OSError) as error:
        raise UnavailableError(
            f"could not open a connection to {pod} through {connection.server}",
            why=type(error).__name__,
            next_step="Check that the cluster is running, then try again.",
        ) from error
    async with ws:
        _keep_alive(ws)
        if ws.protocol != PROTOCOL:
            raise RefusedError(
                f"cannot run a command in {pod}",
                why="the API server does not speak version 5 of the exec protocol",
                next_step="AppShield needs Kubernetes 1.30 or newer for this.",
            )
        yield ws


def _keep_alive(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Notice a dead peer by TCP; WebSocket pings would fail whenever a stream is merely slow."""
    sock: Any = ws.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_AFTER_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_AFTER_S // 3)


def _handshake_refused(code: int, pod: PodRef) -> AppShieldError:
    if code == 404:
        return NotFoundError(f"there is no {pod}", next_step="Check the names.")
    if code == 400:
        return InvalidInputError(
            f"cannot run a command in {pod}",
            why="it has no such container, or none that runs",
            next_step="Check the container's name and state.",
        )
    doing = f"run a command (create pods/exec) in {pod}"
    return refusal(code, Status(), doing)
