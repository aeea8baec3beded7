"""Every user can do all of its part, and nothing else. On a real server, with real keys."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import get_args

import pytest

from appshield.bus import Bus, Delivery, connect_bus
from appshield.bus.buckets import stream_of
from appshield.bus.jetstream import JetStreamBus
from appshield.contracts import encode, subjects
from appshield.contracts.agent_consumers import agent_consumer
from appshield.contracts.agents import AgentService
from appshield.contracts.message import Door, Message
from appshield.contracts.permissions import (
    OPERATOR,
    PERSON,
    PLANNER,
    USERS,
    UserSpec,
    users_of,
)
from appshield.contracts.requests import RequestBackup
from appshield.contracts.stream_specs import BucketSpec, ConsumerSpec, StreamSpec
from appshield.contracts.streams import (
    AUDIT,
    BUCKETS,
    CATALOG,
    COMMANDS,
    CONSUMERS,
    DEAD,
    RUNS,
    STREAMS,
)
from appshield.errors import DeniedError, UnavailableError
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import APP, running_bus
from waiting import wait_until

DEADLINE_S = 15.0
NODE = "node-1"
ELSEWHERE = (
    agent_consumer("uploader", "test", "node-2"),
    agent_consumer("restorer", "other", "node-1"),
)
BODY = encode(RequestBackup(app=APP, request_id="probe"))
ON_NODE = users_of("test", NODE)
AGENT_SERVICES: tuple[AgentService, ...] = get_args(AgentService)
LENDING = (subjects.lend, subjects.lent)
AGENTS = tuple(agent_consumer(service, "test", NODE) for service in AGENT_SERVICES)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBus]:
    """A server whose streams these tests may fill with anything."""
    async with running_bus(tmp_path_factory.mktemp("permissions"), ON_NODE) as running:
        async with connect_bus(running.access("planner"), name="setup") as planner:
            await planner.ensure_topology()
            for agent in (*AGENTS, *ELSEWHERE):
                await planner.ensure_consumer(agent)
        yield running


@pytest.fixture(params=ON_NODE, ids=lambda user: user.name)
async def user(request: pytest.FixtureRequest) -> UserSpec:
    """Every user in turn."""
    found: UserSpec = request.param
    return found


@pytest.fixture
async def users_bus(server: EmbeddedBus, user: UserSpec) -> AsyncIterator[JetStreamBus]:
    """The user's own connection."""
    async with connect_bus(server.access(user.name), name="test") as bus:
        assert isinstance(bus, JetStreamBus)
        yield bus


async def may_publish(bus: JetStreamBus, subject: str, body: bytes = b"") -> bool:
    """Send something and say whether the server let it pass, answered or not."""
    try:
        await bus._connection.request(subject, body, timeout_s=0.3)
    except DeniedError:
        return False
    except UnavailableError:  # a refusal comes before the answer to a later question
        assert not await bus.health()
        try:
            bus._connection.ensure_allowed(subject)
        except DeniedError:
            return False
    return True


async def may_listen(bus: JetStreamBus, subject: str) -> bool:
    """Subscribe and say whether the server let it."""
    try:
        async with bus._connection.inbox(subject):
            return True
    except DeniedError:
        return False


def concrete(pattern: str) -> str:
    """Fill the wildcards of a pattern."""
    return pattern.replace("*", "x").replace(">", "x.y")


def everything_published() -> list[str]:
    """List one subject for everything that anybody publishes, or that a stream keeps."""
    patterns = {pattern for one in ON_NODE for pattern in one.publishes}
    patterns |= {pattern for stream in STREAMS for pattern in stream.subjects}
    patterns |= {f"{subjects.ROOT}.dead.{one.name}" for one in ON_NODE}
    patterns |= {say(service, "test", "node-2") for service in AGENT_SERVICES for say in LENDING}
    patterns |= {subjects.stored(COMMANDS.name)}
    return sorted(concrete(pattern) for pattern in patterns if pattern.startswith(subjects.ROOT))


def allows(patterns: Iterable[str], subject: str) -> bool:
    return any(subjects.matches(subject, pattern) for pattern in patterns)


async def test_a_user_publishes_its_own_subjects_only(
    users_bus: JetStreamBus, user: UserSpec
) -> None:
    """Of all subjects in the system exactly those of its description are let through.

    The audit is the planner's alone, whatever else a wildcard gives.
    """
    probed = everything_published()
    passed = [one for one in probed if await may_publish(users_bus, one, BODY)]
    writes_audit = user.name == "planner"
    own = [one for one in probed if allows(user.publishes, one)]
    assert passed == [one for one in own if one != subjects.AUDITED or writes_audit]


async def test_a_user_takes_its_own_orders_only(users_bus: JetStreamBus, user: UserSpec) -> None:
    """It may ask for the next message of its own consumers, and settle them; of no other's."""
    passed = []
    for consumer in CONSUMERS:
        ask = f"$JS.API.CONSUMER.MSG.NEXT.{consumer.stream}.{consumer.name}"
        settle = f"$JS.ACK.{consumer.stream}.{consumer.name}.1.9999.1.1.0"
        asks = await may_publish(users_bus, ask, b'{"batch":1,"no_wait":true}')
        settles = await may_publish(users_bus, settle, b"+WPI")
        if user.administers:
            assert asks
            asks = settles  # an administrator may ask for everything, and settles its own
        assert asks == settles
        if asks:
            passed.append(consumer)
    assert passed == [one for one in CONSUMERS if one in user.consumes]


async def test_a_user_writes_its_own_keys_only(users_bus: JetStreamBus, user: UserSpec) -> None:
    """A key can be put where its description says, and nowhere else."""
    passed = [one for one in BUCKETS if await may_publish(users_bus, f"$KV.{one.name}.probe", b"1")]
    assert passed == [one for one in BUCKETS if one in user.keeps]
    keys = [f"$KV.{one.bucket.name}.{concrete(one.pattern)}" for one in user.keeps_below]
    assert [key for key in keys if not await may_publish(users_bus, key, b"1")] == []


async def test_only_administrators_change_the_server(
    users_bus: JetStreamBus, user: UserSpec
) -> None:
    """Streams and consumers are made, purged and removed by nobody else."""
    operations = [
        "STREAM.CREATE.X",
        f"STREAM.UPDATE.{DEAD.name}",
        "STREAM.DELETE.X",
        "STREAM.PURGE.X",
        "STREAM.MSG.DELETE.X",
        f"CONSUMER.CREATE.{DEAD.name}.x",
        f"CONSUMER.CREATE.{DEAD.name}.x.{subjects.ROOT}.dead.y",
        f"CONSUMER.DURABLE.CREATE.{DEAD.name}.x",
        f"CONSUMER.DELETE.{DEAD.name}.x",
    ]
    passed = [one for one in operations if await may_publish(users_bus, f"$JS.API.{one}", b"{")]
    assert passed == (operations if user.administers else [])


async def test_a_user_hears_its_own_answers_only(users_bus: JetStreamBus, user: UserSpec) -> None:
    """Nobody listens to another's inbox, or to everything."""
    assert await may_listen(users_bus, f"_INBOX_{user.name}.x.*")
    others = [one.name for one in USERS if one.name != user.name]
    for subject in (">", "_INBOX.>", "$KV.>", *(f"_INBOX_{name}.>" for name in others)):
        assert not await may_listen(users_bus, subject), subject


async def consumed(bus: Bus, consumer: ConsumerSpec) -> list[str]:
    """Consume until one message was handled."""
    stopping = asyncio.Event()
    seen: list[str] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery.subject)
        stopping.set()

    async with asyncio.timeout(DEADLINE_S):
        await bus.consume(consumer, handler, stopping=stopping)
    return seen


async def test_a_user_can_work_with_its_consumers(
    users_bus: JetStreamBus, user: UserSpec, server: EmbeddedBus
) -> None:
    """Take, handle and acknowledge, as in real life, on each consumer that is its own."""
    async with connect_bus(server.access("tester"), name="giver") as giver:
        for consumer in user.consumes:
            if not consumer.filters[0].startswith("$JS"):
                subject = concrete(consumer.filters[0])
                await giver.publish_raw(subject, BODY, message_id=f"work.{consumer.name}")
                assert await consumed(users_bus, consumer)


async def test_a_user_can_read_what_it_reads(users_bus: JetStreamBus, user: UserSpec) -> None:
    """Streams are read and followed, single messages looked at."""
    for stream in user.reads:
        stored = [one async for one in users_bus.read(stream)]
        if stored:
            assert await users_bus.message_at(stream, stored[0].sequence) == stored[0]
        assert await may_listen(users_bus, subjects.stored(stream.name))


async def test_a_user_can_keep_and_look_at_keys(users_bus: JetStreamBus, user: UserSpec) -> None:
    """Its buckets can be created in, updated, listed, watched; others' be looked at."""
    for spec in user.keeps:
        bucket = users_bus.bucket(spec, int)
        revision = await bucket.create(f"part.{user.name}", 1)
        revision = await bucket.update(f"part.{user.name}", 2, revision)
        await bucket.delete(f"part.{user.name}", revision=revision)
    for spec in (*user.keeps, *user.looks_at):
        bucket = users_bus.bucket(spec, int)
        await bucket.keys()
        assert await bucket.get("nothing") is None
        stopping = asyncio.Event()
        async with asyncio.timeout(DEADLINE_S):
            async for change in bucket.watch("nothing", stopping=stopping):
                assert change.is_marker
                stopping.set()


async def test_a_user_can_hear_what_it_listens_to(users_bus: JetStreamBus, user: UserSpec) -> None:
    """Live news arrive for those who listen to them."""
    for pattern in user.listens:
        assert await may_listen(users_bus, pattern)


async def test_a_reader_cannot_read_other_streams(users_bus: JetStreamBus, user: UserSpec) -> None:
    """Neither by page nor by message, nor a bucket's keys."""
    if user.administers:
        return
    for stream in [one for one in STREAMS if one not in user.reads]:
        assert not await may_publish(users_bus, f"$JS.API.DIRECT.GET.{stream.name}", b"{}")
        assert not await may_publish(users_bus, f"$JS.API.STREAM.MSG.GET.{stream.name}", b"{}")
        assert not await may_listen(users_bus, subjects.stored(stream.name))
    for bucket in [one for one in BUCKETS if one not in (*user.keeps, *user.looks_at)]:
        where = stream_of(bucket)
        assert not await may_publish(users_bus, f"$JS.API.DIRECT.GET.{where}.$KV.x", b"")
        assert not await may_publish(users_bus, f"$JS.API.STREAM.MSG.GET.{where}", b"{}")


async def denied(server: EmbeddedBus, name: str, subject: str) -> bool:
    async with connect_bus(server.access(name), name="test") as bus:
        with pytest.raises(DeniedError, match=f"user {name} may not publish on"):
            await bus.publish_raw(subject, BODY, message_id="forged")
    return True


async def test_a_person_cannot_forge_an_outcome(server: EmbeddedBus) -> None:
    """Nobody but the uploader says that a backup is stored."""
    forged = subjects.event("backup", "stored", APP)
    assert await denied(server, "person", forged)
    assert await denied(server, "snapshotter", forged)
    assert await denied(server, "restorer", forged)


async def test_an_uploader_cannot_write_runs(server: EmbeddedBus) -> None:
    """Runs are the planner's; a worker only looks at them."""
    async with connect_bus(server.access("uploader"), name="test") as bus:
        runs = bus.bucket(RUNS, str)
        with pytest.raises(DeniedError):
            await runs.put("a", "forged")
        with pytest.raises(DeniedError):
            await runs.delete("a")
        assert await runs.get("a") is None


async def test_a_watcher_asks_for_what_objects_ask_for_and_cannot_order(
    server: EmbeddedBus,
) -> None:
    """Backups and restores, never an approval or the end of a version (decision 34)."""
    async with connect_bus(server.access("watcher"), name="test") as bus:
        await bus.publish(RequestBackup(app=APP, request_id="an-object", door="object"))
    assert await denied(server, "watcher", subjects.command("snapshot", "take", APP))
    for noun in ("approval", "forget", "run", "pause"):
        asked = subjects.request(noun, APP, door="object", actor="Backup shop/w")
        assert await denied(server, "watcher", asked)


@pytest.mark.parametrize("door", get_args(Door))
async def test_a_service_speaks_for_others_through_its_own_door_only(
    server: EmbeddedBus, door: Door
) -> None:
    """So that a stolen key of one service is no way in through the door of another."""
    through = {
        "local": {"person", "operator"},
        "rest": {"gateway", "operator"},
        "object": {"watcher", "operator"},
        "gate": {"operator"},
        "bus": {"operator"},
    }
    backup = subjects.request("backup", APP, door=door, actor="alice@example.com")
    for user in USERS:
        async with connect_bus(server.access(user.name), name="test") as bus:
            assert isinstance(bus, JetStreamBus)
            assert await may_publish(bus, backup, BODY) == (user.name in through[door]), user.name


async def test_a_watcher_cannot_delete_a_version(server: EmbeddedBus) -> None:
    """Not by asking, not by ordering, not by telling that it is gone, not in the catalog."""
    async with connect_bus(server.access("watcher"), name="test") as bus:
        assert isinstance(bus, JetStreamBus)
        ways = [
            *(subjects.request("forget", APP, door=d, actor="admin") for d in get_args(Door)),
            *(subjects.request("prune", APP, door=d, actor="admin") for d in get_args(Door)),
            subjects.command("version", "forget", APP),
            subjects.command("repository", "prune", APP),
            subjects.event("version", "forgotten", APP),
            f"$KV.{CATALOG.name}.a-1.1",
            f"$JS.API.STREAM.PURGE.{stream_of(CATALOG)}",
            f"$JS.API.STREAM.MSG.DELETE.{stream_of(CATALOG)}",
            f"$JS.API.STREAM.DELETE.{stream_of(CATALOG)}",
        ]
        passed = [way for way in ways if await may_publish(bus, way, BODY)]
        assert passed == []
        with pytest.raises(DeniedError):
            await bus.bucket(CATALOG, int).delete("a-1.1")


async def test_streams_are_purged_by_who_makes_them_only(server: EmbeddedBus) -> None:
    """An operator takes single dead letters away, and nothing else; the planner trims the audit."""
    for user in USERS:
        async with connect_bus(server.access(user.name), name="test") as bus:
            assert isinstance(bus, JetStreamBus)
            for stream in STREAMS:
                purge = f"$JS.API.STREAM.PURGE.{stream.name}"
                filtered = b'{"filter":"nothing.that.is.there"}'
                may = user.administers and (stream is not AUDIT or user.name == "planner")
                assert await may_publish(bus, purge, filtered) == may, user.name
                removal = f"$JS.API.STREAM.MSG.DELETE.{stream.name}"
                may = (user.administers and stream is not AUDIT) or stream in user.removes_from
                assert await may_publish(bus, removal, b'{"seq":999999}') == may, user.name
    assert [one.name for one in USERS if one.administers] == ["installer", "planner"]


async def test_a_person_asks_and_does_not_order(server: EmbeddedBus) -> None:
    """A request passes; the same work as an order, or through another door, does not."""
    async with connect_bus(server.access("person"), name="test") as bus:
        await bus.publish(RequestBackup(app=APP, request_id="asked"))
    assert await denied(server, "person", subjects.command("snapshot", "take", APP))
    assert await denied(server, "person", subjects.dead("planner"))
    assert await denied(server, "person", f"{subjects.ROOT}.audit.x")


@pytest.mark.parametrize("service", AGENT_SERVICES)
async def test_an_agent_takes_the_orders_of_its_own_node_and_service_only(
    server: EmbeddedBus, service: str
) -> None:
    """Neither those of another node, nor of another service on its node, nor those for any node."""
    async with connect_bus(server.access(f"{service}-agent"), name="test") as bus:
        assert isinstance(bus, JetStreamBus)
        taken = []
        for consumer in (*CONSUMERS, *AGENTS, *ELSEWHERE):
            ask = f"$JS.API.CONSUMER.MSG.NEXT.{consumer.stream}.{consumer.name}"
            settle = f"$JS.ACK.{consumer.stream}.{consumer.name}.1.9999.1.1.0"
            asks = await may_publish(bus, ask, b'{"batch":1,"no_wait":true}')
            assert await may_publish(bus, settle, b"+WPI") == asks
            if asks:
                taken.append(consumer.name)
        assert taken == [f"{service}-test-node-1"]


async def test_what_a_person_listens_to_is_what_a_planner_tells(server: EmbeddedBus) -> None:
    """Progress reaches the command line."""
    heard: list[Message] = []

    async def listener(message: Message, _: str) -> None:
        heard.append(message)

    place = subjects.live("progress", APP)
    async with (
        connect_bus(server.access("person"), name="person") as person,
        connect_bus(server.access("uploader"), name="uploader") as uploader,
        person.listen(f"{subjects.ROOT}.live.>", listener),
    ):
        await uploader.tell(place, RequestBackup(app=APP, request_id="x"))
        await wait_until(lambda: heard, deadline_s=DEADLINE_S, what="heard")


def test_the_descriptions_name_what_exists() -> None:
    """Streams, buckets and consumers of every user are those of the contracts."""
    streams: set[str] = {one.name for one in STREAMS}
    for one in USERS:
        reads: tuple[StreamSpec, ...] = one.reads
        kept: tuple[BucketSpec, ...] = (*one.keeps, *one.looks_at)
        assert {stream.name for stream in reads} <= streams
        assert {bucket.name for bucket in kept} <= {bucket.name for bucket in BUCKETS}
    assert {one.name for one in PLANNER.consumes} <= {one.name for one in CONSUMERS}
    assert not OPERATOR.administers
    assert not PERSON.administers


async def test_keys_of_users_are_files_of_their_own(server: EmbeddedBus) -> None:
    """Each user of the contracts has one."""
    files = {Path(server.access(one.name).seed_file).name for one in USERS}
    assert len(files) == len(USERS)
