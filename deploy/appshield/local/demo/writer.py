"""The load: rows and files written from outside the cluster, as long as it is wanted.

Two streams write at the same time, each strictly one write after the other with numbers 1, 2, 3…
A write that gets no acknowledgement is sent again with the same number and bytes until it gets
one, so a stream has no holes of its own making.
"""

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import msgspec

from appshield.local.demo.write_log import Acknowledged, Begun, Stream, WriteLog

REQUEST_DEADLINE_S = 15.0


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often one stream writes, and how much each time."""

    per_second: float
    size_bytes: int


PACES: Mapping[Stream, Pace] = {
    "rows": Pace(per_second=50, size_bytes=256),
    "files": Pace(per_second=10, size_bytes=48 * 1024),
}


@contextlib.asynccontextmanager
async def writing(url: str, log: Path, paces: Mapping[Stream, Pace] = PACES) -> AsyncIterator[None]:
    """Write to the web service at `url` while the context lasts; `log` is a new file.

    At its end the writes under way are given the time to be acknowledged. Raises RefusedError
    when the log exists, and UnavailableError at the end when it could not be written.
    """
    stop = asyncio.Event()
    timeout = aiohttp.ClientTimeout(total=REQUEST_DEADLINE_S)
    with WriteLog(log) as opened:
        async with aiohttp.ClientSession(url, timeout=timeout) as session:
            streams = [
                asyncio.create_task(_write(session, stream, pace, opened, stop))
                for stream, pace in paces.items()
            ]
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*streams)


async def _write(
    session: aiohttp.ClientSession, stream: Stream, pace: Pace, log: WriteLog, stop: asyncio.Event
) -> None:
    n = 0
    due_s = time.monotonic()
    while not stop.is_set():
        n += 1
        body = secrets.token_bytes(pace.size_bytes)
        digest = hashlib.sha256(body).hexdigest()
        log.append(Begun(stream=stream, n=n, sha256=digest, at_s=time.time()))
        stored = await _send(session, f"/{stream}/{n}", body, stop)
        if stored is None:
            return
        moment = time.monotonic()
        log.append(
            Acknowledged(stream=stream, n=n, sha256=stored, at_s=time.time(), monotonic_s=moment)
        )
        due_s = max(due_s + 1 / pace.per_second, moment)
        await _stopped_within(stop, due_s - moment)


async def _send(
    session: aiohttp.ClientSession, path: str, body: bytes, stop: asyncio.Event
) -> str | None:
    """Send until it is acknowledged; return the digest of what was stored, None when stopped."""
    attempt = 0
    while True:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.put(path, data=body) as answer:
                if answer.status == 200:
                    return await answer.text()
        if await _stopped_within(stop, _retry_pause_s(attempt)):
            return None
        attempt += 1


async def _stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait, but not longer than until the end is wanted; tell whether it is."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await stop.wait()
    return stop.is_set()


def _retry_pause_s(attempt: int) -> float:
    """Return the pause after a write that failed: 10 ms at first, never above a quarter second.

    Short, as the pauses count as a time without acknowledged writes.
    """
    return float(min(0.01 * 2**attempt, 0.25))
