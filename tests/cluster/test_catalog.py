"""With a Vault and its root key alone, an installation that knows nothing finds everything again.

Here the cluster is the same, from which the applications and their namespaces were deleted, and the
second installation has a fresh home with a bus of its own; `test_empty_cluster` has a new cluster.
"""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.requests import RequestCatalog
from appshield.contracts.streams import APPLICATIONS, CATALOG
from appshield.local.cluster import ClusterFacts
from appshield.local.up import PRIMARY
from appshield.local.vaults import add_vault
from appshield.vault.finding import ClusterVaults
from cluster_application import (
    deploy,
    namespace_of_its_own,
    remove_namespace,
    run_in,
    until_running,
)
from installation import Installation, installed
from restic_binary import Restic

pytestmark = pytest.mark.timeout(300)


async def _catalog(installation: Installation, app_id: str) -> dict[int, VersionRecord]:
    bucket = installation.bus.bucket(CATALOG, VersionRecord)
    found = [entry.value async for entry in bucket.items(f"{app_id}.")]
    return {version.facts.number: version for version in found}


async def _histories(installation: Installation) -> dict[str, ApplicationRecord]:
    bucket = installation.bus.bucket(APPLICATIONS, ApplicationRecord)
    return {entry.key: entry.value async for entry in bucket.items()}


async def _saved(installation: Installation, app: AppRef, times: int) -> str:
    for _ in range(times):
        run = await installation.back_up(app)
        assert (run.state, run.failure) == ("succeeded", None)
    return run.app_id


async def _rebuilt(installation: Installation, vault: str) -> None:
    place = AppRef(cluster=installation.cluster_name, namespace="default", name="catalog")
    request = RequestCatalog(app=place, request_id=str(uuid4()), vault=vault)
    await installation.bus.publish(request)
    run = await installation.ended(run_id("catalog", f"request/{request.request_id}"))
    assert (run.state, run.failure) == ("succeeded", None)


async def test_everything_is_found_again_with_the_vault_and_its_root_key(
    installation: Installation, local_cluster: ClusterFacts, restic: Restic, tmp_path: Path
) -> None:
    """Every application and version, but what was forgotten; pins; numbers that only grow."""
    async with (
        namespace_of_its_own(installation, "first") as first,
        namespace_of_its_own(installation, "second") as second,
    ):
        apps = [installation.app(namespace) for namespace in (first, second)]
        await asyncio.gather(
            *(deploy(installation, app.namespace, local_cluster.busybox_image) for app in apps)
        )
        ids = await asyncio.gather(
            _saved(installation, apps[0], 3), _saved(installation, apps[1], 1)
        )
        before = [await _catalog(installation, app_id) for app_id in ids]
        await installation.restic(restic, ids[0], "forget", before[0][3].snapshot_id)
        shelf = (await installation.vault()).application(ids[0])
        await asyncio.to_thread(shelf.pin, 1, by="a person")
        await asyncio.gather(*(remove_namespace(installation, app.namespace) for app in apps))
        access = await ClusterVaults(installation.cluster).access(PRIMARY)
        held = await asyncio.to_thread((await installation.vault()).applications)

        async with installed(local_cluster, tmp_path / "fresh", store="none") as fresh:
            assert await _histories(fresh) == {}
            vault = await add_vault(
                fresh.cluster,
                fresh.home,
                name="found",
                location=access.location,
                credentials=access.credentials,
                root_key=access.root_key,
            )
            await _rebuilt(fresh, vault.name)

            histories = await _histories(fresh)
            assert {identity.app_id for identity in held} <= set(histories)
            after = [await _catalog(fresh, app_id) for app_id in ids]
            assert set(after[0]) == {1, 2}
            assert set(after[1]) == {1}
            assert {number for number, version in after[0].items() if version.pinned} == {1}
            for was, found in zip(before, after, strict=True):
                for number, version in found.items():
                    assert version.facts == was[number].facts
                    assert version.snapshot_id == was[number].snapshot_id

            restored = await fresh.restore(apps[0], 2)
            assert (restored.state, restored.failure) == ("succeeded", None)
            await until_running(fresh, first)
            assert int(await run_in(fresh, first, "cat /data/rows/1 | wc -l")) == 1
            run = await fresh.back_up(apps[0])
            assert (run.state, run.app_id, run.version) == ("succeeded", ids[0], 4)
