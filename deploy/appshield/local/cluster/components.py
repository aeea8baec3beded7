"""The programs of a local cluster: what each is called with, what it waits for, how it shows life.

Pure: settings and the built parts go in, values come out. All programs run in the network
namespace of the node, so loopback addresses are private to the cluster.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from appshield.local.cluster.building import Parts
from appshield.local.cluster.configuration import ADMISSION
from appshield.local.cluster.settings import DRIVER, PLAIN_DRIVER, ClusterSettings

IMAGES = "images"
"""A step of the supervisor: the images of the cluster are in its registry."""
OBJECTS = "objects"
"""A step of the supervisor: the objects that the cluster itself needs are applied."""


@dataclass(frozen=True, slots=True)
class Component:
    """One program: it is started when all of `after` are ready, and again whenever it ends.

    It is ready when `ready_url` answers 200 or all `ready_sockets` accept; without either, when it
    runs.
    """

    name: str
    argv: tuple[str, ...]
    after: tuple[str, ...] = ()
    ready_url: str = ""
    ready_sockets: tuple[Path, ...] = ()


def components(settings: ClusterSettings, parts: Parts) -> tuple[Component, ...]:
    """All programs, in the order in which they are best started."""
    return (
        _etcd(settings, parts),
        _registry(settings, parts),
        _containerd(settings, parts),
        _apiserver(settings, parts),
        _controller_manager(settings, parts),
        _scheduler(settings, parts),
        _kubelet(settings, parts),
        _proxy(settings, parts),
        _dns(settings, parts),
        _csi_driver(settings, parts),
        _provisioner(settings, parts, "csi-provisioner", DRIVER),
        _provisioner(settings, parts, "csi-provisioner-plain", PLAIN_DRIVER),
        _snapshotter(settings, parts),
        _snapshot_controller(settings, parts),
    )


def _etcd(settings: ClusterSettings, parts: Parts) -> Component:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    argv = (
        str(parts.program("etcd")),
        "--name=node",
        f"--data-dir={settings.layout.etcd}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=node={peer}",
        "--auto-compaction-retention=1h",
        "--log-level=warn",
    )
    return Component("etcd", argv, ready_url=f"{client}/health")


def _registry(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (str(parts.system("docker-registry")), "serve", _config(settings, "registry.yaml"))
    return Component("registry", argv, ready_url=f"http://{settings.addresses.registry}/v2/")


def _containerd(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (str(parts.system("containerd")), "--config", _config(settings, "containerd.toml"))
    return Component("containerd", argv, ready_sockets=(settings.layout.containerd_socket,))


def _apiserver(settings: ClusterSettings, parts: Parts) -> Component:
    addresses, pki = settings.addresses, settings.layout.pki
    argv = (
        str(parts.program("kube-apiserver")),
        f"--bind-address={addresses.node}",
        f"--advertise-address={addresses.node}",
        "--secure-port=6443",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={addresses.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--admission-control-config-file={_config(settings, ADMISSION)}",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/tokens.pub",
        f"--service-account-signing-key-file={pki}/tokens.key",
    )
    return Component("kube-apiserver", argv, ("etcd",), f"{addresses.api_url}/readyz")


def _controller_manager(settings: ClusterSettings, parts: Parts) -> Component:
    pki = settings.layout.pki
    argv = (
        str(parts.program("kube-controller-manager")),
        *_control_loop(settings, "controller-manager"),
        f"--cluster-cidr={settings.addresses.pods}",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/tokens.key",
        "--use-service-account-credentials=true",
    )
    url = "https://127.0.0.1:10257/healthz"
    return Component("kube-controller-manager", argv, ("kube-apiserver",), url)


def _scheduler(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (str(parts.program("kube-scheduler")), *_control_loop(settings, "scheduler"))
    url = "https://127.0.0.1:10259/healthz"
    return Component("kube-scheduler", argv, ("kube-apiserver",), url)


def _control_loop(settings: ClusterSettings, user: str) -> tuple[str, ...]:
    kubeconfig = _user(settings, user)
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    )


def _kubelet(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (
        str(parts.program("kubelet")),
        f"--config={_config(settings, 'kubelet.yaml')}",
        f"--kubeconfig={_user(settings, 'kubelet')}",
        f"--root-dir={settings.layout.kubelet}",
        f"--hostname-override={settings.label}",
        f"--node-ip={settings.addresses.node}",
    )
    after = ("kube-apiserver", "containerd", IMAGES)
    return Component("kubelet", argv, after, "http://127.0.0.1:10248/healthz")


def _proxy(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (
        str(parts.program("kube-proxy")),
        f"--kubeconfig={_user(settings, 'proxy')}",
        f"--hostname-override={settings.label}",
        f"--cluster-cidr={settings.addresses.pods}",
        "--proxy-mode=iptables",
        "--iptables-localhost-nodeports=false",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
    )
    after = ("kube-apiserver", "kubelet")
    return Component("kube-proxy", argv, after, "http://127.0.0.1:10256/healthz")


def _dns(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (str(parts.program("coredns")), "-conf", _config(settings, "Corefile"))
    return Component("coredns", argv, ("kube-apiserver",), "http://127.0.0.1:8181/ready")


def _csi_driver(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (
        *(sys.executable, "-m", "appshield.local.cluster.csi"),
        f"--descriptors={parts.descriptors}",
        f"--pool={settings.layout.pool}",
        f"--kubelet-root={settings.layout.kubelet}",
        f"--node={settings.label}",
    )
    sockets = (settings.layout.csi_socket(DRIVER), settings.layout.csi_socket(PLAIN_DRIVER))
    return Component("csi-driver", argv, ready_sockets=sockets)


def _provisioner(settings: ClusterSettings, parts: Parts, name: str, driver: str) -> Component:
    program = str(parts.program("csi-provisioner"))
    argv = (program, *_side_car(settings, driver), "--extra-create-metadata")
    return Component(name, argv, (OBJECTS, "csi-driver"))


def _snapshotter(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (str(parts.program("csi-snapshotter")), *_side_car(settings, DRIVER))
    return Component("csi-snapshotter", argv, (OBJECTS, "csi-driver"))


def _side_car(settings: ClusterSettings, driver: str) -> tuple[str, ...]:
    return (
        f"--kubeconfig={_user(settings, 'storage')}",
        f"--csi-address={settings.layout.csi_socket(driver)}",
        "--leader-election=false",
        "--kube-api-qps=50",
        "--kube-api-burst=100",
        "--retry-interval-start=200ms",
    )


def _snapshot_controller(settings: ClusterSettings, parts: Parts) -> Component:
    argv = (
        str(parts.program("snapshot-controller")),
        f"--kubeconfig={_user(settings, 'storage')}",
        "--leader-election=false",
        "--kube-api-qps=50",
        "--kube-api-burst=100",
        "--retry-interval-start=200ms",
    )
    return Component("snapshot-controller", argv, (OBJECTS,))


def _config(settings: ClusterSettings, file: str) -> str:
    return str(settings.layout.config / file)


def _user(settings: ClusterSettings, user: str) -> str:
    return str(settings.layout.pki / f"{user}.kubeconfig")
