"""The server of the API with clients that are slow, greedy or confused, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from litestar import Litestar, Request, get, post
from litestar.datastructures import State
from litestar.params import RawBody
from litestar.response import Stream

from appshield.gateway.api.frame.problems import Problem
from appshield.gateway.hardening import Hardened
from appshield.gateway.serving import CONNECTIONS_MAX, HEAD_BYTES_MAX, Patience, Server
from waiting import wait_until

HOST = "127.0.0.1"
SHORT = Patience(head_s=0.3, body_s=0.3, unread_s=0.3)
CHUNK = b"x" * 65536
GOOD = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
DEADLINE_S = 20


class Seen:
    """What the application has seen."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.stopped_sending = False


def application(seen: Seen) -> Litestar:
    """Build an application that answers, reads, and sends for ever."""

    @get("/ping")
    async def ping() -> str:
        return "pong"

    @post("/echo", status_code=200)
    async def echo(body: RawBody) -> bytes:
        return body

    @get("/where")
    async def where(request: Request[object, object, State]) -> str:
        return f"{request.client.host if request.client else ''} by {request.url.scheme}"

    @post("/deaf", status_code=200)
    async def deaf() -> str:
        return "not read"

    @get("/endless")
    async def endless() -> Stream:
        async def chunks() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield CHUNK
                    seen.sent_bytes += len(CHUNK)
                    await asyncio.sleep(0)  # as one that reads from somewhere
            finally:
                seen.stopped_sending = True

        return Stream(chunks())

    return Litestar(
        [ping, echo, where, deaf, endless],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=1024,
    )


@asynccontextmanager
async def serving(
    seen: Seen | None = None,
    *,
    patience: Patience = SHORT,
    connections_max: int = CONNECTIONS_MAX,
    proxies: Sequence[str] = (),
) -> AsyncIterator[int]:
    """Serve for the time of the block; give the port."""
    app = Hardened(application(seen or Seen()), hosts=())
    server = Server(
        app,
        socket.create_server((HOST, 0)),
        patience=patience,
        connections_max=connections_max,
        proxies=proxies,
    )
    stopping = asyncio.Event()
    running = asyncio.create_task(server.serve_until(stopping))
    try:
        yield server.port
    finally:
        stopping.set()
        await running


@asynccontextmanager
async def talking(
    port: int, *, receive_bytes: int = 0
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection; with a bound on what the kernel takes in for us."""
    ours = socket.socket()
    if receive_bytes:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    ours.setblocking(False)
    await asyncio.get_running_loop().sock_connect(ours, (HOST, port))
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def reading_of(writer: asyncio.StreamWriter) -> asyncio.ReadTransport:
    """Return the transport, which reads as well."""
    assert isinstance(writer.transport, asyncio.ReadTransport)
    return writer.transport


async def answer_to(port: int, sent: bytes) -> bytes:
    """Send something and return all that comes until the server closes."""
    async with talking(port) as (reader, writer):
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), DEADLINE_S)


async def still_answers(port: int) -> bool:
    """Say whether others are answered."""
    async with talking(port) as (reader, writer):
        writer.write(GOOD)
        return b" 200 " in await asyncio.wait_for(reader.readline(), DEADLINE_S)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b"408"),
        (b"GET /ping HT", b"408"),
        (b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"408"),
        (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab", b"408"),
        (b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"408"),
        (b"POST /deaf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", b"not read"),
        (GOOD + b"GET /ping HTTP", b"408"),
        (
            GOOD + b"POST /deaf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab",
            b"not read",
        ),
    ],
    ids=[
        "nothing",
        "half a line",
        "half a head",
        "half a body",
        "no chunk",
        "a body that nobody reads",
        "half a second request",
        "half a second body",
    ],
)
async def test_who_does_not_go_on_is_told_and_left(sent: bytes, said: bytes) -> None:
    """Wherever in a request that is; others are answered meanwhile."""
    async with serving() as port:
        slow = asyncio.create_task(answer_to(port, sent))
        assert await still_answers(port)
        assert said in await slow


@pytest.mark.parametrize("start", [b"GET /ping HTTP/1.1\r\nHost: localhost\r\n", GOOD[:-2]])
async def test_who_sends_drop_by_drop_gets_no_more_time(start: bytes) -> None:
    """The whole head has one limit, not each byte of it."""
    async with serving() as port, talking(port) as (reader, writer):
        writer.write(start)
        answered = asyncio.create_task(reader.read())
        for _ in range(2000):
            if answered.done():
                break
            writer.write(b"X-Drop: 1\r\n")
            await asyncio.wait({answered}, timeout=0.01)
        assert answered.done(), "it is listened to as long as it goes on"
        cut_off = isinstance(answered.exception(), ConnectionError)  # the next drop met no one
        assert cut_off or b" 408 " in answered.result()


async def test_who_reads_nothing_is_left() -> None:
    """What it was to be sent is not kept in memory for ever."""
    seen = Seen()
    async with serving(seen) as port, talking(port, receive_bytes=4096) as (_, writer):
        reading_of(writer).pause_reading()
        writer.write(GOOD.replace(b"ping", b"endless"))
        await wait_until(
            lambda: seen.stopped_sending, deadline_s=DEADLINE_S, what="the server stopped sending"
        )
        assert seen.sent_bytes < 64 * 1024 * 1024
        assert await still_answers(port)


@pytest.mark.parametrize(
    "start",
    [b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"GET /"],
    ids=["header", "address"],
)
async def test_a_head_beyond_the_limit_is_refused(start: bytes) -> None:
    """With a problem that a client finds that sends everything first, and reads then."""
    async with serving(patience=Patience()) as port, talking(port) as (reader, writer):
        writer.write(start + b"a" * (16 * 1024 * 1024))
        await asyncio.wait_for(writer.drain(), DEADLINE_S)
        answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 431 " in head.splitlines()[0]
        assert b"content-type: application/problem+json" in head.splitlines()
        problem = msgspec.json.decode(body, type=Problem)
        assert (problem.status, str(HEAD_BYTES_MAX) in problem.next_step) == (431, True)
        assert await still_answers(port)


async def test_who_goes_on_sending_after_a_refusal_is_left() -> None:
    """What still comes is let go for a while only."""
    async with serving() as port, talking(port) as (reader, writer):
        writer.write(b"no request\r\n\r\n")
        assert b" 400 " in (await asyncio.wait_for(reader.read(), DEADLINE_S)).splitlines()[0]
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(go_on(writer), DEADLINE_S)


async def go_on(writer: asyncio.StreamWriter) -> None:
    """Send for ever."""
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0)  # a drain that need not wait gives nobody else a turn


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 4096\r\n\r\n" + b"a" * 4096,
        b"Content-Length: 99999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"a" * 1024 + b"\r\n" + b"1\r\na\r\n",
    ],
    ids=["told", "told and not sent", "not told"],
)
async def test_a_body_beyond_the_limit_is_refused(body: bytes) -> None:
    """Whether its size is told before or not."""
    async with serving() as port:
        head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\n"
        assert b" 413 " in (await answer_to(port, head + body)).splitlines()[0]
        assert await still_answers(port)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/x\r\nHost: localhost\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nBad Name: 1\r\n\r\n",
        b"GET /ping\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.org\r\n\r\n",
    ],
    ids=["tls", "version", "no host", "two lengths", "no length", "name", "control", "two hosts"],
)
async def test_what_is_no_request_is_refused(sent: bytes) -> None:
    """In one answer that says so, before any route sees it."""
    async with serving() as port:
        assert b" 400 " in (await answer_to(port, sent)).splitlines()[0]
        assert await still_answers(port)


async def test_connections_are_bounded() -> None:
    """Who comes then is told so at once, in a problem as any other."""
    async with serving(patience=Patience(), connections_max=3) as port:
        async with talking(port), talking(port), talking(port), talking(port) as (reader, writer):
            writer.write(GOOD)
            answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b" 503 " in head.splitlines()[0]
            assert b"content-type: application/problem+json" in head.splitlines()
            assert msgspec.json.decode(body, type=Problem).status == 503
        await wait_until(
            lambda: still_answers(port), deadline_s=DEADLINE_S, what="others are answered"
        )


@pytest.mark.parametrize(
    ("proxies", "where"),
    [
        ((), b"127.0.0.1 by http"),
        (("10.0.0.0/8",), b"127.0.0.1 by http"),
        (("127.0.0.0/8",), b"192.0.2.7 by https"),
    ],
)
async def test_only_a_proxy_that_is_trusted_says_where_a_request_came_from(
    proxies: Sequence[str], where: bytes
) -> None:
    """Else anybody would write any address into the audit, and never fail from one too often."""
    said = b"X-Forwarded-For: 192.0.2.9, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
    sent = b"GET /where HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + said + b"\r\n"
    async with serving(proxies=proxies) as port:
        assert (await answer_to(port, sent)).endswith(where)


async def test_a_connection_serves_many_requests() -> None:
    """The limits are of each request, not of the connection."""
    patience = Patience(head_s=5, body_s=5)
    async with serving(patience=patience) as port, talking(port) as (reader, writer):
        for _ in range(5):
            body = b"a" * 1000
            head = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
            writer.write(head + body)
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(body)) == body
