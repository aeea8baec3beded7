"""The configuration files of the components, as pure text.

Each non-obvious value says why it is there; most were learned on a real node.
"""

import json
from pathlib import Path

import yaml

from appshield.local.cluster.certificates import WEBHOOKS
from appshield.local.cluster.settings import ClusterSettings

ADMISSION = "admission.json"
_WEBHOOKS_USER = "webhooks-user.json"


def configuration_files(settings: ClusterSettings, *, snapshotter: str) -> dict[Path, str]:
    """Path and content of every configuration file. `snapshotter` is containerd's."""
    config = settings.layout.config
    registry = settings.addresses.registry
    return {
        config / "registry.yaml": _registry(settings),
        config / "containerd.toml": _containerd(settings, snapshotter),
        settings.layout.registry_hosts / registry / "hosts.toml": _registry_host(registry),
        config / "cni" / "10-appshield.conflist": _cni(settings),
        config / "kubelet.yaml": _kubelet(settings),
        config / "Corefile": _corefile(settings),
        config / ADMISSION: _admission(config / _WEBHOOKS_USER),
        config / _WEBHOOKS_USER: _webhooks_user(settings.layout.pki),
    }


def _admission(user: Path) -> str:
    """Have the API server show webhooks who asks."""
    group = "apiserver.config.k8s.io/v1"
    configuration = {
        "apiVersion": group,
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": str(user),
    }
    document = {
        "apiVersion": group,
        "kind": "AdmissionConfiguration",
        "plugins": [
            {"name": name, "configuration": configuration}
            for name in ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")
        ],
    }
    return json.dumps(document)


def _webhooks_user(pki: Path) -> str:
    files = {
        "client-certificate": str(pki / f"{WEBHOOKS}.crt"),
        "client-key": str(pki / f"{WEBHOOKS}.key"),
    }
    document = {"apiVersion": "v1", "kind": "Config", "users": [{"name": "*", "user": files}]}
    return json.dumps(document)


def network_name(settings: ClusterSettings) -> str:
    """The CNI network: it names files under /var/lib/cni that `down` has to find again."""
    return f"{settings.label}-pods"


def _registry(settings: ClusterSettings) -> str:
    document = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(settings.layout.registry)},
            "delete": {"enabled": True},
        },
        "http": {"addr": settings.addresses.registry, "secret": "one registry, no peers"},
    }
    return yaml.safe_dump(document, sort_keys=False)


def _containerd(settings: ClusterSettings, snapshotter: str) -> str:
    layout = settings.layout
    # restrict_oom_score_adj: a container without CAP_SYS_RESOURCE cannot lower it.
    # netns_mounts_under_state_dir: so that `down` finds them below the home.
    return f"""version = 2
root = "{layout.containerd}"
state = "{layout.run}/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{settings.addresses.registry}/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_tcp_service = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{layout.config}/cni"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{layout.registry_hosts}"
"""


def _registry_host(registry: str) -> str:
    return f"""server = "http://{registry}"

[host."http://{registry}"]
  capabilities = ["pull", "resolve"]
"""


def _cni(settings: ClusterSettings) -> str:
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,  # or a pod cannot reach itself through its own Service
        "ipam": {
            "type": "host-local",
            "dataDir": str(settings.layout.run / "cni"),
            "ranges": [[{"subnet": settings.addresses.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    document = {
        "cniVersion": "0.4.0",
        "name": network_name(settings),
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
    return json.dumps(document, indent=1)


def _kubelet(settings: ClusterSettings) -> str:
    layout, addresses = settings.layout, settings.addresses
    document: dict[str, object] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": addresses.node,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-serving.key"),
        "clusterDNS": [addresses.node],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "podLogsDir": str(layout.home / "pod-logs"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.label}",
        "failSwapOn": False,
        "failCgroupV1": False,
        "oomScoreAdj": 0,
        # The disk belongs to somebody else: a nearly full one must not cost images or pods.
        "evictionHard": {
            "memory.available": "1%",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "syncFrequency": "10s",
        "shutdownGracePeriod": "0s",
    }
    return yaml.safe_dump(document, sort_keys=False)


def _corefile(settings: ClusterSettings) -> str:
    return f"""cluster.local in-addr.arpa {{
    bind {settings.addresses.node}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {settings.layout.pki}/storage.kubeconfig {settings.label}
        ttl 1
    }}
}}
"""
