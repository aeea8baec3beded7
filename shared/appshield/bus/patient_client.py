"""The client of nats-py, mended where it loses a connection or takes long."""

import asyncio
import re
from typing import Any

from nats.aio.client import Client

_HEADER = re.compile(r"^([!-9;-~]+):(.*)\r$", re.MULTILINE)


class PatientClient(Client):
    """A client for which a flush may be given up, and that reads headers at once.

    nats-py sets the result of the flush that a PONG answers, even when whoever asked was cancelled
    or has timed out; that error ends its read loop and with it the connection. And it looks at each
    character of the name of each header, which was a third of the work of whoever follows a stream.
    """

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        text = raw.decode("utf-8", "replace")
        return {name: value.strip() for name, value in _HEADER.findall(text)}

    def drop_socket(self) -> None:
        """Close the socket, which nats-py leaves open when its own closing was cancelled."""
        transport: Any = self._transport  # whose methods have no types
        if transport is not None:
            transport.close()
