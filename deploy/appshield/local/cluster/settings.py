"""What one local cluster is called, where it lives and which addresses it uses.

Values only. Everything that a cluster owns on the machine follows from its name: one folder, one
network namespace, one pair of links, one cgroup. Two names give two clusters side by side.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appshield.errors import InvalidInputError

DEFAULT_NAME = "appshield"
SOCKET_PATH_BYTES = 107
"""The longest path of a Unix socket in Linux."""
STORAGE_CLASS = "appshield-local"
"""The default StorageClass; the VolumeSnapshotClass has the same name."""
PLAIN_STORAGE_CLASS = "appshield-plain"
"""A StorageClass whose driver cannot take snapshots."""
DRIVER = "local.csi.appshield.io"
PLAIN_DRIVER = "plain.csi.appshield.io"

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
_SLOTS = 200


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a cluster listens. Slot 0 belongs to the default name, another name has its own."""

    slot: int

    @property
    def host(self) -> str:
        """This machine, as the node sees it."""
        return f"10.99.{self.slot}.1"

    @property
    def node(self) -> str:
        """The node, as this machine and the pods see it."""
        return f"10.99.{self.slot}.2"

    @property
    def pods(self) -> str:
        """The range of pod addresses."""
        return f"10.98.{self.slot}.0/24"

    @property
    def services(self) -> str:
        """The range of Service addresses."""
        return f"10.97.{self.slot}.0/24"

    @property
    def kubernetes_service(self) -> str:
        """The address of the Service `default/kubernetes`: the first one of the range."""
        return f"10.97.{self.slot}.1"

    @property
    def api_url(self) -> str:
        """The API server, for this machine and for pods."""
        return f"https://{self.node}:6443"

    @property
    def registry(self) -> str:
        """The OCI registry as host:port, the same for push from this machine and for pulls."""
        return f"{self.node}:5000"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """One cluster: its name, its folder and the cache of what was built."""

    home: Path
    cache: Path
    name: str = DEFAULT_NAME
    pool_size_bytes: int = 20 << 30
    """Size of the sparse file that holds all volumes: a bound, taken only as it fills."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInputError(
                f"{self.name!r} cannot be the name of a local cluster",
                why="it names links and cgroups of this machine",
                next_step="Use at most 20 of a-z, 0-9 and '-', beginning with a letter",
            )

        longest = max(len(str(path)) for path in csi_sockets(self.layout.kubelet, PLAIN_DRIVER))
        if longest > SOCKET_PATH_BYTES:
            raise InvalidInputError(
                f"{self.home} is too long for the home of a local cluster",
                why=f"sockets below it would have more than {SOCKET_PATH_BYTES} characters",
                next_step="Set APPSHIELD_HOME to a shorter path",
            )

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, name: str = DEFAULT_NAME
    ) -> "ClusterSettings":
        """The folders that `APPSHIELD_HOME` and `APPSHIELD_CACHE` name, or the usual ones."""
        user = Path(environment.get("HOME") or "/root")
        data = Path(environment.get("APPSHIELD_HOME") or user / ".local/share/appshield")
        cache = Path(environment.get("APPSHIELD_CACHE") or user / ".cache/appshield")
        return cls(home=data.resolve() / "cluster" / name, cache=cache.resolve(), name=name)

    @property
    def label(self) -> str:
        """The name of everything that is visible outside: node, namespace, cgroup."""
        prefixed = self.name.startswith(DEFAULT_NAME)
        return self.name if prefixed else f"{DEFAULT_NAME}-{self.name}"

    @property
    def addresses(self) -> Addresses:
        """Address ranges by name; a clash of two names is refused when the network is made."""
        if self.name == DEFAULT_NAME:
            return Addresses(0)
        return Addresses(1 + zlib.crc32(self.name.encode()) % _SLOTS)

    @property
    def host_link(self) -> str:
        """The end of the link pair that this machine keeps (15 characters at most)."""
        return f"appshield{self.addresses.slot}"

    @property
    def layout(self) -> "Layout":
        """Where the files of this cluster lie."""
        return Layout(self.home)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one cluster, all below its home."""

    home: Path

    @property
    def lock(self) -> Path:
        """Held by `up` and `down`; beside the home, which `down` may delete."""
        return self.home.with_name(f"{self.home.name}.lock")

    @property
    def kubeconfig(self) -> Path:
        """Access as administrator, for the owner only."""
        return self.home / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Keys, certificates and the kubeconfig files of the components."""
        return self.home / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the components, written at each start."""
        return self.home / "config"

    @property
    def logs(self) -> Path:
        """One file a component, and one of the supervisor."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """What is true only while the cluster runs."""
        return self.home / "run"

    @property
    def supervisor_lock(self) -> Path:
        """Locked by the supervisor as long as it lives: no pid can lie about that."""
        return self.run / "supervisor.lock"

    @property
    def state(self) -> Path:
        """The supervisor's note of what runs."""
        return self.run / "state.json"

    @property
    def etcd(self) -> Path:
        """All objects of the cluster."""
        return self.home / "etcd"

    @property
    def registry_hosts(self) -> Path:
        """Where the node looks up how registries are reached."""
        return self.config / "certs.d"

    @property
    def registry(self) -> Path:
        """The images that were pushed."""
        return self.home / "registry"

    @property
    def containerd(self) -> Path:
        """The images that were pulled, and the containers."""
        return self.home / "containerd"

    @property
    def containerd_socket(self) -> Path:
        """Where the kubelet finds containerd."""
        return self.run / "containerd.sock"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root: volumes are at `pods/<uid>/volumes/kubernetes.io~csi/<pv>/mount`."""
        return self.home / "kubelet"

    @property
    def pool_file(self) -> Path:
        """The file with all volumes in it."""
        return self.home / "volumes.btrfs"

    @property
    def pool(self) -> Path:
        """Where the pool is mounted while the cluster runs."""
        return self.home / "volumes"

    def csi_socket(self, driver: str) -> Path:
        """The socket of a CSI driver, for the kubelet and the side-cars."""
        return csi_sockets(self.kubelet, driver)[0]


def csi_sockets(kubelet_root: Path, driver: str) -> tuple[Path, Path]:
    """The socket of a CSI driver, and the one where the kubelet learns of it.

    Short, because a socket has a short path: the first part of the driver's name is enough.
    """
    short = driver.partition(".")[0]
    return (
        kubelet_root / "plugins" / short / "csi.sock",
        kubelet_root / "plugins_registry" / f"{short}.sock",
    )
