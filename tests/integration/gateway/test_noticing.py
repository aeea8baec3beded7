"""Notices over real NATS and HTTP: sent until they arrive, signed, or parked among dead letters."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from appshield.bus import Bus, connect_bus
from appshield.contracts.cloud_events import CloudEvent
from appshield.contracts.health import Health, HealthReason, SendNotice
from appshield.contracts.identities import AppRef
from appshield.contracts.streams import DEAD, GATEWAY_ORDERS
from appshield.gateway.noticing import Notices
from appshield.kubernetes.kinds import POLICY
from appshield.language.kinds import Policy
from appshield.language.object_reading import read_object
from appshield.language.reaction_names import digest_of
from appshield.language.resolving import resolve_policy
from appshield.service import SystemClock
from embedded_bus import running_bus
from fake_kubernetes import FakeKubernetes
from waiting import wait_until
from webhook_receiver import Receiver

KEY = b"0123456789abcdef0123456789abcdef"
APP = AppRef(cluster="test", namespace="shop", name="shop")
DEADLINE_S = 30


class Place:
    """A receiver, the policy that names it, and a gateway that sends."""

    def __init__(self, bus: Bus, fake: FakeKubernetes, receiver: Receiver) -> None:
        self.bus = bus
        self.fake = fake
        self.receiver = receiver
        self.digest = ""

    def apply(self, **notify: Any) -> None:
        """Apply the policy."""
        told = {"webhook": self.receiver.url, **notify}
        reaction = {"when": "health == 'Degraded'", "do": {"notify": told}}
        spec = {"match": "true", "react": [reaction]}
        policy = {
            "apiVersion": POLICY.api_version,
            "kind": "Policy",
            "metadata": {"name": "gold"},
            "spec": spec,
        }
        read = read_object(self.fake.put(policy))
        assert isinstance(read, Policy)
        (resolved,) = resolve_policy(read).react
        self.digest = digest_of(resolved)

    def notice(self, name: str) -> SendNotice:
        reason = HealthReason(object="Pod p", why="container web: ImagePullBackOff")
        now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        health = Health(status="Degraded", since=now, reasons=(reason,), reasons_total=1)
        return SendNotice(
            app=APP,
            notice=name,
            app_id="a-1",
            policy="gold",
            reaction=self.digest,
            at=now,
            health=health,
        )

    async def dead(self) -> list[str]:
        """Return why messages were parked."""
        return [str(stored.headers) async for stored in self.bus.read(DEAD)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    receiver, stopping = Receiver(), asyncio.Event()
    async with (
        running_bus(tmp_path / "bus") as server,
        connect_bus(server.access("tester"), name="tests") as bus,
        connect_bus(server.access("gateway"), name="gateway") as gateway,
        receiver.running(),
        FakeKubernetes() as fake,
        fake.cluster() as cluster,
        aiohttp.ClientSession() as session,
        asyncio.TaskGroup() as tasks,
    ):
        await bus.ensure_topology()
        fake.serve(POLICY)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "alerts", "namespace": "default"},
            "data": {"secret": base64.b64encode(KEY).decode()},
        }
        fake.put(secret)
        notices = Notices(cluster, session, SystemClock())
        tasks.create_task(gateway.consume(GATEWAY_ORDERS, notices.handle, stopping=stopping))
        try:
            yield Place(bus, fake, receiver)
        finally:
            stopping.set()


async def test_a_receiver_that_fails_twice_gets_the_notice_signed(place: Place) -> None:
    """The same event each time, so that who takes it twice can tell."""
    place.apply(secret={"namespace": "default", "name": "alerts"})
    place.receiver.answers = [503, 500]
    await place.bus.publish(place.notice("n-1"))
    got = place.receiver.got
    await wait_until(lambda: len(got) == 3, deadline_s=DEADLINE_S, what="a third try")
    assert len({body for _, body in got}) == 1
    headers, body = got[-1]
    assert headers["Content-Type"] == "application/cloudevents+json"
    event = msgspec.json.decode(body, type=CloudEvent)
    assert (event.id, event.source, event.subject) == ("n-1", "appshield/test", "shop/shop")
    assert event.data.health is not None
    assert event.data.health.reasons[0].why == "container web: ImagePullBackOff"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(KEY, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert await place.dead() == []


async def test_what_a_receiver_refuses_is_a_dead_letter_without_its_address(place: Place) -> None:
    place.apply()
    place.receiver.answers = [404]
    await place.bus.publish(place.notice("n-2"))
    (dead,) = await wait_until(place.dead, deadline_s=DEADLINE_S, what="a dead letter")
    assert "refuses the notice with 404" in dead
    assert "secret-token" not in dead
    assert len(place.receiver.got) == 1


async def test_a_secret_that_is_missing_sends_nothing_unsigned(place: Place) -> None:
    place.apply(secret={"namespace": "default", "name": "other"})
    await place.bus.publish(place.notice("n-3"))
    (dead,) = await wait_until(place.dead, deadline_s=DEADLINE_S, what="a dead letter")
    assert "Secret default/other" in dead
    assert place.receiver.got == []


async def test_what_a_policy_does_not_ask_for_any_more_is_not_sent(place: Place) -> None:
    place.apply()
    old = place.notice("n-4")
    place.apply(signal="late")
    await place.bus.publish(old)
    await place.bus.publish(place.notice("n-5"))
    got = place.receiver.got
    await wait_until(lambda: got, deadline_s=DEADLINE_S, what="the second notice")
    assert [headers["webhook-id"] for headers, _ in got] == ["n-5"]
