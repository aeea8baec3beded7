"""What is stored at the same moment goes as one batch, and nothing depends on that."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appshield.bus import Bus, StaleRevisionError, connect_bus, grouping
from appshield.bus.access import BusAccess
from appshield.bus.grouping import MESSAGES_MAX
from appshield.contracts.stream_specs import StreamSpec
from appshield.contracts.streams import TIMERS
from appshield.errors import AppShieldError
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import running_bus, scratch_bucket
from tcp_proxy import TcpProxy
from waiting import wait_until

COUNT = MESSAGES_MAX * 2 + 17
BATCH = "Nats-Batch-Id"


async def batches_in(bus: Bus, stream: str) -> list[str]:
    """List the batch of every message that lies in a stream; empty for one that came alone."""
    spec = StreamSpec(name=stream, purpose="a test", subjects=(), bytes_max=1)
    return [one.headers.get(BATCH, "") async for one in bus.read(spec)]


async def test_many_at_once_go_as_few_batches_and_each_has_its_revision(bus: Bus) -> None:
    """A revision is what the next writer must name."""
    spec = scratch_bucket(bytes_max=16 * 1024 * 1024)
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    made = await asyncio.gather(*(bucket.create(f"k{n}", n) for n in range(COUNT)))
    found = {one.key: one async for one in bucket.items()}
    assert [found[f"k{n}"].revision for n in range(COUNT)] == made
    assert [found[f"k{n}"].value for n in range(COUNT)] == list(range(COUNT))
    batches = await batches_in(bus, f"KV_{spec.name}")
    assert len(set(batches)) <= 3
    again = await asyncio.gather(*(bucket.update(f"k{n}", -n, made[n]) for n in range(COUNT)))
    assert min(again) > max(made)


async def test_one_alone_goes_alone(bus: Bus) -> None:
    """As it always did."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    await bus.bucket(spec, int).put("k", 1)
    assert await batches_in(bus, f"KV_{spec.name}") == [""]


async def test_one_that_is_refused_harms_no_other(bus: Bus) -> None:
    """A batch is refused whole; then each goes by itself."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, str)
    revision = await bucket.create("stale", "theirs")
    await bucket.update("stale", "theirs again", revision)
    ended = await asyncio.gather(
        *(bucket.create(f"k{n}", "ours") for n in range(10)),
        bucket.update("stale", "ours", revision),
        return_exceptions=True,
    )
    assert isinstance(ended.pop(), StaleRevisionError)
    assert not [one for one in ended if isinstance(one, BaseException)]
    values = {entry.key: entry.value async for entry in bucket.items()}
    assert values.pop("stale") == "theirs again"
    assert values == {f"k{n}": "ours" for n in range(10)}


async def test_one_that_is_given_up_before_it_was_sent_is_not_stored(bus: Bus) -> None:
    """The others are."""
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    writing = [asyncio.create_task(bucket.put(f"k{n}", n)) for n in range(3)]
    await asyncio.sleep(0)  # each has asked, nothing is sent
    writing[1].cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    assert await bucket.keys() == ["k0", "k2"]


async def test_timers_set_together_fire_each_with_its_identity(bus: Bus) -> None:
    """And one that is set again later is another timer."""
    at = datetime.now(UTC) + timedelta(seconds=1)
    names = [f"grouped.{n}" for n in range(20)]
    await asyncio.gather(
        *(bus.schedule(name, at, name.encode(), message_id=f"id-{name}") for name in names)
    )
    await bus.schedule(names[0], at + timedelta(hours=1), b"later", message_id="later")

    async def due() -> dict[str, str] | None:
        fired = {
            one.body.decode(): one.headers.get("AppShield-Message-Id", "")
            async for one in bus.read(TIMERS, filters=("appshield.v1.due.grouped.>",))
        }
        return fired if len(fired) == len(names) - 1 else None

    fired = await wait_until(due, deadline_s=20, what="all timers are due")
    assert fired == {name: f"id-{name}" for name in names[1:]}
    await bus.cancel_timer(names[0])


async def test_an_older_server_gets_no_batches(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """With which they were never tried."""
    monkeypatch.setattr(grouping, "_OLDEST_SERVER", (99, 0))
    spec = scratch_bucket()
    await bus.ensure_bucket(spec)
    bucket = bus.bucket(spec, int)
    await asyncio.gather(*(bucket.put(f"k{n}", n) for n in range(5)))
    assert await batches_in(bus, f"KV_{spec.name}") == [""] * 5


async def test_a_lost_confirmation_of_a_batch_loses_and_doubles_nothing(
    embedded_bus: EmbeddedBus,
) -> None:
    """Each that goes by itself then finds that it is stored already."""
    spec = scratch_bucket()
    async with (
        TcpProxy("127.0.0.1", int(embedded_bus.url.rpartition(":")[2])) as proxy,
        connect_bus(_through(proxy, embedded_bus), name="grouped") as bus,
    ):
        await bus.ensure_bucket(spec)
        bucket = bus.bucket(spec, int)
        made = await asyncio.gather(*(bucket.create(f"k{n}", 0) for n in range(50)))
        proxy.cut_after_bytes = 0  # the next answer never comes
        writing = asyncio.gather(
            *(bucket.update(f"k{n}", n, revision) for n, revision in enumerate(made))
        )
        ended = await writing
        found = {one.key: one async for one in bucket.items()}
        assert {key: one.value for key, one in found.items()} == {f"k{n}": n for n in range(50)}
        assert [found[f"k{n}"].revision for n in range(50)] == ended


async def test_a_server_that_is_killed_in_the_middle_loses_nothing_that_was_confirmed(
    tmp_path: Path,
) -> None:
    """What was not confirmed is told as such."""
    spec = scratch_bucket()
    async with (
        running_bus(tmp_path) as server,
        connect_bus(server.access("tester"), name="grouped", publish_budget_s=2) as bus,
    ):
        await bus.ensure_bucket(spec)
        bucket = bus.bucket(spec, int)
        writing = [asyncio.create_task(bucket.create(f"k{n}", n)) for n in range(COUNT)]
        await asyncio.wait(writing, return_when=asyncio.FIRST_COMPLETED)
        server.kill()
        await server.wait()
        ended = await asyncio.gather(*writing, return_exceptions=True)
        confirmed = {f"k{n}" for n, one in enumerate(ended) if isinstance(one, int)}
        assert all(isinstance(one, int | AppShieldError) for one in ended)
        assert confirmed
        await server.stop()
        await server.start()
        async with connect_bus(server.access("tester"), name="again") as again:
            assert confirmed <= set(await again.bucket(spec, int).keys())


def _through(proxy: TcpProxy, server: EmbeddedBus) -> BusAccess:
    access = server.access("tester")
    return BusAccess(
        url=f"nats://127.0.0.1:{proxy.port}", user=access.user, seed_file=access.seed_file
    )
