"""Users with grants on a real server: what they can, what they cannot, and how they come and go."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from msgspec.structs import replace

from appshield.bus import BusAccess, connect_bus
from appshield.bus.buckets import stream_of
from appshield.bus.jetstream import JetStreamBus
from appshield.bus.keys import new_seed
from appshield.contracts import decode, encode, subjects
from appshield.contracts.documents import example
from appshield.contracts.health import HealthChanged
from appshield.contracts.identities import AppRef
from appshield.contracts.message import Message
from appshield.contracts.requests import RequestBackup, RequestForget, RequestRestore
from appshield.contracts.runs import Progress, RunChanged
from appshield.contracts.streams import BUCKETS, GRANTS, REQUESTS, RUNS, STATE, STREAMS
from appshield.doors.grants import Grant
from appshield.errors import DeniedError, NotFoundError
from appshield.local.bus_users import add_user, remove_user, tell_grants
from appshield.local.embedded.bus_configuration import STREAMS_ACCOUNT, account_of
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import running_bus
from waiting import wait_until

SHOP = AppRef(cluster="test", namespace="shop", name="web")
BANK = AppRef(cluster="test", namespace="bank", name="ledger")
GRANT = Grant(name="deploy", role="operator", cluster="test", namespaces=("shop",))
BACKUP = RequestBackup(app=SHOP, request_id="b", actor="deploy", door="bus")


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBus]:
    """A server with its streams, and one user with a grant."""
    async with running_bus(tmp_path_factory.mktemp("users")) as running:
        async with connect_bus(running.access("installer"), name="setup") as bus:
            await bus.ensure_topology()
        await add_user(running, GRANT)
        yield running


@asynccontextmanager
async def as_user(server: EmbeddedBus, name: str) -> AsyncIterator[JetStreamBus]:
    """Connect as one user."""
    async with connect_bus(server.access(name), name="test") as bus:
        assert isinstance(bus, JetStreamBus)
        yield bus


def seed_of(server: EmbeddedBus, name: str) -> str:
    """Read the secret key of a user; empty where there is none."""
    file = server.users_folder / f"{name}.nk"
    return file.read_text() if file.exists() else ""


def is_private(file: Path) -> bool:
    return file.stat().st_mode & 0o077 == 0


async def may_send(bus: JetStreamBus, subject: str, body: bytes = b"") -> bool:
    """Say whether the server lets something pass, whatever it answers."""
    try:
        await bus._connection.request(subject, body, timeout_s=0.3)
    except DeniedError:
        return False
    except Exception:  # noqa: BLE001 - nobody answers: it has passed
        return True
    return True


async def may_hear(bus: JetStreamBus, subject: str) -> bool:
    """Say whether the server lets somebody subscribe."""
    try:
        async with bus._connection.inbox(subject):
            return True
    except DeniedError:
        return False


async def test_a_user_asks_in_its_own_name_and_in_no_other(server: EmbeddedBus) -> None:
    """A stolen key claims to be nobody else, and comes through no other door."""
    async with as_user(server, "deploy") as bus:
        assert not (await bus.publish(BACKUP)).duplicate
        for forged in (
            replace(BACKUP, actor="eve"),
            replace(BACKUP, actor=""),
            replace(BACKUP, door="local"),
            replace(BACKUP, door="rest", actor="admin"),
            replace(BACKUP, door="object"),
            replace(BACKUP, app=BANK),
            RequestRestore(app=SHOP, request_id="r", actor="deploy", door="bus", version=1),
            RequestForget(
                app=SHOP, request_id="f", actor="deploy", door="bus", app_id="a", versions=(1,)
            ),
        ):
            with pytest.raises(DeniedError, match="user deploy may not publish on"):
                await bus.publish(forged)
        for forged_fact in (subjects.event("backup", "stored", SHOP), subjects.dead("planner")):
            assert not await may_send(bus, forged_fact)
        assert not await may_send(bus, subjects.command("snapshot", "take", SHOP))
        assert not await may_send(bus, subjects.signal("deployed"))


async def test_a_user_hears_the_facts_of_its_namespaces_and_no_others(server: EmbeddedBus) -> None:
    """As they are told, progress included."""
    heard: list[str] = []

    async def listener(message: Message, _: str) -> None:
        heard.append(f"{type(message).__name__} {message.app}")

    facts = f"{subjects.ROOT}.evt.run.changed.test.shop.*"
    live = f"{subjects.ROOT}.live.progress.test.shop.*"
    async with as_user(server, "deploy") as bus, as_user(server, "planner") as planner:
        async with bus.listen(facts, listener), bus.listen(live, listener):
            for app in (BANK, SHOP):
                changed = example(RunChanged)
                await planner.publish(_at(changed, app))
                await planner.tell(subjects.live("progress", app), _at(example(Progress), app))
            await wait_until(lambda: len(heard) > 1, deadline_s=15, what="both facts heard")
        assert sorted(heard) == ["Progress shop/web", "RunChanged shop/web"]
        for other in (
            f"{subjects.ROOT}.evt.run.changed.>",
            f"{subjects.ROOT}.evt.run.changed.test.bank.*",
            f"{subjects.ROOT}.evt.run.changed.*.shop.*",
            f"{subjects.ROOT}.live.>",
            f"{subjects.ROOT}.log.>",
            f"{subjects.ROOT}.cmd.>",
            "_INBOX_person.>",
            "_INBOX_planner.>",
            subjects.stored(STATE.name),
            "$KV.>",
        ):
            assert not await may_hear(bus, other), other


async def test_a_user_looks_up_what_was_told_last_of_its_namespaces(server: EmbeddedBus) -> None:
    """By the subject of the fact; a page of the stream would hold all applications."""
    async with as_user(server, "watcher") as watcher:
        for app in (BANK, SHOP):
            fact = _at(example(HealthChanged), app)
            await watcher.publish_raw(fact.subject(), encode(fact), message_id=app.name)
    ask = f"$JS.API.DIRECT.GET.{STATE.name}"
    latest = subjects.event("health", "changed", SHOP)
    async with as_user(server, "deploy") as bus:
        answer = await bus._connection.request(f"{ask}.{latest}", b"", timeout_s=5)
        assert decode(answer.body).app == SHOP
        assert not await may_send(bus, f"{ask}.{subjects.event('health', 'changed', BANK)}")
        assert not await may_send(bus, ask, b'{"seq":1}')
        assert not await may_send(bus, f"$JS.API.STREAM.MSG.GET.{STATE.name}", b'{"seq":1}')


async def test_a_user_reads_and_writes_no_bucket_and_no_stream(server: EmbeddedBus) -> None:
    """Neither by page, nor by key, nor by making a consumer."""
    async with as_user(server, "deploy") as bus:
        for bucket in BUCKETS:
            name = stream_of(bucket)
            assert not await may_send(bus, f"$KV.{bucket.name}.x", b"1")
            assert not await may_send(bus, f"$JS.API.DIRECT.GET.{name}.$KV.{bucket.name}.x")
            assert not await may_send(bus, f"$JS.API.STREAM.MSG.GET.{name}", b"{}")
            assert not await may_hear(bus, f"$KV.{bucket.name}.>")
        for stream in STREAMS:
            for verb in ("INFO", "PURGE", "DELETE", "MSG.DELETE"):
                assert not await may_send(bus, f"$JS.API.STREAM.{verb}.{stream.name}", b"{}")
            assert not await may_send(bus, f"$JS.API.CONSUMER.CREATE.{stream.name}", b"{}")


async def test_an_answer_goes_no_further_than_the_user_who_asked(server: EmbeddedBus) -> None:
    """The server sends answers wherever it is told to, past the permissions of who asks.

    A receipt written over a run, a fact as an order, or nothing found as the request to delete a
    stream, would be a way past every check.
    """
    fact = _at(example(HealthChanged), SHOP)
    nothing = subjects.event("health", "changed", replace(SHOP, name="nothing"))
    theirs = subjects.event("health", "changed", BANK)
    places = [
        f"$KV.{RUNS.name}.victim",
        f"$KV.{GRANTS.name}.deploy",
        subjects.command("version", "forget", SHOP),
        subjects.request("backup", BANK, door="bus", actor="other"),
        subjects.request("backup", SHOP, door="local", actor="admin"),
        theirs,
        f"$JS.API.STREAM.DELETE.{STATE.name}",
        f"$JS.API.STREAM.PURGE.{REQUESTS.name}",
    ]
    heard: list[Message] = []

    async def listener(message: Message, _: str) -> None:
        heard.append(message)

    await add_user(server, replace(GRANT, name="other", namespaces=("shop", "bank")))
    try:
        async with (
            as_user(server, "deploy") as deploy,
            as_user(server, "other") as other,
            as_user(server, "tester") as tester,
            other.listen(theirs, listener),
        ):
            await tester.publish_raw(fact.subject(), encode(fact), message_id="a fact")
            before = await _kept(tester)
            for number, place in enumerate(places):
                asked = encode(replace(BACKUP, request_id=f"answered {number}"))
                await deploy._connection.send(BACKUP.subject(), asked, reply=place)
                for look_up in (fact.subject(), nothing):
                    ask = f"$JS.API.DIRECT.GET.{STATE.name}.{look_up}"
                    await deploy._connection.send(ask, b"", reply=place)
            assert await deploy.newest(STATE, fact.subject())
            assert not (await deploy.publish(replace(BACKUP, request_id="the last"))).duplicate
            after = await _kept(tester)
    finally:
        await remove_user(server, "other")
    assert after == sorted([*before, *[BACKUP.subject()] * (len(places) + 1)])
    assert heard == []


async def _kept(bus: JetStreamBus) -> list[str]:
    """List the subjects of all that is kept anywhere."""
    kept = [one.subject for stream in STREAMS async for one in bus.read(stream)]
    for bucket in BUCKETS:
        kept += [f"{bucket.name} {key}" for key in await bus.bucket(bucket, int).keys()]
    return sorted(kept)


async def test_streams_of_a_server_without_accounts_are_found_again(tmp_path: Path) -> None:
    """They lay where the server keeps those of nobody in particular."""
    async with running_bus(tmp_path) as server, as_user(server, "installer") as bus:
        await bus.ensure_bucket(GRANTS)
        await bus.bucket(GRANTS, Grant).put("deploy", GRANT)
    streams = tmp_path / "data" / "jetstream"
    (streams / STREAMS_ACCOUNT).rename(streams / "$G")
    async with running_bus(tmp_path) as server, as_user(server, "installer") as bus:
        assert await bus.bucket(GRANTS, Grant).keys() == ["deploy"]


async def test_users_come_and_go_while_others_stay_connected(server: EmbeddedBus) -> None:
    """The server reads its configuration anew; whoever was there notices nothing."""
    heard: list[Message] = []

    async def listener(message: Message, _: str) -> None:
        heard.append(message)

    async with (
        as_user(server, "planner") as planner,
        as_user(server, "deploy") as deploy,
        deploy.listen(f"{subjects.ROOT}.evt.run.changed.test.shop.*", listener),
    ):
        access = await add_user(server, replace(GRANT, name="visitor"))
        key = server.users_folder / "visitor.nk"
        assert access.seed_file == str(key)
        assert is_private(key)
        visitor = await nats.connect(  # one that does not come again by itself
            access.url,
            nkeys_seed=access.seed_file,
            inbox_prefix=access.inbox_prefix,
            allow_reconnect=False,
            error_cb=_ignored,
        )
        asked = replace(BACKUP, actor="visitor", request_id="v")
        await visitor.jetstream().publish(asked.subject(), encode(asked))
        await remove_user(server, "visitor")
        await wait_until(lambda: visitor.is_closed, deadline_s=15, what="the visitor put out")
        assert seed_of(server, "visitor") == ""
        assert await planner.bucket(GRANTS, Grant).keys() == ["deploy"]
        assert (planner._connection.outages, deploy._connection.outages) == (0, 0)
        await deploy.publish(replace(BACKUP, request_id="still there"))
        await planner.publish(_at(replace(example(RunChanged), run="another"), SHOP))
        await wait_until(lambda: heard, deadline_s=30, what="a fact heard as before")
    with pytest.raises(NotFoundError, match="has no user visitor that was added"):
        await remove_user(server, "visitor")


async def _ignored(_: Exception) -> None:
    """Errors are what is waited for."""


async def test_another_grant_counts_at_once_for_who_is_connected(server: EmbeddedBus) -> None:
    """The key stays, so that the user need not be told."""
    more = replace(GRANT, role="restorer", namespaces=("shop", "bank"), signals=("deployed",))
    async with as_user(server, "deploy") as bus:
        key = seed_of(server, "deploy")
        await add_user(server, more)
        try:
            assert seed_of(server, "deploy") == key
            restore = RequestRestore(
                app=BANK, request_id="r", actor="deploy", door="bus", version=1
            )

            async def lets_pass() -> bool:
                return await may_send(bus, restore.subject(), b"x")

            await wait_until(lets_pass, deadline_s=15, what="the new grant counts")
            assert await may_send(bus, subjects.signal("deployed"), b"{}")
        finally:
            await add_user(server, GRANT)

        async def refuses() -> bool:
            return not await may_send(bus, restore.subject(), b"x")

        await wait_until(refuses, deadline_s=15, what="the old grant counts again")


async def test_users_are_there_after_a_restart_and_their_grants_are_told_anew(
    tmp_path: Path,
) -> None:
    """Also where the bus has lost its memory; users can be added while it does not run."""
    async with running_bus(tmp_path / "bus") as server:
        await add_user_without_topology(server, GRANT)
    stopped = EmbeddedBus(tmp_path / "bus")
    await add_user(stopped, replace(GRANT, name="later"))
    await remove_user(stopped, "deploy")
    async with running_bus(tmp_path / "bus") as server:
        assert [grant.name for grant in server.granted()] == ["later"]
        async with as_user(server, "installer") as bus:
            await bus.ensure_topology()
            await bus.bucket(GRANTS, Grant).put("gone", GRANT)
            await tell_grants(bus, server.granted())
            assert await bus.bucket(GRANTS, Grant).keys() == ["later"]
        async with as_user(server, "later") as bus:
            assert await bus.health() == ""


async def add_user_without_topology(server: EmbeddedBus, grant: Grant) -> None:
    async with as_user(server, "installer") as bus:
        await bus.ensure_bucket(GRANTS)
        await bus.ensure_stream(STATE)
    await add_user(server, grant)


@pytest.mark.parametrize("user", ["stranger", "planner"])
async def test_a_stranger_cannot_connect(server: EmbeddedBus, user: str, tmp_path: Path) -> None:
    """Neither without a key nor with one that nobody was given, whatever it calls itself."""
    for seed in ("", new_seed()):
        file = tmp_path / "key"
        file.write_text(seed)
        access = BusAccess(url=server.url, user=user, seed_file=str(file) if seed else "")
        with pytest.raises(DeniedError, match=f"does not know the key of user {user}"):
            async with connect_bus(access, name="stranger", deadline_s=10):
                raise AssertionError("it was let in")


def _at(message: Message, app: AppRef) -> Message:
    return replace(message, app=app)


async def test_users_that_come_and_go_at_one_moment_are_all_what_they_became(
    server: EmbeddedBus,
) -> None:
    """Commands are processes that read and write the same file: none undoes what another did."""
    folder = server.users_folder.parent
    names = [f"tool-{number}" for number in range(3)]
    await add_user(server, replace(GRANT, name="leaving"))
    grants = [replace(GRANT, name=name, namespaces=(name,)) for name in names]
    twice = [replace(GRANT, name="twice", namespaces=(name,)) for name in names]
    await asyncio.gather(
        *(add_user(EmbeddedBus(folder), grant) for grant in (*grants, *twice)),
        remove_user(EmbeddedBus(folder), "leaving"),
    )
    try:
        stands = {grant.name: grant for grant in server.granted()}
        async with as_user(server, "planner") as planner:
            bucket = planner.bucket(GRANTS, Grant)
            for name in (*names, "twice"):
                entry = await bucket.get(name)
                assert entry is not None
                assert entry.value == stands[name]
                request = replace(
                    BACKUP, actor=name, app=replace(SHOP, namespace=stands[name].namespaces[0])
                )
                async with as_user(server, name) as bus:
                    await bus.publish(request)
        assert "leaving" not in stands
        with pytest.raises(NotFoundError):
            server.access("leaving")
    finally:
        for name in (*names, "twice"):
            await remove_user(server, name)


def test_what_the_server_is_told_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    """Without a server, too: each of many commands finds what the one before has written."""
    started = EmbeddedBus(tmp_path)
    (tmp_path / "server.conf").write_text("{}")
    (tmp_path / "address.json").write_text('{"port": 1}')
    with ThreadPoolExecutor(8) as commands:
        grants = [replace(GRANT, name=f"tool-{number}") for number in range(24)]
        for done in [commands.submit(EmbeddedBus(tmp_path).grant, grant) for grant in grants]:
            done.result()
    told = json.loads((tmp_path / "server.conf").read_text())
    assert {account_of(grant.name) for grant in started.granted()} == told["accounts"].keys()
    assert len(told["accounts"]) == len(grants)
