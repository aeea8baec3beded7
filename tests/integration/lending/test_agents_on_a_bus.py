"""An agent on a real bus, with its own key there: what it is lent, and that this is all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from appshield.bus import Bus, connect_bus
from appshield.bus.jetstream import JetStreamBus
from appshield.contracts import encode, streams, subjects
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.permissions import users_of
from appshield.errors import AppShieldError, DeniedError
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import running_bus
from lending_scene import (
    BANK,
    CLUSTER,
    ELSEWHERE,
    NODE,
    SHOP,
    OneVault,
    agent_on,
    app_of,
    lending,
    order_of,
    put_on_record,
    run_of,
)
from planting import forms
from wanted_step import WantedStep

AGENT = "uploader-agent"


class House:
    """A bus with its users, a Vault, and an uploader that lends."""

    def __init__(self, server: EmbeddedBus, keys: OneVault, planner: Bus) -> None:
        self.server = server
        self.keys = keys
        self.planner = planner

    @asynccontextmanager
    async def as_agent(self) -> AsyncIterator[JetStreamBus]:
        async with connect_bus(self.server.access(AGENT), name="agent") as bus:
            assert isinstance(bus, JetStreamBus)
            yield bus


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A server whose agents are on one node, and whose uploader lends."""
    folder = tmp_path_factory.mktemp("lending")
    async with (
        running_bus(folder / "bus", users_of(CLUSTER, NODE)) as server,
        connect_bus(server.access("planner"), name="planner") as planner,
    ):
        await planner.ensure_topology()
        await planner.ensure_consumer(agent_consumer("uploader", CLUSTER, NODE))
        keys = OneVault(folder / "vault")
        async with (
            connect_bus(server.access("uploader"), name="uploader") as uploader,
            lending(uploader, keys),
        ):
            yield House(server, keys, planner)


async def test_an_agent_with_its_own_key_opens_what_it_was_given(house: House) -> None:
    """It locks the repository on record, works in it, and lets it go."""
    order = order_of(await put_on_record(house.planner, run_of(SHOP)))
    async with house.as_agent() as bus:
        async with agent_on(bus).held(order, WantedStep()) as held:
            assert held.repository.snapshots() is not None
            locks = await house.planner.bucket(streams.REPOSITORY_LOCKS, msgspec.Raw).keys()
            assert [key for key in locks if key.startswith("agents.uploader.test.node-1.a-shop.")]
        assert (await agent_on(bus).borrowed(order)).password == house.keys.password(SHOP)


async def test_an_agent_cannot_get_another_applications_key(house: House) -> None:
    """Not by asking: for another's run, within its own run, for a run that it says there is."""
    own = await put_on_record(house.planner, run_of(SHOP))
    others = await put_on_record(house.planner, run_of(BANK, node=ELSEWHERE))
    async with house.as_agent() as bus:
        for forged in (
            order_of(others),
            order_of(own, app_id=BANK),
            order_of(own, vault="another"),
            order_of(msgspec.structs.replace(run_of(BANK), id="b-forged")),
        ):
            with pytest.raises(DeniedError, match="is not lent to node-1"):
                await agent_on(bus).borrowed(forged)


def _ways_to_be_given_more(bus: JetStreamBus) -> dict[str, Callable[[], Awaitable[object]]]:
    """List what would let an agent ask for more, hear what others are lent, or forge its orders."""
    forged = run_of(BANK)
    body = encode(order_of(forged))
    locks = streams.REPOSITORY_LOCKS.name
    app = app_of(BANK)
    places = {
        "another node's request": subjects.lend("uploader", CLUSTER, ELSEWHERE),
        "another service's request": subjects.lend("restorer", CLUSTER, NODE),
        "an answer of who lends": subjects.lent("uploader", CLUSTER, NODE),
        "an order": subjects.command("source", "store", app, node=NODE),
        "a snapshot that was taken": subjects.event("snapshot", "taken", app),
        "volumes that were prepared": subjects.event("restore", "prepared", app),
        "an outcome of the snapshotter": f"$KV.{streams.RESULTS.name}.{forged.id}.take.1",
        "another agent's keys": f"$KV.{locks}.agents.uploader.test.node-2.x",
        "what it wrote itself": f"$JS.API.DIRECT.GET.KV_{locks}.x",
        "outcomes": f"$JS.API.DIRECT.GET.{streams.OUTCOMES.name}",
        "a run": f"$KV.{streams.RUNS.name}.{forged.id}",
        "a new consumer": f"$JS.API.CONSUMER.CREATE.{streams.COMMANDS.name}.x",
        "orders for any node": f"$JS.API.CONSUMER.MSG.NEXT.{streams.COMMANDS.name}.uploader-orders",
    }

    def publish(subject: str) -> Callable[[], Awaitable[object]]:
        return lambda: bus.publish_raw(subject, body, message_id="forged")

    async def listen(subject: str) -> None:
        async with bus.listen(subject, _ignore):
            pass

    hearing = {
        "what another node is lent": subjects.lent("uploader", CLUSTER, ELSEWHERE),
        "what another service is lent": subjects.lent("restorer", CLUSTER, NODE),
        "what anybody is lent": subjects.lent("uploader"),
        "requests": subjects.lend("uploader"),
    }
    ways = {name: publish(subject) for name, subject in places.items()}
    return ways | {name: (lambda where=where: listen(where)) for name, where in hearing.items()}


async def _ignore(*_: object) -> None:
    pass


async def test_no_subject_of_the_bus_gives_an_agent_more(house: House) -> None:
    """Whatever would make who lends believe something else is refused by the server."""
    let_through = []
    async with house.as_agent() as bus:
        for name, way in _ways_to_be_given_more(bus).items():
            try:
                await way()
            except DeniedError:
                continue
            except AppShieldError:
                pass
            let_through.append(name)
    assert let_through == []


async def test_no_stream_and_no_bucket_holds_a_key_that_can_be_read(house: House) -> None:
    """Neither what is stored, nor the files of the bus; plain and in base64."""
    order = order_of(await put_on_record(house.planner, run_of(SHOP)))
    async with house.as_agent() as bus, agent_on(bus).held(order, WantedStep()):
        pass
    secrets = [form for app_id in (SHOP, BANK) for form in forms(house.keys.password(app_id))]
    found = []
    async with connect_bus(house.server.access("operator"), name="search") as operator:
        for stream in streams.STREAMS:
            async for stored in operator.read(stream):
                found += [stored.subject for secret in secrets if secret in stored.body]
        for bucket in streams.BUCKETS:
            async for entry in operator.bucket(bucket, msgspec.Raw).items():
                found += [entry.key for secret in secrets if secret in bytes(entry.value)]
    files = [path for path in house.server.users_folder.parent.rglob("*") if path.is_file()]
    contents = {path: await asyncio.to_thread(path.read_bytes) for path in files}
    found += [path.name for path, text in contents.items() for secret in secrets if secret in text]
    assert found == []
    assert any(path.suffix == ".blk" for path in files)


async def test_a_run_that_has_ended_lends_nothing_any_more(house: House) -> None:
    """The same order, delivered once more."""
    order = order_of(await put_on_record(house.planner, run_of(SHOP)))
    async with house.as_agent() as bus:
        assert (await agent_on(bus).borrowed(order)).password
        await put_on_record(house.planner, run_of(SHOP), state="succeeded")
        with pytest.raises(DeniedError, match="the run has succeeded"):
            await agent_on(bus).borrowed(order)
