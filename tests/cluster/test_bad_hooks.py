"""A hook that fails, hangs or cannot run: no version, the reason told, the application goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from appshield.vault.finding import ClusterVaults
from cluster_application import (
    NAME,
    QUIESCE,
    RESUME,
    component,
    deploy,
    is_quiesced,
    namespace_of_its_own,
    run_in,
    until_running,
)
from failures import failed_whole, kept_by, promises, traces
from installation import Installation
from waiting import wait_until

SECRET = "planted-hunter2-in-a-secret"


@pytest.fixture(scope="module")
async def namespace(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[str]:
    """One running application for all tests here; each gives its component other hooks."""
    async with namespace_of_its_own(installation, "hooks") as name:
        await deploy(installation, name, local_cluster.busybox_image, secret=SECRET)
        await add_bare_container(installation, name, local_cluster.pause_image)
        await installation.known(installation.app(name))
        yield name


async def add_bare_container(installation: Installation, namespace: str, image: str) -> None:
    """Let the pod have a second container whose image holds one program and no shell."""
    found = await installation.cluster.get(STATEFUL_SET, "db", namespace)
    assert found is not None
    containers = found["spec"]["template"]["spec"]["containers"]
    patch = {"spec": {"template": {"spec": {"containers": [*containers, bare(image)]}}}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    await until_running(installation, namespace)


def bare(image: str) -> Object:
    return {"name": "bare", "image": image}


async def declare(installation: Installation, namespace: str, **changes: Any) -> None:
    """Give the application's component other hooks."""
    patch = {"spec": {"components": [component(**changes)]}}
    await installation.cluster.merge_patch(APPLICATION, NAME, patch, namespace=namespace)


@pytest.mark.parametrize(
    ("quiesce", "told"),
    [
        (
            {"command": ["sh", "-c", "touch /data/quiesced; echo cannot lock >&2; exit 3"]},
            ("the quiesce hook of component db in", "pod db-0", "ended with 3: cannot lock"),
        ),
        (
            {"command": ["sh", "-c", "touch /data/quiesced; sleep 600"], "timeout": "2s"},
            ("the quiesce hook of component db in", "pod db-0", "did not end within 2 s"),
        ),
        (
            {"command": ["pg_backup_start"]},
            ("the quiesce hook of component db in", "pod db-0", "no such program"),
        ),
        (
            {"command": ["touch", "/x"], "container": "bare"},
            ("the quiesce hook of component db in", "pod db-0", "no such program"),
        ),
        (
            {"command": QUIESCE, "container": "absent"},
            ("has no container absent", "it has main, bare"),
        ),
        (
            {"command": QUIESCE, "pods": "leader"},
            ("no pod is labelled as the leader",),
        ),
    ],
    ids=["fails", "hangs", "is not in the image", "has no shell", "no container", "no leader"],
)
async def test_a_quiesce_that_does_not_work_fails_the_backup_and_the_application_goes_on(
    installation: Installation, namespace: str, quiesce: Object, told: tuple[str, ...]
) -> None:
    """The run names the pod, the cause and the next step; the marker of the hook is gone."""
    await declare(installation, namespace, quiesce=quiesce)
    run = await installation.back_up(installation.app(namespace))
    await failed_whole(installation, run, told=told)
    assert not await is_quiesced(installation, namespace)


async def test_a_hook_that_prints_a_secret_is_told_without_it(
    installation: Installation, namespace: str
) -> None:
    """Neither the failure nor a log holds the value of the application's Secret."""
    says = 'echo "cannot log in with $KEY" >&2; exit 1'
    await declare(installation, namespace, quiesce={"command": ["sh", "-c", says]})
    run = await installation.back_up(installation.app(namespace))
    await failed_whole(installation, run, told=("cannot log in with [hidden]",))
    logs = [log.read_text() for log in installation.home.logs.glob("*.log")]
    assert [log for log in logs if SECRET in log] == []


async def test_a_quiesce_that_may_fail_costs_the_consistency_and_not_the_version(
    installation: Installation, namespace: str
) -> None:
    """`onError: continue` makes a version that says what it is."""
    async with namespace_of_its_own(installation, "hooks-continue") as other:
        await deploy(installation, other, await image_of(installation, namespace))
        hook = {"command": ["sh", "-c", "exit 1"], "onError": "continue"}
        await declare(installation, other, quiesce=hook)
        run = await installation.back_up(installation.app(other))
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.backup
        assert run.backup.taken
        assert run.backup.taken.consistency == "crash-group"


async def image_of(installation: Installation, namespace: str) -> str:
    found = await installation.cluster.get(STATEFUL_SET, "db", namespace)
    assert found is not None
    image: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def test_a_resume_that_fails_first_is_tried_until_it_succeeds(
    installation: Installation, namespace: str
) -> None:
    """The run says so at once, nobody has to do anything, and no promise stays behind."""
    broken = ["sh", "-c", "[ -e /mended ] || exit 9; rm -f /data/quiesced"]
    await declare(installation, namespace, resume={"command": broken})
    run = await installation.back_up(installation.app(namespace))
    assert run.state == "failed"
    assert f"application {namespace}/{NAME} did not resume" in str(run.failure)
    assert "ended with 9" in str(run.failure)
    assert await promises(installation, run.app_id), "the promise to resume is gone"
    assert await is_quiesced(installation, namespace)

    await run_in(installation, namespace, "touch /mended")

    async def resumed() -> bool:
        return not await promises(installation, run.app_id)

    await wait_until(resumed, deadline_s=60, what="the promise kept", every_s=0.5)
    assert not await is_quiesced(installation, namespace)
    await run_in(installation, namespace, "rm /mended")

    async def all_gone() -> bool:
        access = await ClusterVaults(installation.cluster).access(run.vault)
        return await asyncio.to_thread(kept_by, access, run) == []

    await wait_until(all_gone, deadline_s=30, what="nothing staged any more", every_s=0.5)
    await failed_whole(installation, run, told=("did not resume",))


async def test_a_workload_that_is_not_there_is_refused_before_anything_waits(
    installation: Installation, namespace: str
) -> None:
    """No hook has run and no promise was made that nobody could keep."""
    workload = {"kind": "StatefulSet", "name": "absent"}
    await declare(installation, namespace, workload=workload)
    run = await installation.back_up(installation.app(namespace))
    told = ("component db", "StatefulSet absent does not exist", "Correct the document")
    await failed_whole(installation, run, told=told)
    assert not await is_quiesced(installation, namespace)


async def test_after_all_of_this_a_backup_succeeds(
    installation: Installation, namespace: str
) -> None:
    """Nothing that failed before stands in its way, and no service has left a trace in its log."""
    await declare(installation, namespace, resume={"command": RESUME})
    run = await installation.back_up(installation.app(namespace))
    assert (run.state, run.failure) == ("succeeded", None)
    assert run.backup
    assert run.backup.taken
    assert run.backup.taken.consistency == "application"
    assert traces(installation) == []
