"""Where people find the web interface of this installation, and whether somebody answers there."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from appshield.service import pause

WEB_PORT = 8470
"""The port that is tried first, so that addresses which people keep go on to work."""
_LOOPBACK = "127.0.0.1"
_SETTING = "APPSHIELD_GATEWAY_"
_EVERY_S = 0.2
_TRY_S = 2.0


def web_port(environment: Mapping[str, str]) -> int:
    """Choose a port: the one that a person has set, else the usual one, else a free one."""
    given = environment.get(f"{_SETTING}HTTP_PORT", "")
    if given.isdecimal() and given != "0":
        return int(given)
    try:
        with socket.create_server((_LOOPBACK, WEB_PORT)):
            return WEB_PORT
    except OSError:
        with socket.create_server((_LOOPBACK, 0)) as probe:
            return int(probe.getsockname()[1])


def web_address(environment: Mapping[str, str], port: int) -> str:
    """Write where a browser finds it, by the settings of the gateway that a person has made."""
    scheme = "https" if environment.get(f"{_SETTING}TLS_CERTIFICATE_FILE") else "http"
    names = environment.get(f"{_SETTING}HTTP_NAMES", "").split(",")
    return f"{scheme}://{names[0].strip() or _LOOPBACK}:{port}"


async def answered(web: str) -> bool:
    """Say whether somebody listens at an address."""
    parts = urlsplit(web)
    try:
        async with asyncio.timeout(_TRY_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:  # TimeoutError is one as well
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def until_answered(web: str, stopping: asyncio.Event) -> bool:
    """Wait until somebody listens at an address; False when told to stop before."""
    while not stopping.is_set():
        if await answered(web):
            return True
        await pause(stopping, _EVERY_S)
    return False
