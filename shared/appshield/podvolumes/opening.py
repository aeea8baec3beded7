"""Find and open a pod's volume on this node: a directory, or a block device.

Names come from a message, facts from the API server: the pod of that uid runs on this node and
mounts that claim, the claim is bound to that volume. Only then is a path made of uid and volume
name, below the kubelet's root, and opened without following a link in any component; and only a
mount point is opened. Of a block volume the kubelet also makes a link in the pod's folder; the
device itself is taken from where the kubelet has mounted it for that pod.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from appshield.errors import NotFoundError, RefusedError, UnavailableError
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import POD, PV, PVC
from appshield.repository.files import open_directory_inside

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FOLDERS = {
    "csi": "kubernetes.io~csi/{volume}/mount",
    "local": "kubernetes.io~local-volume/{volume}",
    "nfs": "kubernetes.io~nfs/{volume}",
}
_DEVICES = "plugins/kubernetes.io/csi/volumeDevices/{volume}"
_DRIVER_FACTS_BYTES_MAX = 65_536


class ClusterReader(Protocol):
    """The part of a cluster that is needed here."""

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Read one object, None when it is not there."""
        ...


class PodVolume(msgspec.Struct, frozen=True):
    """A volume of a pod on this node: its place below the kubelet's root, and its facts."""

    pod: str
    folder: str
    driver: str
    handle: str
    kubelet_root: Path

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Give a descriptor of the volume's root directory.

        Raises:
            RefusedError: the mount belongs to another volume, or a link is in the way.
            UnavailableError: nothing is mounted there.
        """
        if self.driver:
            parent = self.folder.rpartition("/")[0]
            _compare_driver(self.kubelet_root, parent, self.driver, self.handle)
        descriptor = open_directory_inside(self.kubelet_root, self.folder)
        try:
            if not is_mount_point(descriptor):
                raise _not_mounted(self.pod, self.folder)
            yield descriptor
        finally:
            os.close(descriptor)

    def is_there(self) -> bool:
        """Whether something is mounted at its place by now; what it is, `opened` tells.

        Raises:
            RefusedError: a link is in the way.
        """
        try:
            descriptor = open_directory_inside(self.kubelet_root, self.folder)
        except NotFoundError:
            return False
        try:
            return is_mount_point(descriptor)
        finally:
            os.close(descriptor)


class PodDevice(msgspec.Struct, frozen=True):
    """A block volume of a pod on this node: the device that the kubelet mounted, and its facts."""

    pod: str
    folder: str
    uid: str
    driver: str
    handle: str
    kubelet_root: Path

    @contextmanager
    def opened(self, *, writable: bool = False) -> Iterator[int]:
        """Give a descriptor of the device.

        Raises:
            RefusedError: the device belongs to another volume, or is none.
            UnavailableError: it is not there.
        """
        _compare_driver(self.kubelet_root, f"{self.folder}/data", self.driver, self.handle)
        flags = os.O_RDWR if writable else os.O_RDONLY
        descriptor = self._open(flags | os.O_NONBLOCK)
        try:
            if not stat.S_ISBLK(os.fstat(descriptor).st_mode):
                raise RefusedError(
                    f"what the kubelet has mounted at {self.folder} is no block device",
                    next_step="Look at the pod and its claim; nothing was read or written.",
                )
            yield descriptor
        finally:
            os.close(descriptor)

    def is_there(self) -> bool:
        """Whether something is mounted at its place by now; what it is, `opened` tells.

        Raises:
            RefusedError: a link is in the way.
        """
        try:
            os.close(self._open(os.O_PATH))
        except (NotFoundError, UnavailableError):
            return False
        return True

    def _open(self, flags: int) -> int:
        """Open what is mounted for the pod; a link or a plain file of the folder is not."""
        folder = open_directory_inside(self.kubelet_root, f"{self.folder}/dev")
        try:
            descriptor = os.open(self.uid, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            if _mount_of(descriptor) == _mount_of(folder):
                os.close(descriptor)
                raise _not_mounted(self.pod, self.folder)
            return descriptor
        except FileNotFoundError as error:
            raise _not_mounted(self.pod, self.folder) from error
        except OSError as error:
            raise RefusedError(
                f"the device at {self.folder} is not opened",
                why=error.strerror or str(error),
                next_step="The agent needs the right to open block devices of its node.",
            ) from error
        finally:
            os.close(folder)


def _not_mounted(pod: str, folder: str) -> UnavailableError:
    return UnavailableError(
        f"the volume of {pod} is not mounted",
        why=f"the kubelet has no mount at {folder} (any more)",
        next_step="Look at the pod and its claim; the step is tried again.",
    )


def _compare_driver(kubelet_root: Path, facts_folder: str, driver: str, handle: str) -> None:
    parent = open_directory_inside(kubelet_root, facts_folder)
    try:
        facts = _read_facts(parent, facts_folder)
    finally:
        os.close(parent)
    found = (facts.get("driverName"), facts.get("volumeHandle"))
    if found != (driver, handle):
        raise RefusedError(
            f"the mount beside {facts_folder} is not the volume that the API server names",
            why=f"it belongs to {found[0]} {found[1]}",
            next_step="Look at the pod and its claim; the step is tried again.",
        )


def is_mount_point(directory: int) -> bool:
    """Whether a directory is the root of a mount, and not of the file system around it.

    The kubelet makes the directory first: what is read there too early is an empty volume.
    """
    above = os.open("..", os.O_PATH | os.O_CLOEXEC, dir_fd=directory)
    try:
        return _mount_of(above) != _mount_of(directory)
    finally:
        os.close(above)


def _mount_of(descriptor: int) -> bytes:
    facts = Path(f"/proc/self/fdinfo/{descriptor}").read_bytes().splitlines()
    return next(line for line in facts if line.startswith(b"mnt_id:"))


async def open_pod_volume(
    cluster: ClusterReader,
    *,
    kubelet_root: Path,
    node: str,
    pod_namespace: str,
    pod: str,
    pod_uid: str,
    claim: str,
) -> PodVolume | PodDevice:
    """Derive where `claim` of a pod is mounted on `node`.

    Raises:
        NotFoundError: pod, claim or volume is not there (any more).
        RefusedError: they are not what the message says, or the volume's kind cannot be read.
    """
    found = await _get(cluster, POD, pod, pod_namespace)
    if found["metadata"]["uid"] != pod_uid or not _UID.fullmatch(pod_uid):
        raise _stale(f"pod {pod_namespace}/{pod} is another one than the order names")
    if found["spec"].get("nodeName") != node:
        raise _stale(f"pod {pod_namespace}/{pod} does not run on node {node}")
    if claim not in claims_of(found):
        raise _stale(f"pod {pod_namespace}/{pod} does not mount the claim {claim}")
    bound = await _get(cluster, PVC, claim, pod_namespace)
    volume = bound["spec"].get("volumeName", "")
    if not volume:
        raise NotFoundError(f"claim {pod_namespace}/{claim} is not bound to a volume")
    where = f"pod {pod_namespace}/{pod}"
    return _mounted(await _get(cluster, PV, volume, ""), where, pod_uid, kubelet_root)


def _stale(what: str) -> RefusedError:
    return RefusedError(
        what,
        why="the cluster has changed since the order was written, or the order is forged",
        next_step="Start the run again.",
    )


def _mounted(volume: Object, pod: str, pod_uid: str, kubelet_root: Path) -> PodVolume | PodDevice:
    spec: dict[str, Any] = volume["spec"]
    name: str = volume["metadata"]["name"]
    if spec.get("volumeMode") == "Block":
        return _device(name, spec, pod, pod_uid, kubelet_root)
    plugin = next((plugin for plugin in _FOLDERS if plugin in spec), None)
    if plugin is None:
        known = ", ".join(_FOLDERS)
        raise RefusedError(
            f"volume {name} cannot be read on its node",
            why=f"it is none of {known}",
            next_step="Use a storage class with a CSI driver, or exclude the volume.",
        )
    csi = spec.get("csi", {})
    return PodVolume(
        pod=pod,
        folder=f"pods/{pod_uid}/volumes/" + _FOLDERS[plugin].format(volume=name),
        driver=csi.get("driver", ""),
        handle=csi.get("volumeHandle", ""),
        kubelet_root=kubelet_root,
    )


def _device(
    name: str, spec: dict[str, Any], pod: str, pod_uid: str, kubelet_root: Path
) -> PodDevice:
    csi = spec.get("csi")
    if csi is None:
        raise RefusedError(
            f"block volume {name} cannot be read on its node",
            why="it has no CSI driver",
            next_step="Use a storage class with a CSI driver, or exclude the volume.",
        )
    return PodDevice(
        pod=pod,
        folder=_DEVICES.format(volume=name),
        uid=pod_uid,
        driver=csi["driver"],
        handle=csi["volumeHandle"],
        kubelet_root=kubelet_root,
    )


def claims_of(pod: Object) -> set[str]:
    """Name the claims that a pod uses."""
    claims = set()
    for volume in pod["spec"].get("volumes", []):
        if "persistentVolumeClaim" in volume:
            claims.add(volume["persistentVolumeClaim"]["claimName"])
        if "ephemeral" in volume:
            claims.add(f"{pod['metadata']['name']}-{volume['name']}")
    return claims


async def _get(cluster: ClusterReader, kind: Kind, name: str, namespace: str) -> Object:
    found = await cluster.get(kind, name, namespace)
    if found is None:
        where = f"{namespace}/{name}" if namespace else name
        raise NotFoundError(f"{kind.kind} {where} is not there any more")
    return found


def _read_facts(parent: int, folder: str) -> dict[str, Any]:
    try:
        descriptor = os.open("vol_data.json", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            content = os.read(descriptor, _DRIVER_FACTS_BYTES_MAX)
        finally:
            os.close(descriptor)
        return msgspec.json.decode(content, type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not what the kubelet writes"
        raise RefusedError(
            f"the kubelet does not say which volume is mounted beside {folder}",
            why=f"vol_data.json there cannot be read: {why}",
            next_step="Look at the pod and its node; nothing was read or written.",
        ) from error
