"""Where the gate is asked: where records say so, and everywhere while they follow a policy."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.identities import AppRef
from appshield.contracts.policies import PolicyRecord, policy_key, policy_place
from appshield.contracts.streams import APPLICATIONS, POLICIES
from appshield.gate import GateAddress
from appshield.kubernetes.kinds import WEBHOOK_CONFIGURATION
from appshield.service import SystemClock
from appshield.watcher import gate_keeping
from appshield.watcher.gate_keeping import GateKeeping
from appshield.watcher.gate_webhooks import IGNORE_CONFIGURATION
from fake_kubernetes import FakeKubernetes
from memory_bus import MemoryBus
from waiting import wait_until

DEADLINE_S = 30
GATE = Protection(name="guard", trigger="gate", before=("rollout",))
GUARD = PolicyRecord(app=policy_place("test", "guard"), uid="p", match="true", protections=(GATE,))
KEY = policy_key(GUARD.app)


async def test_the_gate_is_asked_everywhere_until_records_have_followed_a_policy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From before it is in force, and then where its applications are."""
    monkeypatch.setattr(gate_keeping, "_EVERY_S", 0.3)
    bus, stopping = MemoryBus(), asyncio.Event()
    records, policies = (
        bus.bucket(APPLICATIONS, ApplicationRecord),
        bus.bucket(POLICIES, PolicyRecord),
    )
    for name in ("blog", "shop"):
        app = AppRef(cluster="test", namespace=name, name=name)
        record = ApplicationRecord(app_id=name, app=app, uid=name, vault="v", state="active")
        await records.put(name, record)
    gone = replace(record, app_id="old", app=replace(app, namespace="old"), state="orphaned")
    await records.put("old", gone)
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        keeping = GateKeeping(
            records=records,
            policies=policies,
            cluster=cluster,
            cluster_name="test",
            address=GateAddress.read("https://10.0.0.1:8443"),
            clock=SystemClock(),
        )

        async def asked_in(*expected: str) -> None:
            async def is_so() -> bool:
                found = await cluster.get(WEBHOOK_CONFIGURATION, IGNORE_CONFIGURATION)
                hooks = found["webhooks"] if found else []
                named = [
                    space
                    for hook in hooks
                    for one in hook["namespaceSelector"]["matchExpressions"]
                    if (one["key"], one["operator"]) == ("kubernetes.io/metadata.name", "In")
                    for space in one["values"]
                ]
                return set(named) == set(expected)

            await wait_until(is_so, deadline_s=DEADLINE_S, what=f"asked in {expected}")

        keeping_it = asyncio.create_task(keeping.keep_installed(stopping))
        await asked_in()
        await policies.put(KEY, GUARD)
        await asked_in("blog", "shop")
        since = datetime(2026, 11, 30, tzinfo=UTC)
        await records.put("shop", replace(record, protections=(GATE,)))
        await policies.put(KEY, replace(GUARD, in_force_since=since, settled=True))
        await asked_in("shop")
        stopping.set()
        await records.put("old", gone)
        await policies.put(KEY, GUARD)
        keeping_it.cancel()
        await asyncio.gather(keeping_it, return_exceptions=True)
