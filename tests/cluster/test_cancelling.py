"""Runs cancelled in the middle, on the real thing: the application runs on, and nothing stays."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.requests import RequestBackup, RequestCancel, RequestRestore
from appshield.contracts.runs import Run
from appshield.contracts.streams import CATALOG, REPOSITORY_LOCKS
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    deploy,
    is_quiesced,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from installation import Installation, Stage
from restic_binary import Restic
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)

BIG_MIB = 60


def at(step: str) -> Stage:
    """Say that a run is at a step, or beyond: a short one may be over before anybody looks."""

    def reached(run: Run) -> bool:
        return any(one.name.startswith(step) for one in run.steps)

    return reached


class Protected:
    """An application with a volume that takes a while to read."""

    def __init__(
        self, installation: Installation, restic: Restic, record: ApplicationRecord
    ) -> None:
        self.installation = installation
        self.restic = restic
        self.record = record

    @property
    def app(self) -> AppRef:
        return self.record.app

    async def numbers(self) -> list[int]:
        bucket = self.installation.bus.bucket(CATALOG, VersionRecord)
        found = [entry.value async for entry in bucket.items(f"{self.record.app_id}.")]
        return sorted(version.facts.number for version in found)

    async def cancelled_at(self, step: str, run: str) -> Run:
        """Cancel a run at a step and return it as it ends."""
        await self.installation.reached(run, at(step), f"step {step}")
        request = RequestCancel(app=self.app, request_id=str(uuid4()), actor="eve", run=run)
        await self.installation.bus.publish(request)
        return await self.installation.ended(run)

    async def ensure_no_lock(self) -> None:
        """Neither ours on the bus nor restic's in the repository."""
        locks = self.installation.bus.bucket(REPOSITORY_LOCKS, dict)

        async def released() -> bool:
            held = [key for key in await locks.keys() if self.record.app_id in key]
            app_id = self.record.app_id
            listed = await self.installation.restic(
                self.restic, app_id, "list", "locks", "--no-lock"
            )
            return not held and not listed.strip()

        await wait_until(released, deadline_s=60, what="no lock is held", every_s=0.5)


@pytest.fixture(scope="module")
async def protected(
    installation: Installation, local_cluster: ClusterFacts, restic: Restic
) -> AsyncIterator[Protected]:
    async with namespace_of_its_own(installation, "cancelled") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        make = f"dd if=/dev/urandom of=/data/big bs=1M count={BIG_MIB} 2>/dev/null && sync"
        await run_in(installation, namespace, make)
        app = installation.app(namespace)
        await installation.back_up(app)
        record = await installation.known(app)
        yield Protected(installation, restic, record)


@pytest.mark.parametrize("step", ["open", "take", "store/volumes", "commit"])
async def test_a_cancelled_backup_leaves_nothing_and_resumes_the_application(
    step: str, protected: Protected
) -> None:
    """No snapshot, no exposer, no lock; a version only if it was complete before."""
    installation, before = protected.installation, await protected.numbers()
    run = await installation.ask(RequestBackup(app=protected.app, request_id=str(uuid4())))
    ended = await protected.cancelled_at(step, run)
    made = [] if ended.state == "cancelled" and not ended.snapshot_id else [ended.version]
    assert step == "commit" or ended.state == "cancelled"
    assert not await is_quiesced(installation, protected.app.namespace)
    assert await nothing_left_behind(installation, protected.app.namespace)
    await protected.ensure_no_lock()
    late = set(await protected.numbers()) - {*before, *made}
    assert step == "commit" or not late


@pytest.mark.parametrize("step", ["prepare", "load", "apply"])
async def test_a_cancelled_restore_leaves_no_loader_and_can_be_asked_for_again(
    step: str, protected: Protected
) -> None:
    """The next restore goes on with what is there, to its end."""
    installation = protected.installation
    version = (await protected.numbers())[-1]
    async with namespace_of_its_own(installation, "undone") as target:
        request = RequestRestore(
            app=protected.app,
            request_id=str(uuid4()),
            version=version,
            target_namespace=target,
        )
        ended = await protected.cancelled_at(step, await installation.ask(request))
        assert ended.state == "cancelled"
        assert await nothing_left_behind(installation, target)
        await protected.ensure_no_lock()
        again = await installation.restore(protected.app, version, to=target)
        assert (again.state, again.failure) == ("succeeded", None)
        await until_running(installation, target)
