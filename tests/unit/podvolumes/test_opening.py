"""A message cannot choose a path: what it names is compared with what cluster and kubelet say."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from appshield.errors import NotFoundError, RefusedError, UnavailableError
from appshield.kubernetes import Kind, Object
from appshield.podvolumes import PodVolume, open_pod_volume, opening, until_mounted

UID = "12345678-1234-1234-1234-123456789abc"
DRIVER, HANDLE = "btrfs.csi", "handle-1"


def objects(*, source: Object | None = None, volume: str = "pv-1", uid: str = UID) -> list[Object]:
    csi: Object = {"csi": {"driver": DRIVER, "volumeHandle": HANDLE}}
    claims = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "settings", "configMap": {"name": "settings"}},
    ]
    pod = {"metadata": {"name": "db-0", "uid": uid}, "spec": {"nodeName": "n-1", "volumes": claims}}
    claim = {"metadata": {"name": "data-db-0"}, "spec": {"volumeName": volume}}
    return [
        {"kind": "Pod", **pod},
        {"kind": "PersistentVolumeClaim", **claim},
        {"kind": "PersistentVolume", "metadata": {"name": "pv-1"}, "spec": source or csi},
    ]


class Facts:
    """What the API server says."""

    def __init__(self, *found: Object) -> None:
        self._found = {(obj["kind"], obj["metadata"]["name"]): obj for obj in found}

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        return self._found.get((kind.kind, name))


async def opened(root: Path, *found: Object, **order: Any) -> PodVolume:
    named = {"node": "n-1", "pod": "db-0", "pod_uid": UID, "claim": "data-db-0", **order}
    facts = Facts(*(found or objects()))
    volume = await open_pod_volume(facts, kubelet_root=root, pod_namespace="shop", **named)
    assert isinstance(volume, PodVolume)
    return volume


@pytest.fixture
def unmounted(tmp_path: Path) -> Path:
    """Make what the kubelet makes before it mounts a CSI volume; return the empty directory."""
    folder = tmp_path / "pods" / UID / "volumes" / "kubernetes.io~csi" / "pv-1" / "mount"
    folder.mkdir(parents=True)
    facts = {"driverName": DRIVER, "volumeHandle": HANDLE}
    (folder.parent / "vol_data.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture
def mount(unmounted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the volume be mounted there, as far as those can tell who may not mount."""
    (unmounted / "here").write_text("the data")
    monkeypatch.setattr(opening, "is_mount_point", lambda _: (unmounted / "here").exists())
    return unmounted


async def test_the_directory_of_the_volume_is_opened(tmp_path: Path, mount: Path) -> None:
    """Its place is made of the pod's uid and the name of the volume."""
    with (await opened(tmp_path)).opened() as root:
        assert os.listdir(root) == ["here"]  # noqa: PTH208 - of a descriptor


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"pod_uid": "87654321-1234-1234-1234-123456789abc"}, "is another one"),
        ({"node": "n-2"}, "does not run on node n-2"),
        ({"claim": "another"}, "does not mount the claim another"),
        ({"claim": "settings"}, "does not mount the claim settings"),
        ({"claim": "../../../../etc"}, "does not mount the claim"),
    ],
)
async def test_what_the_cluster_does_not_say_is_refused(
    tmp_path: Path, mount: Path, order: dict[str, str], said: str
) -> None:
    """Another pod of the same name, another node, a claim that the pod has no part in."""
    with pytest.raises(RefusedError, match=said) as caught:
        await opened(tmp_path, **order)
    assert caught.value.next_step


async def test_a_uid_that_is_no_uid_never_becomes_a_path(tmp_path: Path, mount: Path) -> None:
    """Not even if the API server were to say so."""
    with pytest.raises(RefusedError):
        await opened(tmp_path, *objects(uid="../../etc"), pod_uid="../../etc")


@pytest.mark.parametrize("missing", ["Pod", "PersistentVolumeClaim", "PersistentVolume"])
async def test_what_is_gone_is_named(tmp_path: Path, missing: str) -> None:
    """Between the order and the work anything may have been deleted."""
    found = [obj for obj in objects() if obj["kind"] != missing]
    with pytest.raises(NotFoundError, match=f"{missing} .*is not there any more"):
        await opened(tmp_path, *found)


async def test_a_claim_without_a_volume_is_named(tmp_path: Path) -> None:
    """It is not bound (any more)."""
    with pytest.raises(NotFoundError, match="claim shop/data-db-0 is not bound"):
        await opened(tmp_path, *objects(volume=""))


@pytest.mark.parametrize("source", [{"hostPath": {"path": "/etc"}}, {"iscsi": {}}])
async def test_a_kind_of_volume_that_is_not_known_is_refused(
    tmp_path: Path, source: Object
) -> None:
    """A hostPath is any directory of the node."""
    with pytest.raises(RefusedError, match="cannot be read on its node"):
        await opened(tmp_path, *objects(source=source))


@pytest.mark.parametrize(
    "facts",
    [
        {"driverName": DRIVER, "volumeHandle": "another"},
        {"driverName": "another", "volumeHandle": HANDLE},
        {},
    ],
)
async def test_a_mount_of_another_volume_is_refused(
    tmp_path: Path, mount: Path, facts: Object
) -> None:
    """What the kubelet wrote beside the mount has the last word."""
    (mount.parent / "vol_data.json").write_text(json.dumps(facts))
    volume = await opened(tmp_path)
    with pytest.raises(RefusedError, match="is not the volume that the API server names"):
        volume.opened().__enter__()


async def test_facts_that_are_missing_or_broken_or_a_link_are_refused(
    tmp_path: Path, mount: Path
) -> None:
    """In a sentence, whatever stands there."""
    file, real = mount.parent / "vol_data.json", tmp_path / "real.json"
    volume = await opened(tmp_path)
    file.rename(real)
    with pytest.raises(RefusedError, match="No such file"):
        volume.opened().__enter__()
    file.symlink_to(real)
    with pytest.raises(RefusedError, match="cannot be read"):
        volume.opened().__enter__()
    file.unlink()
    file.write_text("[]")
    with pytest.raises(RefusedError, match="not what the kubelet writes"):
        volume.opened().__enter__()


@pytest.mark.parametrize("depth", range(6))
async def test_a_link_in_the_way_is_never_followed(tmp_path: Path, mount: Path, depth: int) -> None:
    """Whichever part of the path it stands for, and although it leads to the very same place."""
    path = [mount, *mount.parents][depth]
    moved = path.rename(tmp_path / "moved")
    path.symlink_to(moved)
    volume = await opened(tmp_path)
    with pytest.raises(RefusedError):
        volume.opened().__enter__()


async def test_a_directory_on_which_nothing_is_mounted_is_no_empty_volume(
    tmp_path: Path, unmounted: Path
) -> None:
    """The kubelet makes it before it mounts, and leaves it when a mount has failed."""
    volume = await opened(tmp_path)
    with pytest.raises(UnavailableError, match=r"the volume of pod shop/db-0 is not mounted"):
        volume.opened().__enter__()


def test_a_mount_is_told_apart_from_a_directory(tmp_path: Path) -> None:
    """Although the file system may be the same one."""
    for folder, expected in ((Path("/proc"), True), (Path("/proc/self"), False), (tmp_path, False)):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            assert opening.is_mount_point(descriptor) is expected, folder
        finally:
            os.close(descriptor)


async def test_a_volume_is_waited_for_until_it_is_mounted(tmp_path: Path, mount: Path) -> None:
    """Whatever part of its place is missing at first."""
    (mount / "here").unlink()
    volumes = mount.parents[2]
    later = volumes.rename(tmp_path / "later")
    volume = await opened(tmp_path)
    waiting = asyncio.create_task(until_mounted(volume, timeout_s=30))
    await asyncio.sleep(0)  # a turn of the loop: the first look
    later.rename(volumes)
    await asyncio.sleep(0)  # another turn, in which it must not end
    assert not waiting.done()
    (mount / "here").write_text("the data")
    await waiting


async def test_a_volume_that_is_never_mounted_is_named(tmp_path: Path, unmounted: Path) -> None:
    """With its pod, whose events tell why."""
    with pytest.raises(UnavailableError, match=r"pod shop/db-0 was not mounted within 0.01 s"):
        await until_mounted(await opened(tmp_path), timeout_s=0.01)
