"""No secret that somebody sends over REST is on record or in a log, whatever comes of it."""

import secrets

import structlog

from appshield.contracts import encode, streams
from appshield.contracts.audit import AuditEvent
from appshield.gateway.api.application import PATH
from appshield.gateway.api.frame.audit_on_bus import BusAuditor
from appshield.kubernetes import kinds
from fake_kubernetes import FakeKubernetes
from fixed_clock import FixedClock
from memory_bus import MemoryBus
from planned_versions import NOW
from planting import forms
from rest_api import ADMIN, CLUSTER, rest_api, served, talking_to

PLACES = ("token", "cookie", "code", "pasted", "hook", "annotation", "broken", "wrong", "signal")
PLANTED = {place: f"planted-{place}-{secrets.token_hex(12)}" for place in PLACES}
DOCUMENT = f"""\
apiVersion: appshield.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: shop, annotations: {{note: {PLANTED["annotation"]}}}}}
spec:
  components:
    - name: db
      workload: {{kind: StatefulSet, name: db}}
      dump: {{command: [sh, -c, "PASSWORD={PLANTED["hook"]} dump"]}}
      load: {{command: [sh, -c, load]}}
"""
WRONG = DOCUMENT.replace("  components:", f"  password: {PLANTED['wrong']}\n  components:")
BROKEN = f"{{{{ {PLANTED['broken']}: ["
APPLICATION = f"{PATH}/documents/Application/shop/web"


async def test_no_secret_that_somebody_sends_is_on_record_or_in_a_log() -> None:
    """Accepted or refused, known or not; that it was tried is on record, without what was sent."""
    bus = MemoryBus("gateway")
    with structlog.testing.capture_logs() as logs:
        async with FakeKubernetes() as fake, fake.cluster() as cluster:
            fake.serve(kinds.APPLICATION)
            fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
            auditor = BusAuditor(bus, CLUSTER, FixedClock(NOW))
            async with served(rest_api(bus, cluster=cluster, auditor=auditor)) as address:
                statuses = await _sent(address)
        assert statuses == [401, 401, 401, 401, 201, 422, 422, 202]
    told = bus.published(streams.OBSERVATIONS)
    actions = {event.action for event in told if isinstance(event, AuditEvent)}
    assert {"write-document", "signal"} <= actions
    written = [repr(logs).encode(), *(encode(message) for message in told)]
    for stream in streams.STREAMS:
        if stream is not streams.SIGNALS:  # what is sent as a signal is what rules look at
            written += [stored.body async for stored in bus.read(stream)]
    found = [
        (secret, text)
        for text in written
        for secret in PLANTED.values()
        if any(form in text for form in forms(secret))
    ]
    assert found == []


async def _sent(address: str) -> list[int]:
    """Send each of the planted secrets where it could be; return how it was answered."""
    cookie = {"Cookie": f"appshield-session-8470={PLANTED['cookie']}"}
    by_page = {"X-AppShield": "1"}
    async with talking_to(address, PLANTED["token"]) as stranger:
        answers = [await stranger.get(f"{PATH}/applications")]
    async with talking_to(address, "") as nobody:
        answers.append(await nobody.get(f"{PATH}/applications", headers=cookie))
        bodies = {"code": PLANTED["code"]}, {"token": PLANTED["pasted"]}
        answers += [
            await nobody.post(f"{PATH}/session", json=body, headers=by_page) for body in bodies
        ]
    async with talking_to(address, ADMIN) as admin:
        answers += [await admin.put(APPLICATION, content=text) for text in (DOCUMENT, WRONG)]
        answers.append(await admin.put(APPLICATION, content=BROKEN))
        payload = {"password": PLANTED["signal"]}
        answers.append(await admin.post(f"{PATH}/signals/deploy", json=payload))
    return [answer.status_code for answer in answers]
