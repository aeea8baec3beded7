"""Part of a version, and restores onto what is there, on the real cluster, all by commands."""

import pytest

from appshield.kubernetes import Object
from appshield.kubernetes.kinds import CONFIG_MAP, POD, PVC, SECRET, STATEFUL_SET
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    CLAIM,
    POD_NAME,
    deploy,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from command_line import CommandLine, Said
from installation import Installation

pytestmark = pytest.mark.timeout(300)

ETC = f"volumes/{CLAIM}/etc"
AS_SAVED = (
    "mkdir /data/etc; echo one > /data/etc/a; echo two > /data/etc/b; "
    "echo three > /data/other; sync"
)
CHANGED = (
    "echo changed > /data/etc/a; rm /data/etc/b; echo new > /data/etc/new; "
    "echo changed > /data/other; sync"
)


@pytest.fixture
def appshield(installation: Installation) -> CommandLine:
    """The command line of the session's installation."""
    return CommandLine(installation.home.folder)


def well(said: Said) -> str:
    assert said.code == 0, said.err
    return said.out


async def scale(installation: Installation, namespace: str, replicas: int) -> None:
    """Stop or start the application, and wait for that."""
    patch: Object = {"spec": {"replicas": replicas}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    if replicas:
        await until_running(installation, namespace)
        return
    await installation.cluster.wait_for(
        POD, POD_NAME, namespace, lambda pod: pod is None, timeout_s=60, what="the pod gone"
    )


async def color(installation: Installation, namespace: str, value: str = "") -> str:
    """Read a value of the application's settings, after setting it where one is given."""
    if value:
        patch: Object = {"data": {"COLOR": value}}
        await installation.cluster.merge_patch(CONFIG_MAP, "settings", patch, namespace=namespace)
    found = await installation.cluster.get(CONFIG_MAP, "settings", namespace)
    assert found is not None
    return str(found["data"]["COLOR"])


async def test_part_of_a_version_comes_back_onto_what_is_there(
    installation: Installation, appshield: CommandLine, local_cluster: ClusterFacts
) -> None:
    """Told before, refused while the volume is in use, and nothing else is touched."""
    async with (
        namespace_of_its_own(installation, "existing") as namespace,
        namespace_of_its_own(installation, "part") as beside,
    ):
        app = f"{namespace}/app"
        await deploy(installation, namespace, local_cluster.busybox_image)
        await installation.known(installation.app(namespace))
        await run_in(installation, namespace, AS_SAVED)
        well(await appshield("backup", app, "--wait"))
        await run_in(installation, namespace, CHANGED)
        await color(installation, namespace, "red")

        part = ("restore", app, "1", "--path", ETC)
        refused = await appshield(*part, "--wait")
        assert refused.code == 7
        assert f"PersistentVolumeClaim {namespace}/{CLAIM}" in refused.err
        told = well(await appshield(*part, "--existing", "--delete-extra", "--dry-run"))
        assert f"in {ETC.rpartition('/')[0]} 1 entries would be created, 1 overwritten, 1" in told
        assert "  overwrite etc/a\n  delete etc/new\n" in told
        refused = await appshield(*part, "--existing", "--wait")
        assert refused.code == 7
        assert f"the volumes to be restored are in use: Pod {namespace}/{POD_NAME}" in refused.err
        state = await run_in(installation, namespace, "cd /data; cat etc/* other")
        assert state.split() == ["changed", "new", "changed"]

        await scale(installation, namespace, 0)
        well(await appshield(*part, "--existing", "--delete-extra", "--wait"))
        await scale(installation, namespace, 1)
        state = await run_in(installation, namespace, "cd /data; ls etc; cat etc/* other")
        assert state.split() == ["a", "b", "one", "two", "changed"]
        assert await color(installation, namespace) == "red"

        settings = "manifests/configmap/settings.json"
        well(await appshield("restore", app, "1", "--path", settings, "--existing", "--wait"))
        assert await color(installation, namespace) == "blue"

        well(await appshield(*part, "--to", beside, "--wait"))
        assert await installation.cluster.get(PVC, CLAIM, beside) is not None
        assert await installation.cluster.get(SECRET, "credentials", beside) is None
        assert await installation.cluster.get(STATEFUL_SET, "db", beside) is None
        for place in (namespace, beside):
            assert await nothing_left_behind(installation, place)


async def test_a_whole_version_comes_back_onto_a_stopped_application(
    installation: Installation, appshield: CommandLine, local_cluster: ClusterFacts
) -> None:
    """Objects are changed to what the version has, replicas too, so that it runs again."""
    async with namespace_of_its_own(installation, "onto") as namespace:
        app = f"{namespace}/app"
        await deploy(installation, namespace, local_cluster.busybox_image)
        await installation.known(installation.app(namespace))
        await run_in(installation, namespace, AS_SAVED)
        well(await appshield("backup", app, "--wait"))
        before = await installation.cluster.get(PVC, CLAIM, namespace)
        await run_in(installation, namespace, CHANGED)
        await color(installation, namespace, "red")
        await installation.cluster.delete(SECRET, "credentials", namespace=namespace)
        await scale(installation, namespace, 0)

        told = well(await appshield("restore", app, "1", "--existing", "--dry-run"))
        made, _, changed = told.partition("and change where they differ:")
        assert f"Secret {namespace}/credentials" in made
        assert f"StatefulSet {namespace}/db" in changed
        assert "  overwrite other\n" in changed
        assert "  delete " not in changed

        well(await appshield("restore", app, "1", "--existing", "--wait"))
        await until_running(installation, namespace)
        state = await run_in(installation, namespace, "cd /data; ls etc; cat etc/* other")
        assert state.split() == ["a", "b", "new", "one", "two", "new", "three"]
        assert await color(installation, namespace) == "blue"
        assert await run_in(installation, namespace, "[ -e /data/quiesced ] || echo goes on")
        after = await installation.cluster.get(PVC, CLAIM, namespace)
        assert before is not None
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        for kind, name in ((SECRET, "credentials"), (STATEFUL_SET, "db"), (PVC, CLAIM)):
            found = await installation.cluster.get(kind, name, namespace)
            assert found is not None
            assert "appshield.io/restoring" not in (found["metadata"].get("annotations") or {})
        assert await nothing_left_behind(installation, namespace)
