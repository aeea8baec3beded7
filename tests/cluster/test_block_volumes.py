"""A raw block volume under writes, on the real cluster: saved, restored elsewhere and in place."""

from pathlib import Path

import pytest

from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION, POD, PVC, STATEFUL_SET
from appshield.local.cluster import STORAGE_CLASS, ClusterFacts
from cluster_application import (
    CLAIM,
    POD_NAME,
    document,
    namespace_of_its_own,
    nothing_left_behind,
    run_in,
    until_running,
)
from command_line import CommandLine, Said
from installation import Installation
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)

SIZE_MIB = 16
ROW_BYTES = 512
VOLUME = f"volumes/{CLAIM}"

LOOP = f"""
n=$(tr -d '\\0' < /dev/disk | wc -l)
while true; do
  n=$((n+1))
  printf 'row %d\\n' $n | dd of=/dev/disk bs={ROW_BYTES} seek=$n conv=notrunc,fsync,sync 2>/dev/null
  echo $n > /written.new && mv /written.new /written
  sleep 0.05
done
"""
"""Writes numbered rows to the device, each into a sector of its own, and goes on with them."""


def stateful_set(image: str) -> Object:
    """Describe a workload that writes to a raw device."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,  # with 0 the pod is gone before its writer
                    "containers": [
                        {
                            "name": "main",
                            "image": image,
                            "command": ["sh", "-c", LOOP],
                            "volumeDevices": [{"name": "data", "devicePath": "/dev/disk"}],
                        }
                    ],
                },
            },
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "volumeMode": "Block",
                        "storageClassName": STORAGE_CLASS,
                        "resources": {"requests": {"storage": f"{SIZE_MIB}Mi"}},
                    },
                }
            ],
        },
    }


@pytest.fixture
def appshield(installation: Installation) -> CommandLine:
    """The command line of the session's installation."""
    return CommandLine(installation.home.folder)


def well(said: Said) -> str:
    assert said.code == 0, said.err
    return said.out


async def written(installation: Installation, namespace: str) -> int:
    """Return the last row that was acknowledged: it is on the device."""
    return int(await run_in(installation, namespace, "cat /written 2>/dev/null || echo 0"))


async def rows_on_disk(installation: Installation, namespace: str) -> list[int]:
    """Return the numbers of the rows that are on the device, in the order of their places."""
    told = await run_in(installation, namespace, "tr -d '\\0' < /dev/disk")
    return [int(line.removeprefix("row ")) for line in told.splitlines()]


async def scale(installation: Installation, namespace: str, replicas: int) -> None:
    patch: Object = {"spec": {"replicas": replicas}}
    await installation.cluster.merge_patch(STATEFUL_SET, "db", patch, namespace=namespace)
    if replicas:
        await until_running(installation, namespace)
        return
    await installation.cluster.wait_for(
        POD, POD_NAME, namespace, lambda pod: pod is None, timeout_s=60, what="the pod gone"
    )


def devices_below(folder: Path) -> list[str]:
    """List the files below a folder that this machine serves as loop devices."""
    backing = Path("/sys/block").glob("loop*/loop/backing_file")
    files = [path.read_text().strip() for path in backing if path.exists()]
    return [file for file in files if Path(file).is_relative_to(folder)]


async def test_a_block_volume_comes_back_as_it_was_at_the_cut(
    installation: Installation, appshield: CommandLine, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """Elsewhere and onto itself; every row before the backup is there, and none is missing between.

    Nothing stays of the devices that were made in passing.
    """
    async with (
        namespace_of_its_own(installation, "block") as namespace,
        namespace_of_its_own(installation, "copy") as other,
    ):
        app = f"{namespace}/app"
        body = stateful_set(local_cluster.busybox_image)
        await installation.cluster.create(STATEFUL_SET, body, namespace=namespace)
        await installation.cluster.create(APPLICATION, document(namespace, components=[PART]))
        await until_running(installation, namespace)
        await installation.known(installation.app(namespace))

        async def many() -> bool:
            return await written(installation, namespace) > 20

        await wait_until(many, deadline_s=30, what="rows are written")
        before = await written(installation, namespace)
        well(await appshield("backup", app, "--wait"))
        after = await written(installation, namespace)

        image = tmp_path / "disk.img"
        well(await appshield("dump", app, "1", VOLUME, "-o", str(image)))
        assert image.stat().st_size == SIZE_MIB << 20
        saved = image.read_bytes().replace(b"\0", b"").decode().splitlines()
        assert saved == [f"row {number + 1}" for number in range(len(saved))]
        assert before <= len(saved) <= after + 1

        well(await appshield("restore", app, "1", "--to", other, "--wait"))
        claim = await installation.cluster.get(PVC, CLAIM, other)
        assert claim is not None
        assert claim["spec"]["volumeMode"] == "Block"
        rows = await rows_on_disk(installation, other)
        assert rows == list(range(1, len(rows) + 1))
        assert len(rows) >= len(saved)

        overwrite = f"dd if=/dev/zero of=/dev/disk bs={ROW_BYTES} count=10 conv=notrunc,fsync"
        await run_in(installation, namespace, f"{overwrite} 2>/dev/null")
        await scale(installation, namespace, 0)
        onto = ("restore", app, "1", "--path", VOLUME, "--existing")
        told = well(await appshield(*onto, "--dry-run"))
        assert f"overwrite {CLAIM}" in told
        well(await appshield(*onto, "--wait"))
        assert "overwrite" not in well(await appshield(*onto, "--dry-run"))
        await scale(installation, namespace, 1)
        rows = await rows_on_disk(installation, namespace)
        assert rows == list(range(1, len(rows) + 1))

        for place in (namespace, other):
            assert await nothing_left_behind(installation, place)

        async def only_ours() -> bool:
            return len(devices_below(local_cluster.kubelet_root)) == 2

        await wait_until(only_ours, deadline_s=60, what="devices made in passing are gone")


PART: Object = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}
