"""Wiring of the planner: what is built from what, and what runs beside what."""

import asyncio
import contextlib
from datetime import timedelta
from typing import NamedTuple

from appshield.bus import Bus, Retry, StaleRevisionError
from appshield.contracts import streams, subjects
from appshield.contracts.message import Message
from appshield.contracts.runs import Progress
from appshield.errors import AppShieldError, UnavailableError
from appshield.planner.admitting import Admission
from appshield.planner.admitting_maintenance import MaintenanceAdmission
from appshield.planner.agents import keep_agent_consumers
from appshield.planner.alerting import Alerting
from appshield.planner.audit_anchoring import Anchoring
from appshield.planner.audit_chain import AuditChain
from appshield.planner.auditing import Auditing
from appshield.planner.authorizing import Authorizing
from appshield.planner.catalog import Catalog
from appshield.planner.copies import CopyPlanning
from appshield.planner.handling import Planner
from appshield.planner.leading import Leadership
from appshield.planner.lines import DEFAULT_LIMITS, Limits, Lines
from appshield.planner.measuring import audit_gauges
from appshield.planner.monitoring import Monitoring
from appshield.planner.observing import Observation
from appshield.planner.pausing import Pausing
from appshield.planner.policies import Policies
from appshield.planner.policing import Policing
from appshield.planner.queueing import Queue
from appshield.planner.reactions import Reactions
from appshield.planner.recording import Recording
from appshield.planner.registry import Registry
from appshield.planner.retaining import Retention
from appshield.planner.runs import Runs
from appshield.planner.settings import Settings
from appshield.planner.signalling import mapped_streams
from appshield.planner.timing import Timing
from appshield.planner.triggering import Triggering
from appshield.planner.trimming import keep_trimmed
from appshield.planner.upkeep import UpkeepPlanning
from appshield.service import Clock, Joined, SystemClock, joined, pause

_CONSUMERS = (
    streams.PLANNER_FACTS,
    streams.PLANNER_REQUESTS,
    streams.PLANNER_OUTCOMES,
    streams.PLANNER_TIMERS,
    streams.PLANNER_SIGNALS,
)
_LOOK_AGAIN_AFTER_S = 1.0
_CLEAR_EVERY_S = 1.0
_TELL_AFTER_S = 0.01
"""How long what nobody waits for lets an order go first."""
_AUDIT_CONCURRENCY = 256
"""What waits at one moment becomes one message of the audit."""


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Lead whenever the lease can be had, until told to stop."""
    async with joined(settings, "planner", stopping) as service:
        await service.bus.ensure_topology()
        for stream in mapped_streams(settings.signals):
            await service.bus.ensure_stream(stream)
        while not stopping.is_set():
            await lead(service, settings, stopping, SystemClock())


async def lead(
    service: Joined,
    settings: Settings,
    stopping: asyncio.Event,
    clock: Clock,
    *,
    tell_after_s: float = _TELL_AFTER_S,
) -> None:
    """Plan from taking the lease to losing it or being told to stop."""
    leadership = Leadership(service.bus, service.worker)
    if not await leadership.acquire(stopping):
        return
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(leadership.keep(stopping), name="lease")
        planner = build(service.bus, leadership, clock, settings.limits(), tell_after_s)
        work = _plan(service, planner, leadership, settings=settings, clock=clock, over=over)
        planning = tasks.create_task(work, name="plan")
        await asyncio.wait({keeping, planning}, return_when=asyncio.FIRST_COMPLETED)
        over.set()
        if not stopping.is_set():
            keeping.cancel()
            planning.cancel()  # it may hang on a bus that is silent; whoever leads next does it
    service.health.measure(None)  # who does not lead knows nothing
    await leadership.resign()


async def _plan(
    service: Joined,
    planner: Planner,
    leadership: Leadership,
    *,
    settings: Settings,
    clock: Clock,
    over: asyncio.Event,
) -> None:
    """Take over and plan until it is over; return at once if the lease is gone before that."""
    bus = service.bus
    chain = AuditChain(bus, leadership, clock)
    try:
        await planner.reconcile()
    except Retry:
        return
    service.health.measure(lambda: (*planner.gauges(), *audit_gauges(chain)))
    async with asyncio.TaskGroup() as tasks:
        _consume(bus, planner, settings, over, tasks)
        _audit(chain, _anchoring(bus, chain, planner, settings, clock), bus, over, tasks)


def _consume(
    bus: Bus, planner: Planner, settings: Settings, over: asyncio.Event, tasks: asyncio.TaskGroup
) -> None:
    for consumer in _CONSUMERS:
        tasks.create_task(
            bus.consume(consumer, planner.handle, stopping=over, concurrency=settings.concurrency),
            name=consumer.name,
        )
    tasks.create_task(keep_agent_consumers(bus, over), name="agents")
    reports_kept = timedelta(days=settings.reports_kept_days)
    trimming = keep_trimmed(bus, settings.history, over, reports_kept=reports_kept)
    tasks.create_task(trimming, name="trim")
    tasks.create_task(_listen(bus, planner, over), name="progress")
    tasks.create_task(bus.sweep_exhausted(stopping=over), name="exhausted")
    tasks.create_task(_look_again(planner, over), name="look again")
    tasks.create_task(_keep_cleared(planner, over), name="clear outboxes")


async def _look_again(planner: Planner, over: asyncio.Event) -> None:
    """Look once when any other planner must have noticed that it leads no more.

    One whose lease was taken away, as when somebody purges the bucket, goes on for a moment.
    """
    await pause(over, streams.LEASES.live_s)
    while not over.is_set():
        try:
            await planner.look_again()
        except (Retry, StaleRevisionError, UnavailableError):
            await pause(over, _LOOK_AGAIN_AFTER_S)
        else:
            break


async def _keep_cleared(planner: Planner, over: asyncio.Event) -> None:
    """Clear outboxes now and then: of a run that moves on, its next write has done it."""
    while not over.is_set():
        await pause(over, _CLEAR_EVERY_S)
        with contextlib.suppress(Retry, AppShieldError):  # it is tried again, or the lead is lost
            await planner.clear_outboxes()


def _audit(
    chain: AuditChain,
    anchoring: Anchoring,
    bus: Bus,
    over: asyncio.Event,
    tasks: asyncio.TaskGroup,
) -> None:
    recording = bus.consume(
        streams.PLANNER_AUDIT, chain.handle, stopping=over, concurrency=_AUDIT_CONCURRENCY
    )
    tasks.create_task(recording, name="audit")
    tasks.create_task(anchoring.keep(over), name="archive the audit")


def _anchoring(
    bus: Bus, chain: AuditChain, planner: Planner, settings: Settings, clock: Clock
) -> Anchoring:
    return Anchoring(
        bus=bus,
        chain=chain,
        places=planner.places,
        clock=clock,
        every=timedelta(seconds=settings.audit_archive_every_s),
        entries=settings.audit_archive_entries,
    )


class _Parts(NamedTuple):
    """What the planner knows, and what admits runs and lets them begin: the rest stands on it."""

    runs: Runs
    registry: Registry
    catalog: Catalog
    policies: Policies
    lines: Lines
    retention: Retention
    queue: Queue
    timing: Timing
    observation: Observation
    admission: Admission
    copies: CopyPlanning


def build(
    bus: Bus,
    leadership: Leadership,
    clock: Clock,
    limits: Limits = DEFAULT_LIMITS,
    tell_after_s: float = _TELL_AFTER_S,
) -> Planner:
    """Build the planner's parts over a bus; tests build them over theirs."""
    parts = _parts(bus, leadership, clock, limits)
    registry, observation, copies = parts.registry, parts.observation, parts.copies
    pausing = Pausing(bus=bus, registry=registry, clock=clock)
    alerting = Alerting(
        bus=bus, runs=parts.runs, registry=registry, catalog=parts.catalog, clock=clock
    )
    auditing = Auditing(bus=bus, runs=parts.runs, clock=clock)
    reactions = _reactions(bus, parts, pausing, auditing, clock)
    return Planner(
        runs=parts.runs,
        registry=registry,
        catalog=parts.catalog,
        queue=parts.queue,
        authorizing=Authorizing(bus=bus, runs=parts.runs, queue=parts.queue, clock=clock),
        admission=parts.admission,
        maintenance=_maintenance(parts, clock),
        upkeep=_upkeep(parts, clock),
        copies=copies,
        observation=observation,
        timing=parts.timing,
        triggering=_triggering(bus, parts, clock),
        lines=parts.lines,
        pausing=pausing,
        policing=Policing(
            policies=parts.policies,
            registry=registry,
            observation=observation,
            copies=copies,
            reactions=reactions,
            alerting=alerting,
            clock=clock,
        ),
        monitoring=Monitoring(registry),
        reactions=reactions,
        recording=Recording(
            catalog=parts.catalog, registry=registry, observation=observation, clock=clock
        ),
        alerting=alerting,
        auditing=auditing,
        leadership=leadership,
        clock=clock,
        tell_after_s=tell_after_s,
    )


def _parts(bus: Bus, leadership: Leadership, clock: Clock, limits: Limits) -> _Parts:
    runs, registry, catalog = Runs(bus, leadership), Registry(bus, leadership), Catalog(bus)
    policies, lines = Policies(bus, leadership), Lines(limits)
    retention = Retention(runs=runs, registry=registry, catalog=catalog, clock=clock)
    queue = Queue(
        runs=runs,
        registry=registry,
        lines=lines,
        retention=retention,
        leadership=leadership,
        clock=clock,
    )
    timing = Timing(bus=bus, registry=registry, clock=clock)
    observation = Observation(
        bus=bus, registry=registry, policies=policies, timing=timing, clock=clock
    )
    admission = Admission(runs=runs, registry=registry, catalog=catalog, queue=queue, clock=clock)
    copies = CopyPlanning(
        runs=runs,
        registry=registry,
        catalog=catalog,
        queue=queue,
        observation=observation,
        clock=clock,
    )
    return _Parts(
        runs=runs,
        registry=registry,
        catalog=catalog,
        policies=policies,
        lines=lines,
        retention=retention,
        queue=queue,
        timing=timing,
        observation=observation,
        admission=admission,
        copies=copies,
    )


def _reactions(
    bus: Bus, parts: _Parts, pausing: Pausing, auditing: Auditing, clock: Clock
) -> Reactions:
    return Reactions(
        bus=bus,
        runs=parts.runs,
        registry=parts.registry,
        catalog=parts.catalog,
        admission=parts.admission,
        pausing=pausing,
        auditing=auditing,
        clock=clock,
    )


def _triggering(bus: Bus, parts: _Parts, clock: Clock) -> Triggering:
    return Triggering(
        bus=bus,
        runs=parts.runs,
        registry=parts.registry,
        queue=parts.queue,
        admission=parts.admission,
        timing=parts.timing,
        clock=clock,
    )


def _maintenance(parts: _Parts, clock: Clock) -> MaintenanceAdmission:
    return MaintenanceAdmission(
        runs=parts.runs,
        registry=parts.registry,
        catalog=parts.catalog,
        queue=parts.queue,
        copies=parts.copies,
        clock=clock,
    )


def _upkeep(parts: _Parts, clock: Clock) -> UpkeepPlanning:
    return UpkeepPlanning(
        runs=parts.runs,
        registry=parts.registry,
        catalog=parts.catalog,
        retention=parts.retention,
        queue=parts.queue,
        observation=parts.observation,
        clock=clock,
    )


async def _listen(bus: Bus, planner: Planner, over: asyncio.Event) -> None:
    async def heard(message: Message, _: str) -> None:
        if isinstance(message, Progress):
            planner.progressed(message)

    async with bus.listen(f"{subjects.ROOT}.live.progress.>", heard):
        await over.wait()
