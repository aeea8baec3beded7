"""A restore into a volume that is too small: one error, nothing half visible, and a way on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, CONFIG_MAP, PV, SECRET, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from appshield.local.cluster.commands import run_command
from cluster_application import (
    CLAIM,
    deploy,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from failures import traces
from installation import Installation

pytestmark = pytest.mark.timeout(240)

LARGE_MIB, SMALL_MIB, CONTENT_MIB = 64, 8, 24


@asynccontextmanager
async def disk(
    installation: Installation, facts: ClusterFacts, namespace: str, name: str, size_mib: int
) -> AsyncIterator[str]:
    """Give the claim of a namespace a disk of this size, made by hand as where no driver is."""
    folder = facts.kubelet_root / name
    folder.mkdir()
    options = f"size={size_mib}m,mode=0777"
    await run_command("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [facts.node_name]}
    body: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "64Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "by-hand",
            "claimRef": {"namespace": namespace, "name": CLAIM},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
    await installation.cluster.create(PV, body)
    try:
        yield name
    finally:
        await installation.cluster.delete(PV, name)
        await run_command("umount", "--lazy", folder)
        folder.rmdir()


async def test_a_volume_that_is_too_small_is_told_and_nothing_runs_on_it(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """No object of the application is made; with more room the same restore comes to its end."""
    one = uuid4().hex[:6]
    async with (
        namespace_of_its_own(installation, "roomy") as namespace,
        namespace_of_its_own(installation, "narrow") as target,
        disk(installation, local_cluster, namespace, f"roomy-{one}", LARGE_MIB),
        disk(installation, local_cluster, target, f"narrow-{one}", SMALL_MIB) as narrow,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image, storage_class="by-hand")
        make = f"dd if=/dev/urandom of=/data/big bs=1M count={CONTENT_MIB} 2>/dev/null && sync"
        await run_in(installation, namespace, make)
        digest = await run_in(installation, namespace, "sha256sum /data/big")
        app = installation.app(namespace)
        saved = await installation.back_up(app)
        assert (saved.state, saved.failure) == ("succeeded", None)

        failed = await installation.restore(app, 1, to=target)
        assert failed.state == "failed"
        assert failed.failure
        assert "cannot be restored: No space left on device" in str(failed.failure)
        assert failed.failure.next_step.startswith("Give the volume more room")
        for kind in (STATEFUL_SET, CONFIG_MAP, SECRET, APPLICATION):
            made = await installation.cluster.list(kind, namespace=target)
            assert {obj["metadata"]["name"] for obj in made} <= {"kube-root-ca.crt"}
        assert await nothing_left_behind(installation, target)
        assert traces(installation) == []

        folder = local_cluster.kubelet_root / narrow
        grow = f"remount,size={LARGE_MIB}m"
        await run_command("mount", "-o", grow, folder)
        again = await installation.restore(app, 1, to=target)
        assert (again.state, again.failure) == ("succeeded", None)
        await until_running(installation, target)
        assert await run_in(installation, target, "sha256sum /data/big") == digest
