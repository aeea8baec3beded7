"""Settings of the uploader, from `APPSHIELD_UPLOADER_*`."""

from pathlib import Path

from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the uploader needs to run.

    With a `node` it also reads volumes there, below `kubelet_root`. `kubeconfig` and `context`
    empty: the cluster that it runs in. It works on `concurrency` orders at once.
    """

    node: str = ""
    kubelet_root: Path = Path("/var/lib/kubelet")
    kubeconfig: str = ""
    context: str = ""
    concurrency: int = 4
