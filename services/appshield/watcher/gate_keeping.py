"""Keep the gate's webhook installed as the applications in force want it, and its certificates.

What is there is compared with what is wanted after every change and every little while, so that
what somebody deletes comes back. A new authority is trusted by the API server before any gateway
can show a certificate of it. Without a gated application nothing is held; who writes one of
AppShield's own objects, or deletes one, is written down always.

Records follow a policy with a gate one by one. Until then the gate is asked in every namespace with
an application, and lets pass what it does not hold.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import structlog

from appshield.bus import Watchable
from appshield.contracts.applications import ApplicationRecord, Protection
from appshield.contracts.gates import Operation
from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.streams import APPLICATIONS, POLICIES
from appshield.errors import AppShieldError, DamagedError
from appshield.gate import (
    AUTHORITY_SECRET,
    Authority,
    GateAddress,
    authority_of,
    authority_secret,
    is_worn,
    new_authority,
)
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import (
    MUTATING_WEBHOOK_CONFIGURATION,
    SECRET,
    WEBHOOK_CONFIGURATION,
)
from appshield.service import Clock, pause
from appshield.watcher.gate_webhooks import (
    CONFIGURATIONS,
    REQUESTER_CONFIGURATION,
    GatedNamespaces,
    requester_configuration,
    webhook_configurations,
)
from appshield.watcher.own_namespace import ensure_own_namespace

_EVERY_S = 15.0
_SETTLE_S = 0.1
"""Many applications may change at once: the configurations are written once for all of them."""
_Held: TypeAlias = tuple[str, frozenset[Operation]]
"""The namespace of an application, and the operations that its record says wait there."""


class GateKeeping:
    """Installs and removes the webhook of one cluster."""

    def __init__(
        self,
        *,
        records: Watchable[ApplicationRecord],
        policies: Watchable[PolicyRecord],
        cluster: Cluster,
        cluster_name: str,
        address: GateAddress,
        clock: Clock,
    ) -> None:
        self._records = records
        self._policies = policies
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._address = address
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._settling: dict[str, frozenset[Operation]] = {}
        self._settled: set[str] = set()
        self._known: set[str] = set()
        self._news = asyncio.Event()
        self._problem = ""

    async def problems(self) -> str:
        """Say what is wrong, for the readiness of the service."""
        return self._problem

    async def keep_installed(self, stopping: asyncio.Event) -> None:
        """Keep it as it should be until told to stop; what is installed stays then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(stopping), name="gated applications")
            tasks.create_task(self._follow_policies(stopping), name="policies with gates")
            tasks.create_task(self._keep(stopping), name="webhook")

    async def _follow(self, stopping: asyncio.Event) -> None:
        async for change in self._records.watch(stopping=stopping):
            if change.is_marker:
                self._is_known(APPLICATIONS.name)
                continue
            before = self._held.pop(change.key, None)
            record = change.value
            ours = record is not None and record.app.cluster == self._cluster_name
            if record is not None and ours and record.state == "active":
                held = _held_by(record.protections)
                self._held[change.key] = (record.app.namespace, held)
            if self._matters(before) != self._matters(self._held.get(change.key)):
                self._news.set()
        self._news.set()

    def _matters(self, held: _Held | None) -> _Held | None:
        """Return an application's gates if it has some, or may be about to."""
        return held if held and (held[1] or self._settling) else None

    async def _follow_policies(self, stopping: asyncio.Event) -> None:
        async for change in self._policies.watch(stopping=stopping):
            policy = change.value
            if change.is_marker:
                self._is_known(POLICIES.name)
            elif policy is None or policy.settled:
                self._settled.add(change.key)
            elif policy.app.cluster == self._cluster_name:
                self._settled.discard(change.key)
                self._settling[change.key] = _held_by(policy.protections)
                self._news.set()
        self._news.set()

    def _is_known(self, bucket: str) -> None:
        self._known.add(bucket)
        self._news.set()

    async def _keep(self, stopping: asyncio.Event) -> None:
        await self._news.wait()
        while not stopping.is_set():
            await pause(stopping, _SETTLE_S)
            self._news.clear()
            if self._known == {APPLICATIONS.name, POLICIES.name}:
                await self._install()
            try:
                async with asyncio.timeout(_EVERY_S):
                    await self._news.wait()
            except TimeoutError:  # records that were written before have come by now
                for key in self._settled:
                    self._settling.pop(key, None)
                self._settled.clear()

    async def _install(self) -> None:
        try:
            await install_gate(self._cluster, self._namespaces(), self._address, self._clock.now())
        except AppShieldError as error:
            problem = f"the gate is not installed as it should be: {error}"
            if problem != self._problem:
                structlog.get_logger().warning("gate not installed", problem=str(error))
            self._problem = problem
        else:
            self._problem = ""

    def _namespaces(self) -> GatedNamespaces:
        settling = frozenset(held for one in self._settling.values() for held in one)
        places = list(self._held.values())

        def of(operation: Operation) -> frozenset[str]:
            everywhere = operation in settling
            return frozenset(space for space, held in places if everywhere or operation in held)

        return GatedNamespaces(rollout=of("rollout"), delete=of("delete"))


async def install_gate(
    cluster: Cluster, namespaces: GatedNamespaces, address: GateAddress, now: datetime
) -> None:
    """Bring webhook and certificates in line with what is gated; done again it changes nothing.

    Raises:
        DeniedError: a right is missing; the text names it.
    """
    there = await _authority(cluster)
    worn = there is None or is_worn(there, now)
    authority = new_authority(now, before=there) if there is None or worn else there
    for name, wanted in webhook_configurations(namespaces, address, authority).items():
        if wanted is None:
            await cluster.delete(WEBHOOK_CONFIGURATION, name)
        else:
            await cluster.apply(WEBHOOK_CONFIGURATION, wanted)
    await cluster.apply(MUTATING_WEBHOOK_CONFIGURATION, requester_configuration(address, authority))
    if worn:
        await _keep_authority(cluster, authority)


async def remove_gate(cluster: Cluster) -> list[str]:
    """Remove the webhooks, so that nothing waits for AppShield; return what was there.

    Raises:
        DeniedError: a right is missing; the text names it.
    """
    wanted = [
        *((WEBHOOK_CONFIGURATION, name) for name in CONFIGURATIONS),
        (MUTATING_WEBHOOK_CONFIGURATION, REQUESTER_CONFIGURATION),
    ]
    return [kind.described(name) for kind, name in wanted if await cluster.delete(kind, name)]


async def _authority(cluster: Cluster) -> Authority | None:
    secret = await cluster.get(SECRET, AUTHORITY_SECRET, SYSTEM_NAMESPACE)
    try:
        return authority_of(secret) if secret is not None else None
    except DamagedError as error:
        structlog.get_logger().warning("certificates made anew", problem=str(error))
        return None


async def _keep_authority(cluster: Cluster, authority: Authority) -> None:
    await ensure_own_namespace(cluster)
    await cluster.apply(SECRET, authority_secret(authority))


def _held_by(rules: Iterable[Protection]) -> frozenset[Operation]:
    """Name the operations that wait at the gates among some rules."""
    return frozenset(operation for rule in rules for operation in rule.before)
