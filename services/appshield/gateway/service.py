"""Wiring of the gateway: what is built from what, and what runs beside what."""

import asyncio
import uuid

import aiohttp
import structlog

from appshield.bus import SharedWatch, Watchable
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.policies import PolicyRecord
from appshield.contracts.streams import APPLICATIONS, GATEWAY_ORDERS, POLICIES
from appshield.errors import AppShieldError
from appshield.gate import GateAddress
from appshield.gateway.admission import GateServer, admission
from appshield.gateway.certifying import Certifying
from appshield.gateway.deletions import Deletions
from appshield.gateway.gated import GatedApplications
from appshield.gateway.gating import Gate
from appshield.gateway.noticing import Notices
from appshield.gateway.serving_api import ServedApi
from appshield.gateway.settings import Settings, ensure_usable
from appshield.gateway.standing import Standing
from appshield.kubernetes import Cluster
from appshield.service import SystemClock, joined, pause
from appshield.service.joining import Joined

CLUSTER_PAUSE_S = 5.0


async def serve(settings: Settings, stopping: asyncio.Event) -> None:
    """Answer until told to stop.

    Raises:
        InvalidInputError: the settings cannot be used.
    """
    ensure_usable(settings)
    async with joined(settings, "gateway", stopping) as service:
        records = SharedWatch(service.bus.bucket(APPLICATIONS, ApplicationRecord))
        service.run(records.keep(stopping), "records of applications")
        service.run(ServedApi(service, settings, records).serve(), "api")
        service.run(_send_notices(service, settings), "notices")
        if settings.gate_at:
            await _serve_gate(service, settings, records)
        else:
            await stopping.wait()


async def _send_notices(service: Joined, settings: Settings) -> None:
    """Send notices until told to stop; while the cluster is away they wait on the bus."""
    access = settings.cluster_access()
    while not service.stopping.is_set():
        try:
            async with Cluster.connect(access) as cluster, aiohttp.ClientSession() as session:
                notices = Notices(cluster, session, SystemClock())
                await service.bus.consume(
                    GATEWAY_ORDERS,
                    notices.handle,
                    stopping=service.stopping,
                    concurrency=service.concurrency,
                )
        except AppShieldError as error:
            structlog.get_logger().warning("notices are not sent", problem=str(error))
            await pause(service.stopping, CLUSTER_PAUSE_S)


async def _serve_gate(
    service: Joined, settings: Settings, records: Watchable[ApplicationRecord]
) -> None:
    """Answer for the gate until told to stop."""
    address, clock, stopping = GateAddress.read(settings.gate_at), SystemClock(), service.stopping
    kubernetes = settings.cluster_access()
    async with Cluster.connect(kubernetes) as cluster:
        policies = service.bus.bucket(POLICIES, PolicyRecord)
        gated = GatedApplications(records, policies, settings.cluster)
        standing = Standing(cluster)
        deletions = Deletions(service.bus, standing, settings.cluster, clock)
        gate = Gate(
            bus=service.bus,
            gated=gated,
            standing=standing,
            cluster=settings.cluster,
            clock=clock,
            mint=lambda: str(uuid.uuid4()),
        )
        server = GateServer(
            admission(gate.answer, deletions.note),
            settings.gate_host,
            address.port,
            client_ca_file=settings.gate_client_ca_file,
        )
        certifying = Certifying(cluster, server.use, address.server_name, clock)
        service.health.add("gate", certifying.problems)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gated.keep(stopping), name="gated applications")
            tasks.create_task(certifying.keep(stopping), name="certificate")
            tasks.create_task(server.serve(stopping), name="gate")
