"""A restore that was stopped in the middle is gone on with when it is asked for again."""

from uuid import uuid4

import pytest

from appshield.contracts.requests import RequestCancel, RequestRestore
from appshield.contracts.runs import Run
from appshield.kubernetes.kinds import CONFIG_MAP, PVC, SECRET, SERVICE, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    CLAIM,
    deploy,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from installation import Installation, Stage

pytestmark = pytest.mark.timeout(240)

MARK = "appshield.io/restoring"
MADE = ((CONFIG_MAP, "settings"), (SECRET, "credentials"), (SERVICE, "db"), (STATEFUL_SET, "db"))


def _at(step: str) -> Stage:
    def reached(run: Run) -> bool:
        return any(s.name.startswith(step) and s.state == "running" for s in run.steps)

    return reached


async def test_a_cancelled_restore_asked_again_continues_its_own_work(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Stopped while it loads, and again while it applies: what is there is marked as its own."""
    async with (
        namespace_of_its_own(installation, "cancelled") as namespace,
        namespace_of_its_own(installation, "continued") as target,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        make = "dd if=/dev/urandom of=/data/big bs=1M count=32 2>/dev/null && sync"
        await run_in(installation, namespace, make)
        digest = await run_in(installation, namespace, "sha256sum /data/big")
        assert (await installation.back_up(app)).state == "succeeded"

        for step in ("load", "apply"):
            request = RequestRestore(
                app=app, request_id=str(uuid4()), version=1, target_namespace=target
            )
            run = await installation.ask(request)
            await installation.reached(run, _at(step), f"step {step}")
            await installation.bus.publish(RequestCancel(app=app, request_id=str(uuid4()), run=run))
            cancelled = await installation.ended(run)
            assert cancelled.state == "cancelled"
            assert await nothing_left_behind(installation, target)
            claim = await installation.cluster.get(PVC, CLAIM, target)
            assert claim is not None
            assert MARK in claim["metadata"]["annotations"]

        again = await installation.restore(app, 1, to=target)
        assert (again.state, again.failure) == ("succeeded", None)
        await until_running(installation, target)
        assert await run_in(installation, target, "sha256sum /data/big") == digest
        for kind, name in (*MADE, (PVC, CLAIM)):
            found = await installation.cluster.get(kind, name, target)
            assert found is not None
            assert MARK not in found["metadata"].get("annotations", {})
        refused = await installation.restore(app, 1, to=target)
        assert refused.state == "failed"
        assert f"StatefulSet {target}/db" in str(refused.failure)
