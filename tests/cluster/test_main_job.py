"""The main job on the real cluster: back up hot, destroy, restore a chosen version."""

from appshield.kubernetes.kinds import CONFIG_MAP, SECRET, STATEFUL_SET
from appshield.local.cluster import PLAIN_STORAGE_CLASS, ClusterFacts
from cluster_application import (
    deploy,
    is_quiesced,
    namespace_of_its_own,
    nothing_left_behind,
    remove_namespace,
    run_in,
    until_running,
)
from installation import Installation


async def test_a_version_comes_back_after_its_namespace_was_deleted(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Rows, configuration and secret are those of the cut, and the application writes on."""
    async with namespace_of_its_own(installation, "main") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        before = int(await run_in(installation, namespace, "ls /data/rows | wc -l"))
        run = await installation.back_up(app)
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.version == 1
        assert run.backup
        assert run.backup.taken
        assert run.backup.taken.consistency == "application"
        assert not await is_quiesced(installation, namespace)
        assert await nothing_left_behind(installation, namespace)

        await remove_namespace(installation, namespace)
        restored = await installation.restore(app, 1)
        assert (restored.state, restored.failure) == ("succeeded", None)
        await until_running(installation, namespace)
        rows = await run_in(installation, namespace, "cat $(ls -v /data/rows/*) | head -n 100000")
        numbers = [int(line.removeprefix("row ")) for line in rows.splitlines()]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= before
        settings = await installation.cluster.get(CONFIG_MAP, "settings", namespace)
        assert settings is not None
        assert settings["data"] == {"COLOR": "blue"}
        assert await installation.cluster.get(SECRET, "credentials", namespace) is not None
        assert await nothing_left_behind(installation, namespace)

        again = await installation.back_up(app)
        assert again.version == 2, "a restored application goes on with its history"


async def test_a_version_comes_up_in_another_namespace_beside_the_original(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The copy runs with the data of the cut; the original is not touched."""
    async with (
        namespace_of_its_own(installation, "source") as namespace,
        namespace_of_its_own(installation, "copy") as other,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        await installation.back_up(app)
        original = await installation.cluster.get(STATEFUL_SET, "db", namespace)
        restored = await installation.restore(app, 1, to=other)
        assert (restored.state, restored.failure) == ("succeeded", None)
        await until_running(installation, other)
        assert int(await run_in(installation, other, "ls /data/rows | wc -l")) > 0
        assert original is not None
        after = await installation.cluster.get(STATEFUL_SET, "db", namespace)
        assert after is not None
        assert after["metadata"]["generation"] == original["metadata"]["generation"]


async def test_a_target_that_holds_objects_is_refused_by_name_and_left_alone(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """Nothing is overwritten: the run names what is in the way; a dry run lists what would be."""
    async with (
        namespace_of_its_own(installation, "refused") as namespace,
        namespace_of_its_own(installation, "dry") as other,
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        app = installation.app(namespace)
        await installation.back_up(app)
        refused = await installation.restore(app, 1)
        assert refused.state == "failed"
        assert f"StatefulSet {namespace}/db" in str(refused.failure)
        assert f"ConfigMap {namespace}/settings" in str(refused.failure)

        dry = await installation.restore(app, 1, to=other, dry_run=True)
        assert dry.state == "succeeded"
        assert dry.restore
        assert dry.restore.planned
        assert f"StatefulSet {other}/db" in dry.restore.planned.objects
        assert await installation.cluster.get(STATEFUL_SET, "db", other) is None


async def test_a_volume_without_snapshots_is_read_live_and_the_version_says_so(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """The weakest guarantee is told, not hidden."""
    async with namespace_of_its_own(installation, "live") as namespace:
        await deploy(
            installation,
            namespace,
            local_cluster.busybox_image,
            storage_class=PLAIN_STORAGE_CLASS,
        )
        run = await installation.back_up(installation.app(namespace))
        assert (run.state, run.failure) == ("succeeded", None)
        assert run.backup
        assert run.backup.taken
        assert run.backup.taken.consistency == "live"
