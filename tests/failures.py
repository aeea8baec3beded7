"""What must hold after a backup that failed: no version, nothing left behind, nobody waits."""

import asyncio

from appshield.capture.layout import run_tag
from appshield.contracts import streams
from appshield.contracts.agents import QuiesceLease
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.runs import Run
from appshield.errors import NotFoundError
from appshield.repository import Repository
from appshield.vault import VaultAccess, open_vault
from appshield.vault.finding import ClusterVaults
from appshield.vault.vault import store_of
from cluster_application import nothing_left_behind
from installation import Installation


async def failed_whole(installation: Installation, run: Run, *, told: tuple[str, ...]) -> None:
    """Make sure that a backup failed, said why with all of `told`, and left nothing."""
    text = str(run.failure)
    assert run.state == "failed", (run.state, text)
    assert [words for words in told if words not in text] == [], text
    assert run.failure
    assert run.failure.next_step, f"no next step: {text}"
    assert run.snapshot_id == ""
    assert await versions(installation, run.app_id) == []
    assert await nothing_left_behind(installation, run.app.namespace, run.id)
    assert await promises(installation, run.app_id) == []
    access = await ClusterVaults(installation.cluster).access(run.vault)
    assert await asyncio.to_thread(kept_by, access, run) == []
    assert traces(installation) == []


async def versions(installation: Installation, app_id: str) -> list[int]:
    """List the numbers of the versions that the catalog knows."""
    bucket = installation.bus.bucket(streams.CATALOG, VersionRecord)
    return [entry.value.facts.number async for entry in bucket.items(f"{app_id}.")]


async def promises(installation: Installation, app_id: str) -> list[QuiesceLease]:
    """List the promises to resume an application that are still to be kept."""
    bucket = installation.bus.bucket(streams.QUIESCED, QuiesceLease)
    return [entry.value async for entry in bucket.items() if entry.value.app_id == app_id]


def kept_by(access: VaultAccess, run: Run) -> list[str]:
    """Name what a Vault shows of a run: snapshots with its tag, and what it has staged."""
    folder = f"applications/{run.app_id}/staging/{run.id}"
    staged = [found.name for found in store_of(access).list(folder)]
    shelf = open_vault(access).application(run.app_id)
    try:
        repository = Repository.open(shelf.repository_store, shelf.repository_password())
    except NotFoundError:
        return staged
    return staged + [name for name, _ in repository.snapshots_with_tag(run_tag(run.id))]


def traces(installation: Installation) -> list[str]:
    """Name the services whose logs show a trace."""
    logs = installation.home.logs.glob("*.log")
    return [log.name for log in logs if "Traceback" in log.read_text(errors="replace")]
