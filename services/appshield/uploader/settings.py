"""Settings of the uploader, from `APPSHIELD_UPLOADER_*`."""

from pathlib import Path

import msgspec

from appshield.kubernetes.settings import ApiSettings
from appshield.repository.workers.processors import usable_processors


class Settings(ApiSettings, frozen=True, kw_only=True):
    """What the uploader needs to run.

    With a `node` it is an agent, which reads volumes there, below `kubelet_root`, and does nothing
    else; it may read pods, claims and volumes of the cluster, and no Secret. It works on
    `concurrency` orders at once, but stores one volume at a time, with `workers` processes: as many
    as there are processors, unless told. A volume must be mounted within `mount_timeout_s` of its
    pod having a node.
    `registry_hosts` is the folder in which the node's containerd looks up where registries are.
    """

    node: str = ""
    kubelet_root: Path = Path("/var/lib/kubelet")
    registry_hosts: Path = Path("/etc/containerd/certs.d")
    mount_timeout_s: float = 180
    concurrency: int = 4
    workers: int = msgspec.field(default_factory=usable_processors)
