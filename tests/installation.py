"""AppShield as a person runs it, for tests: each service a process of its own, a real cluster.

One installation serves the whole session: its bus and store are in a folder of the session, its
applications in namespaces that each test makes. After the last test a stock restic checks every
repository that the tests left behind, without `unlock`.
"""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from appshield.bus import Bus, connect_bus
from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef, RunKind, run_id
from appshield.contracts.message import Request
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import FINAL_STATES, Run
from appshield.kubernetes import Cluster, ClusterAccess
from appshield.local.cluster import ClusterFacts
from appshield.local.connection import read_connection
from appshield.local.home import Home
from appshield.local.programs import pid_file
from appshield.local.up import PRIMARY, Target, run_up
from appshield.vault import Vault, open_vault
from appshield.vault.finding import ClusterVaults
from restic_binary import Restic
from waiting import wait_until

RUN_DEADLINE_S = 150.0
Stage = Callable[[Run], bool]


class Installation:
    """A running AppShield and the ways in which a test looks at it."""

    def __init__(self, home: Home, cluster: Cluster, bus: Bus, name: str) -> None:
        self.home = home
        self.cluster = cluster
        self.bus = bus
        self.cluster_name = name
        self._runs = bus.bucket(streams.RUNS, Run)

    def app(self, namespace: str, name: str = "app") -> AppRef:
        """Name an application of this cluster."""
        return AppRef(cluster=self.cluster_name, namespace=namespace, name=name)

    async def known(self, app: AppRef) -> ApplicationRecord:
        """Wait until the planner knows an application, and return what it knows."""

        async def look() -> ApplicationRecord | None:
            bucket = self.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
            found = [entry.value async for entry in bucket.items()]
            active = [one for one in found if one.app == app and one.state == "active"]
            return active[0] if active else None

        return await wait_until(look, deadline_s=90, what=f"application {app} known")

    async def ask(self, request: Request) -> str:
        """Publish a request and return the id of its run."""
        await self.bus.publish(request)
        kind: RunKind = "restore" if isinstance(request, RequestRestore) else "backup"
        return run_id(kind, f"request/{request.request_id}")

    async def back_up(self, app: AppRef) -> Run:
        """Make a version and return the ended run."""
        await self.known(app)
        return await self.ended(await self.ask(RequestBackup(app=app, request_id=_identity())))

    async def restore(
        self, app: AppRef, version: int, *, to: str = "", dry_run: bool = False
    ) -> Run:
        """Bring a version back and return the ended run."""
        request = RequestRestore(
            app=app,
            request_id=_identity(),
            version=version,
            target_namespace=to,
            dry_run=dry_run,
        )
        return await self.ended(await self.ask(request))

    async def reached(self, run: str, stage: Stage, what: str) -> Run:
        """Wait until a run is at a stage."""
        async with asyncio.timeout(RUN_DEADLINE_S):
            async for change in self._runs.watch(run, stopping=asyncio.Event()):
                if change.value is not None and stage(change.value):
                    return change.value
                if change.value is not None and change.value.state in FINAL_STATES:
                    raise AssertionError(f"the run ended before {what}: {change.value.failure}")
        raise AssertionError(f"the run never came to {what}")

    async def ended(self, run: str) -> Run:
        """Wait for the end of a run."""
        return await self.reached(run, lambda found: found.state in FINAL_STATES, "its end")

    def pid(self, service: str) -> int:
        """Return the process id of a service, or of the server behind `bus` or `store`."""
        if service in {"bus", "store"}:
            holders = msgspec.json.decode((self.home.folder / service / "lock").read_bytes())
            return int(holders["server"]["pid"])
        return int(pid_file(self.home.pids, service).read_text())

    async def kill(self, service: str) -> None:
        """End a service at once and wait until it was started again."""
        old = self.pid(service)
        os.kill(old, signal.SIGKILL)

        def again() -> bool:
            with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
                return self.pid(service) != old
            return False

        await wait_until(again, deadline_s=30, what=f"{service} started again")

    async def vault(self) -> Vault:
        """Open the Vault of the installation."""
        return await ClusterVaults(self.cluster).open(PRIMARY)

    async def restic_environment(self, app_id: str, vault: str = PRIMARY) -> dict[str, str]:
        """Say how a stock restic reaches the repository of an application."""
        access = await ClusterVaults(self.cluster).access(vault)
        shelf = open_vault(access).application(app_id)
        location = access.location
        prefix = f"{location.prefix}/" if location.prefix else ""
        path = f"{location.bucket}/{prefix}applications/{app_id}/repository"
        return {
            **os.environ,
            "RESTIC_REPOSITORY": f"s3:{location.endpoint}/{path}",
            "RESTIC_PASSWORD": await asyncio.to_thread(shelf.repository_password),
            "AWS_ACCESS_KEY_ID": access.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": access.credentials.secret_key,
        }

    async def restic(
        self, restic: Restic, app_id: str, *arguments: str | Path, vault: str = PRIMARY
    ) -> bytes:
        """Run a stock restic on the repository of an application and return its output."""
        environment = await self.restic_environment(app_id, vault)
        return await asyncio.to_thread(
            restic.run,
            environment["RESTIC_REPOSITORY"],
            environment["RESTIC_PASSWORD"],
            *arguments,
            environment=environment,
        )


@asynccontextmanager
async def installed(
    facts: ClusterFacts,
    folder: Path,
    *,
    store: str = "",
    nats_url: str = "",
    nats_users: str = "",
    separate: bool = True,
) -> AsyncIterator[Installation]:
    """Run AppShield with a home of its own against the local cluster, for the time of the block.

    With the store `none` it has no object store of its own: Vaults elsewhere are used. With a
    `nats_url` it uses that message bus, with the keys of its users in the folder `nats_users`. It
    takes over the Vault of the session before. Its services are separate processes, so that one
    can be killed, unless told otherwise.
    """
    home = Home.from_environment({**os.environ, "APPSHIELD_HOME": str(folder)})
    access = ClusterAccess(kubeconfig=str(facts.kubeconfig))
    target = Target(
        access=access,
        node=facts.node_name,
        kubelet_root=str(facts.kubelet_root),
        holder_image=facts.pause_image,
        registry_hosts=str(facts.registry_hosts),
        gate_host=facts.host,
        gate_client_ca_file=str(facts.webhook_certificate),
    )
    stopping, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(
        run_up(
            home,
            target,
            environment={
                **os.environ,
                "APPSHIELD_NATS_URL": nats_url,
                "APPSHIELD_NATS_USERS": nats_users,
                "APPSHIELD_STORE": store,
            },
            stopping=stopping,
            report=lambda _: None,
            ready=ready,
            take_over=True,
            separate=separate,
        )
    )
    try:
        await _started(running, ready)
        connection = read_connection(home)
        async with (
            Cluster.connect(access) as cluster,
            connect_bus(connection.bus("operator"), name="tests") as bus,
        ):
            yield Installation(home, cluster, bus, connection.cluster)
    finally:
        stopping.set()
        await running


async def _started(running: asyncio.Task[None], ready: asyncio.Event) -> None:
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=90)
    if not ready.is_set():
        waiting.cancel()
        raise AssertionError("AppShield did not start within 90 s") from (
            running.exception() if running.done() else None
        )


@pytest.fixture(scope="session")
async def installation(
    local_cluster: ClusterFacts, restic: Restic, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """One running AppShield for the session; its repositories are checked at the end."""
    async with installed(local_cluster, tmp_path_factory.mktemp("appshield")) as running:
        yield running
        await _check_every_repository(running, restic)


async def _check_every_repository(running: Installation, restic: Restic) -> None:
    """A minute after any kill a stock restic must be content, without `unlock`."""
    vault = await running.vault()
    for identity in await asyncio.to_thread(vault.applications):
        output = await running.restic(
            restic, identity.app_id, "check", "--read-data", "--retry-lock", "60s"
        )
        assert b"no errors were found" in output, f"{identity.namespace}: {output!r}"


def _identity() -> str:
    return str(uuid.uuid4())
