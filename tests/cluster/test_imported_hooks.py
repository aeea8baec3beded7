"""Pods that are annotated for Velero and K8up, as their documentation writes it, on the real thing.

The commands are of this test, as the examples' servers are not here; the annotations are theirs.
"""

import pytest

from appshield.contracts.sources import DumpSource
from appshield.kubernetes.kinds import STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    component,
    deploy,
    namespace_of_its_own,
    run_in,
    until_running,
)
from installation import Installation

ANNOTATIONS = {
    "pre.hook.backup.velero.io/container": "main",
    "pre.hook.backup.velero.io/command": '["/bin/sh", "-c", "echo frozen >> /data/hooks"]',
    "pre.hook.backup.velero.io/timeout": "1m30s",
    "pre.hook.backup.velero.io/on-error": "Fail",
    "post.hook.backup.velero.io/container": "main",
    "post.hook.backup.velero.io/command": '["/bin/sh", "-c", "echo thawed >> /data/hooks"]',
    "k8up.io/backupcommand": "sh -c 'cat /data/content'",
    "k8up.io/backupcommand-container": "main",
    "k8up.io/file-extension": ".sql",
}


@pytest.mark.timeout(240)
async def test_annotations_of_pods_quiesce_resume_and_dump(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The document has no hook of its own but the load that a dump needs."""
    async with (
        namespace_of_its_own(installation, "annotated") as namespace,
        namespace_of_its_own(installation, "annotated-copy") as other,
    ):
        load = {"command": ["sh", "-c", "cat > /data/loaded"]}
        bare = component(quiesce=None, resume=None, load=load)
        spec = {"components": [bare]}
        await deploy(installation, namespace, local_cluster.busybox_image, spec=spec)
        template = {"spec": {"template": {"metadata": {"annotations": ANNOTATIONS}}}}
        await installation.cluster.merge_patch(STATEFUL_SET, "db", template, namespace=namespace)
        await until_running(installation, namespace)
        await run_in(installation, namespace, "echo rows > /data/content; rm -f /data/hooks")

        app = installation.app(namespace)
        run = await installation.back_up(app)
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.backup
        assert run.backup.taken
        assert run.backup.taken.consistency == "application"
        assert [one for one in run.backup.taken.sources if isinstance(one, DumpSource)]
        assert await run_in(installation, namespace, "cat /data/hooks") == "frozen\nthawed"

        restored = await installation.restore(app, 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        await until_running(installation, other)
        # cut while it was frozen, and thawed by the restore: a later cut would hold it twice
        assert await run_in(installation, other, "cat /data/hooks") == "frozen\nthawed"
