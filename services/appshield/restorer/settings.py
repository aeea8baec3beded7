"""Settings of the restorer, from `APPSHIELD_RESTORER_*`."""

from pathlib import Path

import msgspec

from appshield.kubernetes.settings import ApiSettings
from appshield.repository.workers.processors import usable_processors


class Settings(ApiSettings, frozen=True, kw_only=True):
    """What the restorer needs to run.

    With a `node` it is an agent, which writes volumes there, below `kubelet_root`, and does nothing
    else; it may read pods, claims and volumes of the cluster, and no Secret. Volumes are mounted by
    pods of `holder_image`, which does nothing, within `mount_timeout_s`. A workload must be ready
    within `ready_timeout_s`. Each volume is written by `workers` processes: as many as there are
    processors, if nothing is said.
    `registry_hosts` is the folder in which the node's containerd looks up where registries are.
    """

    node: str = ""
    kubelet_root: Path = Path("/var/lib/kubelet")
    registry_hosts: Path = Path("/etc/containerd/certs.d")
    holder_image: str = "registry.k8s.io/pause:3.10"
    mount_timeout_s: float = 180
    ready_timeout_s: float = 300
    concurrency: int = 4
    workers: int = msgspec.field(default_factory=usable_processors)
