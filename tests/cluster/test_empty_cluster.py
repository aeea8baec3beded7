"""The day on which the cluster is gone: an empty one, an empty bus, the bucket and the root key.

The new cluster is a second one on this machine, made for the test and removed after it. Its node
cannot pull from the registry of the first, so the application is saved scaled to zero.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.requests import RequestCatalog, RequestRestore
from appshield.contracts.streams import APPLICATIONS
from appshield.kubernetes.kinds import CONFIG_MAP, POD, SECRET, STATEFUL_SET
from appshield.local.cluster import ClusterFacts, ClusterSettings, cluster_down, cluster_up
from appshield.local.up import PRIMARY
from appshield.local.vaults import add_vault
from appshield.vault.finding import ClusterVaults
from cluster_application import component, deploy, namespace_of_its_own, remove_namespace, run_in
from installation import Installation, installed
from volume_objects import output, run_pod

pytestmark = pytest.mark.timeout(400)

CLAIM = "data-db-0"
DIGEST = "cd {0}/rows && cat $(ls -v) | sha256sum"


@pytest.fixture
async def empty_cluster() -> AsyncIterator[ClusterFacts]:
    """A cluster that has never seen AppShield."""
    settings = ClusterSettings.from_environment(os.environ, name="empty")
    await cluster_down(settings, lambda _: None, purge=True)
    yield await cluster_up(settings, lambda _: None)
    await cluster_down(settings, lambda _: None, purge=True)


async def _saved_at_rest(installation: Installation, namespace: str, image: str) -> tuple[str, str]:
    """Save an application that stands still; return its history and the digest of its rows."""
    plain = component(quiesce=None, resume=None)
    await deploy(installation, namespace, image, spec={"components": [plain]})
    await run_in(installation, namespace, "touch /data/quiesced; sleep 1")
    digest = await run_in(installation, namespace, DIGEST.format("/data"))
    patch = {"spec": {"replicas": 0}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    await installation.cluster.wait_for(
        POD, "db-0", namespace, lambda pod: pod is None, timeout_s=60, what="pod gone"
    )
    run = await installation.back_up(installation.app(namespace))
    assert (run.state, run.failure) == ("succeeded", None)
    return run.app_id, digest


async def test_an_empty_cluster_with_the_root_key_lists_and_restores(
    installation: Installation,
    local_cluster: ClusterFacts,
    empty_cluster: ClusterFacts,
    tmp_path: Path,
) -> None:
    """Everything comes from the Vault, and the restored application goes on with its history."""
    async with namespace_of_its_own(installation, "lost") as namespace:
        app_id, digest = await _saved_at_rest(installation, namespace, local_cluster.busybox_image)
        await remove_namespace(installation, namespace)
        access = await ClusterVaults(installation.cluster).access(PRIMARY)
        async with installed(empty_cluster, tmp_path / "fresh", store="none") as fresh:
            await add_vault(
                fresh.cluster,
                fresh.home,
                name=PRIMARY,
                location=access.location,
                credentials=access.credentials,
                root_key=access.root_key,
            )
            place = AppRef(cluster=fresh.cluster_name, namespace="default", name="catalog")
            wish = RequestCatalog(app=place, request_id=str(uuid4()), vault=PRIMARY)
            await fresh.bus.publish(wish)
            rebuilt = await fresh.ended(run_id("catalog", f"request/{wish.request_id}"))
            assert (rebuilt.state, rebuilt.failure) == ("succeeded", None)
            known = await fresh.bus.bucket(APPLICATIONS, ApplicationRecord).get(app_id)
            assert known is not None
            assert known.value.app.cluster != fresh.cluster_name

            app = fresh.app(namespace)
            request = RequestRestore(app=app, request_id=str(uuid4()), version=1, app_id=app_id)
            restored = await fresh.ended(await fresh.ask(request))
            assert (restored.state, restored.failure) == ("succeeded", None)
            for kind, name in ((CONFIG_MAP, "settings"), (SECRET, "credentials")):
                assert await fresh.cluster.get(kind, name, namespace) is not None
            await run_pod(
                fresh.cluster,
                namespace,
                empty_cluster.busybox_image,
                name="reader",
                claims=(CLAIM,),
            )
            read = DIGEST.format(f"/{CLAIM}")
            there = await output(fresh.cluster, namespace, "reader", read)
            assert there.strip() == digest
            again = await fresh.back_up(app)
            assert (again.state, again.app_id, again.version) == ("succeeded", app_id, 2)
