"""What the demo asks of AppShield, asked over the bus as everybody asks."""

import asyncio

from appshield.bus import Bus
from appshield.cli.outcomes import failed
from appshield.cli.progress import Display
from appshield.cli.waiting import ended
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.backups import VersionFacts
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef, application_id
from appshield.contracts.message import Request
from appshield.contracts.requests import RequestBackup, RequestRestore
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS, CATALOG
from appshield.doors.requesting import ask, asker_here
from appshield.errors import DeadlineError, NotFoundError
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import APPLICATION

KNOWN_WITHIN_S = 30.0


class BusContinuity:
    """Saves an application and brings a version back; restores what it has saved itself."""

    def __init__(self, bus: Bus, cluster: Cluster, *, cluster_name: str, shown: Display) -> None:
        self._bus = bus
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._shown = shown
        self._histories: dict[AppRef, str] = {}

    async def back_up(self, namespace: str, name: str) -> VersionFacts:
        """Make a version now and return it; waits until the application is known."""
        app = AppRef(cluster=self._cluster_name, namespace=namespace, name=name)
        app_id = await self._known(app)
        self._histories[app] = app_id
        asker = asker_here(self._cluster_name)
        run = await self._ended(
            RequestBackup(app=app, request_id=asker.request_id, actor=asker.actor)
        )
        entry = await self._bus.bucket(CATALOG, VersionRecord).get(f"{app_id}.{run.version}")
        if entry is None:
            raise NotFoundError(
                f"version {run.version} of {app} is not in the catalog",
                why=f"although run {run.id} succeeded",
            )
        return entry.value.facts

    async def restore(self, namespace: str, name: str, version: int) -> None:
        """Bring a version back into its namespace; returns when its workloads are ready."""
        app = AppRef(cluster=self._cluster_name, namespace=namespace, name=name)
        asker = asker_here(self._cluster_name)
        request = RequestRestore(
            app=app,
            request_id=asker.request_id,
            actor=asker.actor,
            version=version,
            app_id=self._histories.get(app, ""),
        )
        await self._ended(request)

    async def _ended(self, request: Request) -> Run:
        run = await ended(self._bus, await ask(self._bus, request), self._shown)
        if run.state != "succeeded":
            raise failed(run)
        return run

    async def _known(self, app: AppRef) -> str:
        """Wait until the planner knows the present object; return its history's id."""
        obj = await self._cluster.get(APPLICATION, app.name, app.namespace)
        if obj is None:
            raise NotFoundError(f"there is no Application {app} in the cluster")
        app_id = application_id(app.cluster, obj["metadata"]["uid"])
        stopping = asyncio.Event()
        try:
            async with asyncio.timeout(KNOWN_WITHIN_S):
                watch = self._bus.bucket(APPLICATIONS, ApplicationRecord)
                async for change in watch.watch(app_id, stopping=stopping):
                    if change.value is not None and change.value.state == "active":
                        break
        except TimeoutError as error:
            raise DeadlineError(
                f"application {app} was not taken up within {KNOWN_WITHIN_S:g} s",
                next_step="The logs of watcher and planner say why.",
            ) from error
        finally:
            stopping.set()
        return app_id
