"""Wiring of the watcher: what is built from what, and what runs beside what."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

from appshield.bus import Bus, SharedWatch
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.streams import APPLICATIONS, POLICIES
from appshield.gate import GateAddress
from appshield.kubernetes import Cluster, Kind, Reflector
from appshield.kubernetes.kinds import (
    APPLICATION,
    BACKUP,
    NAMESPACE,
    POLICY,
    PROFILE,
    RESTORE,
    VAULT,
)
from appshield.language.adapters import chosen
from appshield.rights.access import Access
from appshield.rights.restoring import ClusterKinds
from appshield.rights.reviews import Reviews
from appshield.service import Joined, SystemClock, joined, put_aside, together
from appshield.watcher.adapting import Adapting, kind_of
from appshield.watcher.asking import AskedAnnotations
from appshield.watcher.broken_glass import BrokenGlass
from appshield.watcher.change_watch import ChangeWatch
from appshield.watcher.gate_keeping import GateKeeping
from appshield.watcher.health import HealthWatch
from appshield.watcher.informers import Informers
from appshield.watcher.kinds import install_kinds
from appshield.watcher.own_profiles import OwnProfiles
from appshield.watcher.policy_statuses import PolicyStatuses
from appshield.watcher.recording import Recording
from appshield.watcher.settings import Settings
from appshield.watcher.statuses import Statuses
from appshield.watcher.surroundings import Surroundings
from appshield.watcher.telling import Applications, Policies, Telling
from appshield.watcher.vault_statuses import VaultStatuses
from appshield.watcher.wish_rights import WishRights
from appshield.watcher.wishing import Wishing, installed_at


class _Known(NamedTuple):
    """What the planner keeps, watched once for all who follow it."""

    records: SharedWatch[ApplicationRecord]
    policies: SharedWatch[PolicyRecord]

    @classmethod
    def on(cls, bus: Bus) -> "_Known":
        """Build the watches."""
        applications, policies = (
            bus.bucket(APPLICATIONS, ApplicationRecord),
            bus.bucket(POLICIES, PolicyRecord),
        )
        return cls(SharedWatch(applications), SharedWatch(policies))

    def run(self, service: Joined) -> None:
        """Watch until the service is told to stop."""
        service.run(self.records.keep(service.stopping), "records of applications")
        service.run(self.policies.keep(service.stopping), "records of policies")


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Watch and tell until told to stop."""
    kubernetes = settings.cluster_access()
    async with (
        Cluster.connect(kubernetes) as cluster,
        joined(settings, "watcher", stopping) as service,
    ):
        if settings.install_kinds:
            await install_kinds(cluster)
        known = _Known.on(service.bus)
        statuses = Statuses(records=known.records, cluster=cluster, cluster_name=settings.cluster)
        surroundings = Surroundings()
        told = Telling(bus=service.bus, reading=Policies(settings.cluster), reporter=statuses)
        asked = AskedAnnotations(told, surroundings.look_again)
        describe = partial(surroundings.describe, asked=asked.of)
        own = OwnProfiles(cluster, statuses, SystemClock(), surroundings.look_again)
        applications = Applications(settings.cluster, describe, lambda: own.in_force)
        telling = Telling(bus=service.bus, reading=applications, reporter=statuses)
        surroundings.changed = telling.look_again
        recording = await _recording(service, settings)
        noting = recording.noting
        applied = noting(APPLICATION.kind, telling)
        reflector = Reflector(cluster, APPLICATION, sink=applied, side_by_side=True)
        informers = Informers(cluster, taken_in=put_aside)
        surroundings.volumes.follow(informers, partial(_served, cluster))
        namespaces = Reflector(cluster, NAMESPACE, sink=surroundings.namespaces)
        policies = Reflector(cluster, POLICY, sink=noting(POLICY.kind, asked))
        profiles = Reflector(cluster, PROFILE, sink=noting(PROFILE.kind, own))
        policy_statuses = PolicyStatuses(
            policies=known.policies,
            records=known.records,
            cluster=cluster,
            cluster_name=settings.cluster,
            clock=SystemClock(),
        )
        service.health.add(
            "watch", lambda: _watching(telling, [namespaces, profiles, policies, reflector])
        )
        service.health.add("objects", informers.health)
        service.run(informers.run(stopping), "watch objects")
        service.run(namespaces.run(stopping), "watch namespaces")
        service.run(surroundings.volumes.keep_told(stopping), "volumes of applications")
        service.run(profiles.run(stopping), "watch profiles")
        service.run(policies.run(stopping), "watch policies")
        vault_statuses = VaultStatuses(cluster, statuses, SystemClock())
        vaults = Reflector(cluster, VAULT, sink=noting(VAULT.kind, vault_statuses))
        service.run(vaults.run(stopping), "watch Vaults")
        service.run(recording.keep_told(stopping), "documents on record")
        around = together((surroundings.known(), own.listed.wait(), asked.listed.wait()))
        service.run(_when_known(around, reflector, stopping), "watch applications")
        service.run(policy_statuses.keep_written(stopping), "statuses of policies")
        service.run(statuses.keep_written(stopping), "statuses")
        _watch_objects(service, cluster, settings, stopping, informers=informers, known=known)
        _adapt(service, cluster, settings, stopping)
        _keep_gate(service, cluster, settings, stopping, informers=informers, known=known)
        known.run(service)
        service.run(_doubt(known.records, (telling, told), stopping), "what the bus has lost")
        await _see_to_wishes(service, cluster, settings, stopping)


def _watch_objects(
    service: Joined,
    cluster: Cluster,
    settings: Settings,
    stopping: asyncio.Event,
    *,
    informers: Informers,
    known: _Known,
) -> None:
    """Tell how applications are, and what of them changes."""
    health = HealthWatch(
        bus=service.bus,
        records=known.records,
        cluster=cluster,
        informers=informers,
        cluster_name=settings.cluster,
        clock=SystemClock(),
    )
    service.run(health.keep_told(stopping), "health of applications")
    changes = ChangeWatch(
        bus=service.bus,
        records=known.records,
        policies=known.policies,
        cluster=cluster,
        informers=informers,
        cluster_name=settings.cluster,
        clock=SystemClock(),
    )
    service.run(changes.keep_told(stopping), "changes of applications")


def _adapt(service: Joined, cluster: Cluster, settings: Settings, stopping: asyncio.Event) -> None:
    """Read the documents of other frameworks."""
    for adapter in chosen(settings.adapters):
        kind, labels = kind_of(adapter.kind), adapter.label_selector
        adapting = Adapting(adapter, cluster)
        foreign = Reflector(cluster, kind, sink=adapting, label_selector=labels)
        service.run(foreign.run(stopping), f"watch documents of {adapter.name}")


def _keep_gate(
    service: Joined,
    cluster: Cluster,
    settings: Settings,
    stopping: asyncio.Event,
    *,
    informers: Informers,
    known: _Known,
) -> None:
    """Keep the gate installed, where there is one, and tell what passed it unseen."""
    if settings.gate_at:
        keeping = GateKeeping(
            records=known.records,
            policies=known.policies,
            cluster=cluster,
            cluster_name=settings.cluster,
            address=GateAddress.read(settings.gate_at),
            clock=SystemClock(),
        )
        service.health.add("gate", keeping.problems)
        service.run(keeping.keep_installed(stopping), "gate")
        broken = BrokenGlass(
            bus=service.bus,
            records=known.records,
            informers=informers,
            cluster_name=settings.cluster,
            clock=SystemClock(),
        )
        service.run(broken.keep_told(stopping), "broken glass")


async def _recording(service: Joined, settings: Settings) -> Recording:
    """Put documents on record from now on, or since this was done the first time."""
    clock = SystemClock()
    since = await installed_at(service.bus, settings.cluster, clock.now(), what="recording")
    return Recording(service.bus, settings.cluster, clock, since)


async def _see_to_wishes(
    service: Joined, cluster: Cluster, settings: Settings, stopping: asyncio.Event
) -> None:
    """Let Backup and Restore objects be done."""
    clock = SystemClock()
    since = await installed_at(service.bus, settings.cluster, clock.now())
    access = Access(Reviews(cluster.requests.send))
    rights = WishRights(service.bus, access, ClusterKinds(cluster))
    for kind in (BACKUP, RESTORE):
        wishing = Wishing(
            kind=kind,
            bus=service.bus,
            cluster=cluster,
            cluster_name=settings.cluster,
            since=since,
            clock=clock,
            rights=rights,
        )
        service.run(Reflector(cluster, kind, sink=wishing).run(stopping), f"watch {kind.plural}")
        service.run(wishing.keep_written(stopping), f"statuses of {kind.plural}")


async def _doubt(
    records: SharedWatch[ApplicationRecord], tellings: Sequence[Telling], stopping: asyncio.Event
) -> None:
    """Let nobody rely on having told something when the bus has lost what came of it."""
    async for change in records.watch(stopping=stopping):
        if change.value is None and not change.is_marker:
            for telling in tellings:
                telling.doubt()


async def _served(cluster: Cluster) -> tuple[Kind, ...]:
    cluster.refresh()  # a kind may be newer than the last look
    return await cluster.kinds()


async def _when_known(
    all_around: Coroutine[Any, Any, object], reflector: Reflector, stopping: asyncio.Event
) -> None:
    """Watch applications once all around them is known, so that nothing is told half."""
    known = asyncio.create_task(all_around)
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({known, stop}, return_when=asyncio.FIRST_COMPLETED)
    known.cancel()
    stop.cancel()
    await reflector.run(stopping)


async def _watching(telling: Telling, reflectors: list[Reflector]) -> str:
    problems = [reflector.problem for reflector in reflectors if reflector.problem]
    if telling.synced and not problems:
        return ""
    return "; ".join(problems) or "the applications have not been listed yet"
