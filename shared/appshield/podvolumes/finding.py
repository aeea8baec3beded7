"""The volumes of the pods of one node, as an agent there works on them."""

from dataclasses import dataclass
from pathlib import Path

from appshield.podvolumes.mounting import until_mounted
from appshield.podvolumes.opening import ClusterReader, PodDevice, PodVolume, open_pod_volume


@dataclass(frozen=True, slots=True)
class NodeVolumes:
    """Finds volumes below a kubelet's root, and waits for their mounts for so long."""

    cluster: ClusterReader
    node: str
    kubelet_root: Path
    mount_timeout_s: float

    async def find(
        self, *, namespace: str, pod: str, pod_uid: str, claim: str
    ) -> PodVolume | PodDevice:
        """Find the volume that a pod has of a claim; raises as `open_pod_volume`."""
        return await open_pod_volume(
            self.cluster,
            kubelet_root=self.kubelet_root,
            node=self.node,
            pod_namespace=namespace,
            pod=pod,
            pod_uid=pod_uid,
            claim=claim,
        )

    async def until_mounted(self, volume: PodVolume | PodDevice) -> None:
        """Wait until the kubelet has mounted a volume; raises as `until_mounted`."""
        await until_mounted(volume, timeout_s=self.mount_timeout_s)
