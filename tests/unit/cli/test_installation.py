"""Which cluster `up` protects, and whether its volumes can be reached from here."""

from pathlib import Path

import pytest

from appshield.cli import local_cluster
from appshield.cli.installation import find_target
from appshield.errors import NotFoundError
from appshield.local.cluster import ClusterFacts, ClusterSettings, ClusterStatus
from appshield.local.home import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home without anything, in a short place."""
    monkeypatch.setenv("APPSHIELD_HOME", "/nothing/here")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return Home(folder=Path("/nothing/here"), cache=tmp_path)


def let_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the local cluster of this name run, and no other."""

    def status(settings: ClusterSettings) -> ClusterStatus:
        running = settings.name == name
        return ClusterStatus(settings.name, running, running, (), None)

    async def up(settings: ClusterSettings, _: object) -> ClusterFacts:
        return ClusterFacts(
            kubeconfig=settings.layout.kubeconfig,
            kubelet_root=settings.layout.kubelet,
            registry="10.99.0.2:5000",
            registry_hosts=settings.layout.registry_hosts,
            containerd_socket=settings.layout.containerd_socket,
            host="10.99.0.1",
            webhook_certificate=Path("/c/webhooks.crt"),
            node_name=settings.name,
            pause_image="pause",
            busybox_image="busybox",
        )

    monkeypatch.setattr(local_cluster, "cluster_status", status)
    monkeypatch.setattr(local_cluster, "cluster_up", up)


async def test_without_any_cluster_the_next_step_is_named(home: Home) -> None:
    """Nothing was named and no local one runs."""
    with pytest.raises(NotFoundError, match="`appshield cluster up`"):
        await find_target(home, kubeconfig="", context="")


async def test_the_local_cluster_of_this_home_is_found(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node, kubelet and pause image are known."""
    let_run("appshield", monkeypatch)
    target = await find_target(home, kubeconfig="", context="")
    assert (target.node, target.holder_image) == ("appshield", "pause")
    assert target.kubelet_root == "/nothing/here/cluster/appshield/kubelet"


async def test_a_local_cluster_is_known_by_its_kubeconfig(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one of another home; KUBECONFIG goes before the local cluster of this one."""
    let_run("other", monkeypatch)
    monkeypatch.setenv("KUBECONFIG", "/there/cluster/other/kubeconfig")
    target = await find_target(home, kubeconfig="", context="")
    assert target.kubelet_root == "/there/cluster/other/kubelet"
    assert target.access.kubeconfig == "/there/cluster/other/kubeconfig"


@pytest.mark.parametrize(
    ("kubeconfig", "context"),
    [("/etc/kube/config", ""), ("/there/cluster/other/config", ""), ("", "prod"), ("/a/b", "prod")],
)
async def test_any_other_cluster_is_used_without_its_nodes(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kubeconfig: str,
    context: str,
) -> None:
    """It is said that its volumes need agents on its nodes."""
    let_run("appshield", monkeypatch)
    target = await find_target(home, kubeconfig=kubeconfig, context=context)
    assert (target.node, target.kubelet_root, target.holder_image) == ("", "", "")
    assert (target.access.kubeconfig, target.access.context) == (kubeconfig, context)
    assert "volumes cannot be reached from here" in capsys.readouterr().out
