"""Wiring of the planner: what is built from what, and what runs beside what."""

import asyncio
from typing import Any

from appshield.bus import Bus, Retry
from appshield.contracts import streams, subjects
from appshield.contracts.message import Message
from appshield.contracts.runs import Progress
from appshield.planner.admitting import Admission
from appshield.planner.admitting_maintenance import MaintenanceAdmission
from appshield.planner.agents import keep_agent_consumers
from appshield.planner.alerting import Alerting
from appshield.planner.catalog import Catalog
from appshield.planner.copies import CopyPlanning
from appshield.planner.handling import Planner
from appshield.planner.leading import Leadership
from appshield.planner.lines import DEFAULT_LIMITS, Limits, Lines
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
from appshield.service import Clock, Joined, SystemClock, joined

_CONSUMERS = (
    streams.PLANNER_FACTS,
    streams.PLANNER_REQUESTS,
    streams.PLANNER_OUTCOMES,
    streams.PLANNER_TIMERS,
    streams.PLANNER_SIGNALS,
)


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Lead whenever the lease can be had, until told to stop."""
    async with joined(settings, "planner", stopping) as service:
        await service.bus.ensure_topology()
        for stream in mapped_streams(settings.signals):
            await service.bus.ensure_stream(stream)
        while not stopping.is_set():
            await lead(service, settings, stopping, SystemClock())


async def lead(service: Joined, settings: Settings, stopping: asyncio.Event, clock: Clock) -> None:
    """Plan from taking the lease to losing it or being told to stop."""
    bus = service.bus
    leadership = Leadership(bus, service.worker)
    if not await leadership.acquire(stopping):
        return
    planner = build(bus, leadership, clock, settings.limits())
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(leadership.keep(stopping), name="lease")
        keeping.add_done_callback(lambda _: over.set())
        try:
            await planner.reconcile()
        except Retry:
            keeping.cancel()  # the lease was not certainly ours any more: begin anew
        else:
            service.health.measure(planner.gauges)
            _plan(bus, planner, settings, over, tasks)
    service.health.measure(None)  # who does not lead knows nothing
    await leadership.resign()


def _plan(
    bus: Bus, planner: Planner, settings: Settings, over: asyncio.Event, tasks: asyncio.TaskGroup
) -> None:
    for consumer in _CONSUMERS:
        tasks.create_task(
            bus.consume(consumer, planner.handle, stopping=over, concurrency=settings.concurrency),
            name=consumer.name,
        )
    tasks.create_task(keep_agent_consumers(bus, over), name="agents")
    tasks.create_task(keep_trimmed(bus, settings.history, over), name="trim")
    tasks.create_task(_listen(bus, planner, over), name="progress")
    tasks.create_task(bus.sweep_exhausted(stopping=over), name="exhausted")


def build(
    bus: Bus, leadership: Leadership, clock: Clock, limits: Limits = DEFAULT_LIMITS
) -> Planner:
    """Build the planner's parts over a bus; tests build them over theirs."""
    runs = Runs(bus, leadership)
    registry = Registry(bus, leadership)
    catalog = Catalog(bus)
    retention = Retention(runs=runs, registry=registry, catalog=catalog, clock=clock)
    lines = Lines(limits)
    queue = Queue(
        runs=runs,
        registry=registry,
        lines=lines,
        retention=retention,
        leadership=leadership,
        clock=clock,
    )
    policies = Policies(bus, leadership)
    basic: dict[str, Any] = {"bus": bus, "registry": registry, "clock": clock}
    timing = Timing(**basic)
    observation = Observation(**basic, policies=policies, timing=timing)
    known: dict[str, Any] = {"runs": runs, "registry": registry, "catalog": catalog, "clock": clock}
    admitted: dict[str, Any] = {**known, "queue": queue}
    copies = CopyPlanning(**admitted, observation=observation)
    admission = Admission(**admitted)
    pausing = Pausing(**basic)
    reactions = Reactions(**known, bus=bus, admission=admission, pausing=pausing)
    alerting = Alerting(**known, bus=bus)
    return Planner(
        runs=runs,
        registry=registry,
        queue=queue,
        admission=admission,
        maintenance=MaintenanceAdmission(**admitted, copies=copies),
        upkeep=UpkeepPlanning(**admitted, retention=retention, observation=observation),
        copies=copies,
        observation=observation,
        timing=timing,
        triggering=Triggering(**basic, runs=runs, queue=queue, admission=admission, timing=timing),
        lines=lines,
        pausing=pausing,
        policing=Policing(
            policies=policies,
            registry=registry,
            observation=observation,
            copies=copies,
            reactions=reactions,
            alerting=alerting,
        ),
        monitoring=Monitoring(registry),
        reactions=reactions,
        recording=Recording(
            catalog=catalog, registry=registry, observation=observation, clock=clock
        ),
        alerting=alerting,
        leadership=leadership,
        clock=clock,
    )


async def _listen(bus: Bus, planner: Planner, over: asyncio.Event) -> None:
    async def heard(message: Message) -> None:
        if isinstance(message, Progress):
            planner.progressed(message)

    async with bus.listen(f"{subjects.ROOT}.live.progress.>", heard):
        await over.wait()
