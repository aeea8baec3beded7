"""Settings of the restorer, from `APPSHIELD_RESTORER_*`."""

from pathlib import Path

from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the restorer needs to run.

    With a `node` it also writes volumes there, below `kubelet_root`; volumes are mounted by pods
    of `holder_image`, which does nothing. A workload must be ready within `ready_timeout_s`.
    """

    node: str = ""
    kubelet_root: Path = Path("/var/lib/kubelet")
    kubeconfig: str = ""
    context: str = ""
    holder_image: str = "registry.k8s.io/pause:3.10"
    mount_timeout_s: float = 180
    ready_timeout_s: float = 300
    concurrency: int = 4
