"""A volume that cannot be saved refuses the backup, by its name and with what to do."""

from collections.abc import AsyncIterator

import pytest

from appshield.kubernetes import Object
from appshield.kubernetes.kinds import PVC, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from cluster_application import deploy, is_quiesced, namespace_of_its_own, until_running
from failures import failed_whole
from installation import Installation


@pytest.fixture(scope="module")
async def namespace(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[str]:
    async with namespace_of_its_own(installation, "volumes") as name:
        await deploy(installation, name, local_cluster.busybox_image)
        yield name


async def test_a_claim_that_is_not_bound_is_named_with_its_phase(
    installation: Installation, namespace: str
) -> None:
    """Saving without it would be a version that is not whole; nothing was quiesced for it."""
    claim: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "waiting"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "no-such-class",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    await installation.cluster.create(PVC, claim, namespace=namespace)
    run = await installation.back_up(installation.app(namespace))
    told = ("waiting: the claim is not bound (its phase is Pending)", "kubectl describe pvc")
    await failed_whole(installation, run, told=told)
    assert not await is_quiesced(installation, namespace)
    await installation.cluster.delete(PVC, "waiting", namespace=namespace)


async def test_a_host_path_is_refused_with_the_reason(
    installation: Installation, namespace: str
) -> None:
    """The node's files are not the application's alone."""
    found = await installation.cluster.get(STATEFUL_SET, "db", namespace)
    assert found is not None
    spec = found["spec"]["template"]["spec"]
    container = spec["containers"][0]
    mounted = [*container["volumeMounts"], {"name": "node", "mountPath": "/node"}]
    pod: Object = {
        "containers": [{**container, "volumeMounts": mounted}],
        "volumes": [{"name": "node", "hostPath": {"path": "/run", "type": "Directory"}}],
    }
    patch = {"spec": {"template": {"spec": pod}}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    await until_running(installation, namespace)
    run = await installation.back_up(installation.app(namespace))
    told = (
        "node of StatefulSet",
        "is a hostPath of the node, which is not the application's alone",
        "use a PersistentVolumeClaim, or exclude it",
    )
    await failed_whole(installation, run, told=told)
    assert not await is_quiesced(installation, namespace)
