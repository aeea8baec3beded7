"""Each known trap of nats-py and of the server has a test here, named by its number."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from appshield.bus import (
    Bus,
    Delivery,
    KeyExistsError,
    Receipt,
    StaleRevisionError,
    Stored,
    connect_bus,
    connection,
    parking,
)
from appshield.bus.access import BusAccess
from appshield.bus.api import StreamInfo
from appshield.bus.jetstream import JetStreamBus
from appshield.contracts import encode
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import TIMERS
from appshield.errors import DeniedError, InvalidInputError
from appshield.local.embedded.message_bus import EmbeddedBus
from appshield.local.embedded.process import program
from embedded_bus import (
    APP,
    put,
    running_bus,
    scratch_bucket,
    scratch_consumer,
    scratch_stream,
    subject_in,
)
from tcp_proxy import TcpProxy
from waiting import wait_until

DEADLINE_S = 20.0


async def stored_in(bus: Bus, stream: StreamSpec) -> list[Stored]:
    return [one async for one in bus.read(stream)]


def through(proxy: TcpProxy, server: EmbeddedBus) -> BusAccess:
    """Return the tester's access by way of a proxy."""
    access = server.access("tester")
    return BusAccess(
        url=f"nats://127.0.0.1:{proxy.port}", user=access.user, seed_file=access.seed_file
    )


def proxy_to(server: EmbeddedBus) -> TcpProxy:
    return TcpProxy("127.0.0.1", int(server.url.rpartition(":")[2]))


async def restart(server: EmbeddedBus) -> None:
    """Kill the server and start it again."""
    server.kill()
    await server.wait()
    await server.stop()
    await server.start()


async def test_t1_a_listener_hears_what_is_sent_right_after(
    bus: Bus, embedded_bus: EmbeddedBus
) -> None:
    """A listener is known to the server as soon as the block begins."""
    message = RequestBackup(app=APP, request_id="x")
    heard = 0

    async def listener(_: Message, __: str) -> None:
        nonlocal heard
        heard += 1

    async with connect_bus(embedded_bus.access("tester"), name="other") as other:
        for number in range(50):
            async with bus.listen(f"appshield.v1.live.t1.{number}", listener):
                await other.tell(f"appshield.v1.live.t1.{number}", message)
                await wait_until(
                    lambda: heard > number,  # noqa: B023 - called before the next turn
                    deadline_s=5,
                    what=f"heard {number}",
                    every_s=0.005,
                )


async def test_t2_every_publish_in_flight_ends_when_the_server_dies(tmp_path: Path) -> None:
    """Two hundred publishes, the server killed in between: each is confirmed, none is lost."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="t2") as bus,
    ):
        stream = scratch_stream()
        await bus.ensure_stream(stream)
        publishing = [asyncio.create_task(put(bus, stream, f"m{n}")) for n in range(200)]
        await wait_until(
            lambda: sum(one.done() for one in publishing) > 20, deadline_s=5, what="some confirmed"
        )
        await restart(server)
        async with asyncio.timeout(DEADLINE_S):
            receipts: list[Receipt] = await asyncio.gather(*publishing)
        assert len({one.sequence for one in receipts}) == 200
        assert len(await stored_in(bus, stream)) == 200


async def test_t3_a_publish_whose_confirmation_was_lost_is_stored_once(
    embedded_bus: EmbeddedBus, bus: Bus
) -> None:
    """The server stored it, the connection was cut before the answer: the retry is a duplicate."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    async with (
        proxy_to(embedded_bus) as proxy,
        connect_bus(through(proxy, embedded_bus), name="t3") as cut,
    ):
        proxy.cut_after_bytes = 0
        receipt = await put(cut, stream, "a")
    assert receipt.duplicate
    assert len(await stored_in(bus, stream)) == 1


async def test_t3_an_update_whose_confirmation_was_lost_is_no_conflict(
    embedded_bus: EmbeddedBus, bus: Bus
) -> None:
    """The second attempt meets its own first one and knows it; so does a create and a delete."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    async with (
        proxy_to(embedded_bus) as proxy,
        connect_bus(through(proxy, embedded_bus), name="t3") as cut,
    ):
        bucket = cut.bucket(spec, str)
        proxy.cut_after_bytes = 0
        first = await bucket.create("a", "one")
        proxy.cut_after_bytes = 0
        second = await bucket.update("a", "two", first)
        proxy.cut_after_bytes = 0
        await bucket.delete("a", revision=second)
    assert await bus.bucket(spec, str).get("a") is None
    assert (first, second) == (1, 2)


async def test_t3_nothing_waits_in_a_buffer_while_the_server_is_away(tmp_path: Path) -> None:
    """A publish that failed while there was no server was not sent later behind our back."""
    async with running_bus(tmp_path) as server:
        bus = await JetStreamBus.open(
            server.access("tester"),
            name="t3",
            on_problem=None,
            deadline_s=5,
            publish_budget_s=0.5,
        )
        stream = scratch_stream()
        await bus.ensure_stream(stream)
        server.kill()
        await server.wait()
        await wait_until(lambda: not bus._connection.is_up, deadline_s=5, what="disconnected")
        with pytest.raises(Exception, match="cannot be reached"):
            await put(bus, stream, "a")
        await bus.tell(subject_in(stream), RequestBackup(app=APP, request_id="told"))
        await server.stop()
        await server.start()
        await wait_until(lambda: bus._connection.is_up, deadline_s=5, what="connected again")
        assert await stored_in(bus, stream) == []
        await bus.close()


async def test_t4_a_consumer_goes_on_after_the_server_died(tmp_path: Path) -> None:
    """A request that was waiting when the server died hinders nothing.

    What was handled just before may come again: its acknowledgement died with the server.
    """
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="t4") as bus,
    ):
        stream = scratch_stream(retention="work")
        consumer = scratch_consumer(stream)
        await bus.ensure_stream(stream)
        await bus.ensure_consumer(consumer)
        seen: list[str] = []
        stopping = asyncio.Event()

        async def handler(delivery: Delivery) -> None:
            seen.append(delivery.message_id)

        loop = asyncio.create_task(bus.consume(consumer, handler, stopping=stopping))
        for number in range(3):
            await put(bus, stream, f"m{number}")
            handled = partial(seen.__contains__, f"m{number}")
            await wait_until(handled, deadline_s=5, what="handled")
            await restart(server)
        stopping.set()
        await loop
        assert list(dict.fromkeys(seen)) == ["m0", "m1", "m2"]


async def test_t4_a_deleted_consumer_is_made_again(bus: Bus) -> None:
    """Somebody deletes the consumer under a waiting request: the loop makes it again."""
    stream = scratch_stream(retention="work")
    consumer = scratch_consumer(stream)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    seen: list[str] = []
    stopping = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery.message_id)

    loop = asyncio.create_task(bus.consume(consumer, handler, stopping=stopping))
    await put(bus, stream, "a")
    await wait_until(lambda: "a" in seen, deadline_s=5, what="the first")
    await bus.remove_consumer(consumer, purge=False)
    begun = time.monotonic()
    await put(bus, stream, "b")
    await wait_until(lambda: "b" in seen, deadline_s=5, what="the second")
    assert time.monotonic() - begun < 4
    stopping.set()
    await loop


async def test_t5_a_marker_is_no_value(bus: Bus) -> None:
    """Markers of other tools and of the server itself read as: the key is not there."""
    assert isinstance(bus, JetStreamBus)
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    info = await bus._api.stream(f"KV_{spec.name}")
    assert info is not None
    config = {**info.config, "subject_delete_marker_ttl": 60_000_000_000}
    await bus._api.call(f"STREAM.UPDATE.KV_{spec.name}", config, StreamInfo)
    bucket = bus.bucket(spec, str)
    await bucket.put("purged", "x")
    await bus.publish_raw(
        f"$KV.{spec.name}.purged",
        b"",
        message_id="p",
        headers={"KV-Operation": "PURGE", "Nats-Rollup": "sub"},
    )
    await bus.publish_raw(
        f"$KV.{spec.name}.expired", b'"x"', message_id="e", headers={"Nats-TTL": "1s"}
    )

    async def marked() -> bool:
        found = await bus._api.message(f"KV_{spec.name}", last_by_subj=f"$KV.{spec.name}.expired")
        return found is not None and "Nats-Marker-Reason" in found.headers

    await wait_until(marked, deadline_s=10, what="the server's own marker")
    assert await bucket.get("purged") is None
    assert await bucket.get("expired") is None
    assert await bucket.keys() == []
    await bucket.create("expired", "again")


async def test_t6_a_lease_expires_and_fences_its_old_holder(bus: Bus) -> None:
    """Two seconds after the last renewal another can take it; the old one cannot write any more."""
    spec = scratch_bucket(live_s=2)
    await bus.ensure_bucket(spec)
    lease = bus.bucket(spec, str)
    revision = await lease.create("lead", "first")
    revision = await lease.update("lead", "first", revision)
    with pytest.raises(KeyExistsError):
        await lease.create("lead", "second")
    begun = time.monotonic()

    async def taken() -> bool:
        try:
            await lease.create("lead", "second")
        except KeyExistsError:
            return False
        return True

    await wait_until(taken, deadline_s=6, what="the lease was taken")
    assert 1.0 < time.monotonic() - begun < 4.5
    with pytest.raises(StaleRevisionError):
        await lease.update("lead", "first", revision)


async def test_t6_a_watch_tells_what_expired(bus: Bus) -> None:
    """The server says nothing when a key expires; the watch finds out."""
    spec = scratch_bucket(live_s=2)
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, str)
    await bucket.put("a", "x")
    stopping = asyncio.Event()
    async with asyncio.timeout(DEADLINE_S):
        async for change in bucket.watch(stopping=stopping):
            if change.key == "a" and change.value is None:
                stopping.set()


def test_t7_nobody_uses_the_object_store_of_nats() -> None:
    """Bytes of backups never travel through the bus."""
    root = Path(__file__).parents[3]
    sources = [
        file for part in ("shared", "services", "deploy") for file in (root / part).rglob("*.py")
    ]
    assert sources
    assert not [file for file in sources if "object_store(" in file.read_text()]


async def test_t8_an_outage_is_told_once_and_without_tracebacks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Many attempts to reconnect make one line, not a page of traceback each."""
    problems: list[str] = []
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="t8", on_problem=problems.append) as bus,
    ):
        server.kill()
        await server.wait()
        await wait_until(lambda: problems, deadline_s=5, what="the outage was told")
        assert "not connected" in await bus.health()
        assert isinstance(bus, JetStreamBus)
        client = bus._connection._client
        await wait_until(
            lambda: client.server_pool[0].reconnects > 3, deadline_s=5, what="tried some times"
        )
        await server.stop()
        await server.start()

        async def well() -> bool:
            return await bus.health() == ""

        await wait_until(well, deadline_s=5, what="connected again")
    assert problems == [f"lost the connection to {server.url}"]
    output = capfd.readouterr()
    assert "Traceback" not in output.out + output.err + caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_t9_a_connection_that_went_silent_is_noticed(
    embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes vanish and nobody is told: pings find it, and the bus connects again for ever.

    The warning that is ignored: nats-py drops a socket that failed to greet without closing it.
    """
    monkeypatch.setattr(connection, "_PING_EVERY_S", 1)
    problems: list[str] = []
    async with (
        proxy_to(embedded_bus) as proxy,
        connect_bus(through(proxy, embedded_bus), name="t9", on_problem=problems.append) as bus,
    ):
        proxy.blackhole = True
        await wait_until(lambda: problems, deadline_s=10, what="the silence was noticed")
        proxy.blackhole = False
        proxy.cut()

        async def well() -> bool:
            return await bus.health() == ""

        await wait_until(well, deadline_s=10, what="connected again")


async def test_t9_a_message_that_is_too_large_is_refused_by_name(bus: Bus) -> None:
    """Neither the server's nor the stream's limit breaks the connection."""
    stream = scratch_stream(bytes_max=32 * 1024 * 1024, message_bytes_max=1024)
    await bus.ensure_stream(stream)
    subject = subject_in(stream)
    with pytest.raises(InvalidInputError, match=r"too large for the stream .*1024 bytes a message"):
        await bus.publish_raw(subject, b"x" * 2000, message_id="a")
    with pytest.raises(InvalidInputError, match=r"too large: 5242880 bytes, the server takes"):
        await bus.publish_raw(subject, b"x" * 5 * 1024 * 1024, message_id="b")
    assert await bus.health() == ""


async def test_t9_a_header_with_line_breaks_stays_one_header(bus: Bus) -> None:
    """A reason of several lines cannot forge another header."""
    stream = scratch_stream()
    await bus.ensure_stream(stream)
    died = parking.Died(
        subject="s", stream=stream.name, sequence=1, message_id="m", deliveries=1, body=b"{}"
    )
    assert isinstance(bus, JetStreamBus)
    await bus.publish_raw(
        subject_in(stream), b"{}", message_id="a", headers={"Reason": "one\r\nForged: yes"}
    )
    found = (await stored_in(bus, stream))[0]
    assert "Forged" not in found.headers
    assert found.headers["Reason"].split() == ["one", "Forged:", "yes"]
    assert died.body == b"{}"


async def test_t10_a_forbidden_publish_is_an_error_at_once(embedded_bus: EmbeddedBus) -> None:
    """It names user and subject, long before any timeout."""
    async with connect_bus(embedded_bus.access("watcher"), name="t10") as watcher:
        begun = time.monotonic()
        with pytest.raises(
            DeniedError, match=r"user watcher may not publish on appshield\.v1\.due"
        ):
            await watcher.publish_raw("appshield.v1.due.x", b"{}", message_id="a")
        assert time.monotonic() - begun < 1


async def test_t10_a_forbidden_subscription_is_an_error_at_once(embedded_bus: EmbeddedBus) -> None:
    """Listening where one may not is refused, not silent."""

    async def listener(_: Message, __: str) -> None:
        raise AssertionError("heard something")

    async with connect_bus(embedded_bus.access("watcher"), name="t10") as watcher:
        with pytest.raises(DeniedError, match=r"may not listen on appshield\.v1\.live\.>"):
            async with watcher.listen("appshield.v1.live.>", listener):
                raise AssertionError("listens")


async def test_t10_a_forbidden_consumer_is_an_error_at_once(
    embedded_bus: EmbeddedBus, bus: Bus
) -> None:
    """A loop that may not read its consumer says so in its log, and does not spin."""
    stream = scratch_stream(retention="work")
    consumer = scratch_consumer(stream)
    await bus.ensure_stream(stream)
    await bus.ensure_consumer(consumer)
    problems: list[str] = []
    stopping = asyncio.Event()

    async def handler(_: Delivery) -> None:
        raise AssertionError("handled")

    access = embedded_bus.access("watcher")
    async with connect_bus(access, name="t10", on_problem=problems.append) as watcher:
        loop = asyncio.create_task(watcher.consume(consumer, handler, stopping=stopping))
        await wait_until(lambda: problems, deadline_s=5, what="a problem was told")
        stopping.set()
        await loop
    assert f"$js.api.consumer.msg.next.{stream.name.lower()}" in problems[0]
    assert len(problems) < 10


async def test_t11_the_server_accepts_its_configuration(embedded_bus: EmbeddedBus) -> None:
    """The file is JSON, so that no comma can be missing; the server's own check agrees."""
    file = embedded_bus.users_folder.parent / "server.conf"
    assert json.loads(file.read_text())["host"] == "127.0.0.1"
    checking = await asyncio.create_subprocess_exec(
        program("nats-server"), "-t", "-c", file, stderr=asyncio.subprocess.PIPE
    )
    _, said = await checking.communicate()
    assert checking.returncode == 0, said


async def test_timers_survive_a_server_that_was_down_when_they_were_due(tmp_path: Path) -> None:
    """A timer fires once, late, after the server is back."""
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="timers") as bus,
    ):
        await bus.ensure_topology()
        body = encode(RequestBackup(app=APP, request_id="x"))
        at = datetime.now(UTC) + timedelta(seconds=1)
        await bus.schedule("late", at, body, message_id="late.1")
        server.kill()
        await server.wait()
        missed = at + timedelta(seconds=1)
        await wait_until(lambda: datetime.now(UTC) > missed, deadline_s=5, what="the time passed")
        await server.stop()
        await server.start()

        async def fired() -> list[Stored]:
            return [one for one in await stored_in(bus, TIMERS) if ".due." in one.subject]

        due = await wait_until(fired, deadline_s=10, what="the timer fired")
        assert [(one.subject, one.headers["AppShield-Message-Id"]) for one in due] == [
            ("appshield.v1.due.late", "late.1")
        ]
