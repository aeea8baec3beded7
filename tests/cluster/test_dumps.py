"""Dumps on the real cluster: a command's output is the data, whole in both directions or not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from appshield.contracts.runs import Run
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    NAME,
    component,
    deploy,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from failures import failed_whole, traces
from installation import Installation

LOAD = ["sh", "-c", "cat > /data/content"]


def dumped(dump: list[str], load: list[str], **more: Any) -> Object:
    """Describe the component by its dump alone."""
    hooks = {"dump": {"command": dump}, "load": {"command": load, **more}}
    return component(strategy="dump", quiesce=None, resume=None, **hooks)


@pytest.fixture
async def namespace(installation: Installation, local_cluster: ClusterFacts) -> AsyncIterator[str]:
    async with namespace_of_its_own(installation, "dump") as name:
        spec = {"components": [dumped(["cat", "/data/content"], LOAD)]}
        await deploy(installation, name, local_cluster.busybox_image, spec=spec)
        yield name


async def back_up(installation: Installation, namespace: str, *component: Object) -> Run:
    """Back up with this component, or with the one that is declared."""
    if component:
        patch = {"spec": {"components": list(component)}}
        await installation.cluster.merge_patch(APPLICATION, NAME, patch, namespace=namespace)
    return await installation.back_up(installation.app(namespace))


async def fill(installation: Installation, namespace: str, mib: int) -> str:
    """Give the application random content and return its digest."""
    made = f"head -c {mib}m /dev/urandom > /data/content"
    return await run_in(installation, namespace, f"{made} && sha256sum < /data/content")


@pytest.mark.parametrize("mib", [0, 1, 20])
async def test_a_dump_comes_back_byte_for_byte_in_another_namespace(
    installation: Installation, namespace: str, mib: int
) -> None:
    """Also an empty one, and one that is larger than any buffer on the way."""
    digest = await fill(installation, namespace, mib)
    run = await back_up(installation, namespace)
    assert (run.state, run.failure) == ("succeeded", None)
    assert run.backup
    assert run.backup.taken
    assert run.backup.taken.consistency == "application"
    stored = {source.name: source.bytes_read for source in run.backup.stored}
    assert stored["dumps/db"] == mib * 1024 * 1024
    assert [name for name in stored if name.startswith("volumes/")] == []

    async with namespace_of_its_own(installation, "dump-copy") as other:
        restored = await installation.restore(installation.app(namespace), 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        assert restored.restore
        assert restored.restore.bytes_written == mib * 1024 * 1024
        await until_running(installation, other)
        assert await run_in(installation, other, "sha256sum < /data/content") == digest
        assert await nothing_left_behind(installation, other)
    assert traces(installation) == []


@pytest.mark.parametrize(
    ("dump", "told"),
    [
        (
            ["sh", "-c", "head -c 3m /dev/zero; echo lost the table >&2; exit 1"],
            ("the dump of db in", "pod db-0", "ended with 1: lost the table"),
        ),
        (["sh", "-c", "head -c 3m /dev/zero; kill -9 $$"], ("the dump of db in", "pod db-0")),
        (["pg_dumpall"], ("the dump of db in", "pod db-0", "127")),
    ],
    ids=["exits 1", "is killed", "is not in the image"],
)
async def test_a_dump_that_fails_in_mid_stream_is_neither_a_source_nor_a_version(
    installation: Installation, namespace: str, dump: list[str], told: tuple[str, ...]
) -> None:
    """Three megabytes came, and they count for nothing."""
    run = await back_up(installation, namespace, dumped(dump, LOAD))
    await failed_whole(installation, run, told=told)
    assert run.backup
    assert [source.name for source in run.backup.stored] in ([], ["manifests"])


async def test_a_dump_that_hangs_is_given_up_after_its_timeout(
    installation: Installation, namespace: str
) -> None:
    """With how long it was waited for."""
    hangs = dumped(["sh", "-c", "head -c 1m /dev/zero; sleep 600"], LOAD)
    hangs["dump"]["timeout"] = "3s"
    run = await back_up(installation, namespace, hangs)
    await failed_whole(installation, run, told=("the dump of db in", "did not end within 3 s"))


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (["true"], ("loading the dump of db in", "is not whole")),
        (
            ["sh", "-c", "head -c 100000 > /data/content"],
            ("loading the dump of db in", "is not whole"),
        ),
        (["sh", "-c", "cat > /dev/null; echo no room >&2; exit 4"], ("ended with 4: no room",)),
    ],
    ids=["ignores it", "takes a part", "fails"],
)
async def test_a_load_that_does_not_take_all_of_its_input_is_an_error(
    installation: Installation, namespace: str, load: list[str], told: tuple[str, ...]
) -> None:
    """A command that succeeds without reading has loaded nothing, whatever it says."""
    await fill(installation, namespace, 1)
    run = await back_up(installation, namespace, dumped(["cat", "/data/content"], load))
    assert (run.state, run.failure) == ("succeeded", None)
    async with namespace_of_its_own(installation, "load") as other:
        restored = await installation.restore(installation.app(namespace), 1, to=other)
        assert restored.state == "failed"
        text = str(restored.failure)
        assert [words for words in told if words not in text] == [], text
        assert restored.failure
        assert restored.failure.next_step
        assert await nothing_left_behind(installation, other)
    assert traces(installation) == []
