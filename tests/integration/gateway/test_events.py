"""Events over a real bus and real sockets, with gateways that are killed and readers that sleep."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest

from appshield.bus import Bus, connect_bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord, policy_place
from appshield.contracts.requests import Asked
from appshield.contracts.runs import Progress, Run, Trigger
from appshield.contracts.streams import APPLICATIONS, ASKED, POLICIES, REQUESTS, RUNS
from appshield.gateway.api.application import PATH
from appshield.local.embedded.message_bus import EmbeddedBus
from embedded_bus import running_bus
from planned_versions import NOW
from rest_api import CLUSTER
from rest_gateway_process import Event, GatewayProcess, bearer, events, gateway

DEADLINE_S = 60


class House:
    """A bus with applications in two namespaces, and a gateway."""

    def __init__(self, server: EmbeddedBus, bus: Bus, running: GatewayProcess) -> None:
        self.server = server
        self.bus = bus
        self.gateway = running
        self._records = bus.bucket(APPLICATIONS, ApplicationRecord)

    async def put(self, namespace: str = "shop", *, reason: str = "", version: int = 0) -> None:
        """Write an application."""
        place = AppRef(cluster=CLUSTER, namespace=namespace, name="web")
        record = ApplicationRecord(
            app_id=f"a-{namespace}",
            app=place,
            uid="u",
            vault="primary",
            state="active",
            refused=reason,
            last_version=version,
        )
        await self._records.put(record.app_id, record)

    async def remove(self, namespace: str) -> None:
        """Remove an application."""
        await self._records.delete(f"a-{namespace}")

    def listen(self, *, name: str = "admin", last: str = "", namespace: str = "") -> "Heard":
        """Listen to the gateway."""
        return Heard(events(self.gateway.url, name=name, last=last, namespace=namespace))


class Heard:
    """What a listener hears, with a deadline."""

    def __init__(self, source: AsyncIterator[Event]) -> None:
        self._source = source
        self.last = ""

    async def next(self) -> Event:
        """Wait for the next event."""
        async with asyncio.timeout(DEADLINE_S):
            event = await anext(self._source)
        self.last = event.id
        return event

    async def aclose(self) -> None:
        """Hang up."""
        if (close := getattr(self._source, "aclose", None)) is not None:
            await close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Run all of it."""
    async with (
        running_bus(tmp_path / "bus") as server,
        connect_bus(server.access("tester"), name="tests") as bus,
    ):
        await bus.ensure_topology()
        made = House(server, bus, GatewayProcess(server))
        for namespace in ("shop", "bank"):
            await made.put(namespace)
        await made.gateway.start()
        try:
            yield made
        finally:
            await made.gateway.kill()


def run_of(namespace: str) -> Run:
    """A backup of an application."""
    return Run(
        id="b-" + "0" * 20,
        kind="backup",
        app=AppRef(cluster=CLUSTER, namespace=namespace, name="web"),
        app_id=f"a-{namespace}",
        vault="primary",
        trigger=Trigger(kind="manual", identity="request/x"),
        state="running",
        epoch=1,
        requested_at=NOW,
    )


async def test_everything_of_an_application_comes_together(house: House) -> None:
    """Its summary, its runs, how far they are; policies beside it."""
    async with aclosing(house.listen()) as heard:
        while (await heard.next()).kind != "open":
            pass
        await house.bus.bucket(RUNS, Run).put("b-" + "0" * 20, run_of("shop"))
        seen = await heard.next()
        assert (seen.kind, seen.data["app_id"], seen.data["summary"]) == (
            "application",
            "a-shop",
            None,
        )
        assert [one["state"] for one in seen.data["runs"]] == ["running"]
        progress = Progress(
            app=run_of("shop").app,
            run="b-" + "0" * 20,
            step="store/volumes/data",
            worker="w",
            bytes_done=5,
        )
        await house.bus.tell("appshield.v1.live.progress.test.shop.web", progress)
        seen = await heard.next()
        assert (seen.data["app_id"], seen.data["progress"][0]["bytes_done"]) == ("a-shop", 5)
        await house.put(reason="line 3: wrong")
        assert (await heard.next()).data["summary"]["refused"] == "line 3: wrong"
        place = policy_place(CLUSTER, "gold")
        policies = house.bus.bucket(POLICIES, PolicyRecord)
        await policies.put("test.gold", PolicyRecord(app=place, uid="p"))
        seen = await heard.next()
        assert (seen.kind, seen.data) == ("policy", {"name": "gold", "gone": False})
        await house.remove("bank")
        seen = await heard.next()
        assert (seen.data["app_id"], seen.data["gone"], seen.data["summary"]) == (
            "a-bank",
            True,
            None,
        )
    async with (
        aiohttp.ClientSession(headers=bearer()) as session,
        session.get(f"{house.gateway.url}/runs/b-{'0' * 20}/progress") as answer,
    ):
        (step,) = (await answer.json())["steps"]
        assert (step["step"], step["bytes_done"]) == ("store/volumes/data", 5)


async def test_only_what_the_caller_may_see_is_told(house: House) -> None:
    """By the rights of each caller; a namespace narrows it."""
    async with (
        aclosing(house.listen(name="in-bank")) as of_bank,
        aclosing(house.listen(namespace="bank")) as narrowed,
    ):
        for heard in (of_bank, narrowed):
            while (await heard.next()).kind != "open":
                pass
        await house.put("shop", version=1)
        await house.put("bank", version=2)
        for heard in (of_bank, narrowed):
            seen = await heard.next()
            assert (seen.data["app_id"], seen.data["summary"]["last_version"]) == ("a-bank", 2)


async def test_a_burst_is_at_most_two_events_in_a_second(house: House) -> None:
    """And the last state is among them."""
    async with aclosing(house.listen(namespace="shop")) as heard:
        while (await heard.next()).kind != "open":
            pass
        began = time.monotonic()
        for version in range(1, 301):
            await house.put(version=version)
        told: list[int] = []
        while not told or told[-1] != 300:
            told.append((await heard.next()).data["summary"]["last_version"])
        took_s = time.monotonic() - began
    assert told == sorted(told)
    assert len(told) <= 2 * took_s + 2


async def test_a_listener_goes_on_behind_a_gateway_that_was_killed(house: House) -> None:
    """Nothing that happened meanwhile is missed, and what it knew does not come again."""
    async with aclosing(house.listen()) as heard:
        while (await heard.next()).kind != "open":
            pass
        await house.put("shop", version=1)
        await heard.next()
        await house.gateway.kill()
        with pytest.raises((aiohttp.ClientError, StopAsyncIteration)):
            await heard.next()
        last = heard.last
    await house.put("bank", version=7)
    await house.gateway.start()
    async with aclosing(house.listen(last=last)) as again:
        seen = await again.next()
        assert (seen.data["app_id"], seen.data["summary"]["last_version"]) == ("a-bank", 7)
        assert (await again.next()).kind == "open"
        await house.put("shop", version=2)
        assert (await again.next()).data["summary"]["last_version"] == 2


async def test_a_position_that_is_not_known_any_more_is_reset(house: House) -> None:
    """So is one of before something went that nobody can name any more, and one that is none."""
    async with aclosing(house.listen()) as heard:
        while (opened := await heard.next()).kind != "open":
            pass
    await house.gateway.kill()
    await house.remove("bank")
    await house.gateway.start()
    applications, runs, policies, at = opened.id.split("-")
    old = int(at) - 4000
    ahead = int(applications) + 1000
    for position in (
        opened.id,
        f"{applications}-{runs}-{policies}-{old}",
        f"{ahead}-{runs}-{policies}-{at}",
        "nonsense",
    ):
        async with aclosing(house.listen(last=position)) as again:
            assert (await again.next()).kind == "reset", position
            with pytest.raises(StopAsyncIteration):
                await again.next()


async def test_a_reader_that_sleeps_is_reset_and_closed(house: House) -> None:
    """It hears of that when it wakes; nobody else waits for it."""
    ours = socket.socket()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ours.setblocking(False)
    await asyncio.get_running_loop().sock_connect(ours, ("127.0.0.1", house.gateway.port))
    reader, writer = await asyncio.open_connection(sock=ours, limit=2**20)
    head = f"GET {PATH}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin"
    writer.write(f"{head}\r\n\r\n".encode())
    assert b"200" in await reader.readline()
    assert isinstance(writer.transport, asyncio.ReadTransport)
    writer.transport.pause_reading()
    async with aclosing(house.listen(namespace="shop")) as heard:
        while (await heard.next()).kind != "open":
            pass
        for version in range(1, 41):
            await house.put(version=version, reason="x" * 200_000)
            await heard.next()
    writer.transport.resume_reading()
    async with asyncio.timeout(DEADLINE_S):
        content = await reader.read()
    assert content.count(b"event: application") < 40
    assert content.rstrip(b"\r\n0").endswith(b'"}')
    assert content.rfind(b"event: reset") > content.rfind(b"event: application")
    writer.close()


async def test_the_same_key_at_two_gateways_at_once_is_one_run(house: House) -> None:
    """One request on the bus; it is written down as published."""
    async with gateway(house.server) as other, aiohttp.ClientSession() as session:

        async def ask(url: str) -> str:
            headers = bearer() | {"Idempotency-Key": "deploy-1"}
            address = f"{url}/applications/shop/web/backups"
            async with session.post(address, json={}, headers=headers) as answer:
                assert answer.status == 202, await answer.text()
                return str((await answer.json())["run"])

        urls = [house.gateway.url, other.url] * 4
        runs = set(await asyncio.gather(*map(ask, urls)))
        await house.gateway.kill()
        runs.add(await ask(other.url))
    (run,) = runs
    stored = [one async for one in house.bus.read(REQUESTS)]
    assert len(stored) == 1
    entry = await house.bus.bucket(ASKED, Asked).get(run)
    assert entry is not None
    assert (entry.value.published, entry.value.actor) == (True, "admin")
