"""Two applications with repositories in one Vault, runs on record, and an agent with its orders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.backups import StoreSource
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run, Step, Trigger
from appshield.contracts.sources import VolumeSource
from appshield.contracts.streams import RUNS
from appshield.errors import AppShieldError
from appshield.lending import BorrowedRepositories, Lender
from appshield.objectstore import FolderAccess, FolderObjectStore
from appshield.repository import Repository
from appshield.vault import RepositoryAccess, Vault
from appshield.vault.shelf import repository_folder

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
CLUSTER, NODE, ELSEWHERE = "test", "node-1", "node-2"
SHOP, BANK = "a-shop", "a-bank"
STORE = "store/volumes/data"
VOLUME = VolumeSource(
    name="volumes/data",
    node=NODE,
    method="snapshot",
    pod_namespace="appshield-system",
    pod="reader",
    pod_uid="uid",
    claim="data",
    original_claim="data",
    component="db",
)


def app_of(app_id: str) -> AppRef:
    return AppRef(cluster=CLUSTER, namespace=app_id.removeprefix("a-"), name="app")


def run_of(app_id: str, *, node: str = NODE, step: str = STORE) -> Run:
    """Describe a backup that waits for a volume to be stored on a node."""
    return Run(
        id=f"b-{app_id}",
        kind="backup",
        app=app_of(app_id),
        app_id=app_id,
        vault="main",
        trigger=Trigger(kind="manual", identity="x"),
        state="running",
        epoch=3,
        requested_at=AT,
        steps=(
            Step(
                name=step,
                state="running",
                attempt=1,
                epoch=3,
                started_at=AT,
                deadline_at=AT,
                node=node,
            ),
        ),
    )


def order_of(run: Run, *, app_id: str = "", vault: str = "") -> StoreSource:
    """Write the order of a run's only step, or a forged one about another repository."""
    [step] = run.steps
    return StoreSource(
        app=run.app,
        run=run.id,
        step=step.name,
        attempt=step.attempt,
        epoch=step.epoch,
        app_id=app_id or run.app_id,
        vault=vault or run.vault,
        node=NODE,
        source=VOLUME,
    )


class OneVault:
    """The keys of the only Vault that there is; `failure` is what it says instead."""

    def __init__(self, folder: Path) -> None:
        self._access_folder = folder
        self.store = FolderObjectStore(folder)
        self.vault = Vault(self.store, bytes(32), "main")
        self.vault.initialize()
        self.failure: AppShieldError | None = None
        for app_id in (SHOP, BANK):
            shelf = self.vault.application(app_id)
            Repository.create(shelf.repository_store, shelf.repository_password())

    async def open(self, name: str) -> Vault:
        return self.vault

    async def repository_access(self, vault: str, app_id: str) -> RepositoryAccess:
        if self.failure is not None:
            raise self.failure
        password = await asyncio.to_thread(self.vault.application(app_id).repository_password)
        folder = FolderAccess(str(self._access_folder)).below(repository_folder(app_id))
        return RepositoryAccess(folder, password)

    def password(self, app_id: str) -> str:
        return self.vault.application(app_id).repository_password()


async def put_on_record(bus: Bus, run: Run, **changes: object) -> Run:
    """Let the planner have this run on record."""
    found = replace(run, **changes)
    await bus.bucket(RUNS, Run).put(found.id, found)
    return found


def agent_on(bus: Bus, node: str = NODE, *, answered_within_s: float = 30) -> BorrowedRepositories:
    """Be the uploader's agent of a node."""
    return BorrowedRepositories(
        bus=bus,
        worker=f"agent-of-{node}",
        service="uploader",
        cluster=CLUSTER,
        node=node,
        answered_within_s=answered_within_s,
    )


@asynccontextmanager
async def lending(bus: Bus, keys: OneVault) -> AsyncIterator[Lender]:
    """Lend keys to the agents of the uploader for the time of the block."""
    lender, stopping = Lender(bus=bus, keys=keys, service="uploader"), asyncio.Event()
    serving = asyncio.create_task(lender.serve(stopping))
    try:
        yield lender
    finally:
        stopping.set()
        await serving
