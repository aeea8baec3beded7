"""What a local cluster is made of, decided without touching the machine."""

import json
from pathlib import Path

import pytest
import yaml

from appshield.errors import InvalidInputError
from appshield.local.cluster.building import Parts
from appshield.local.cluster.components import IMAGES, OBJECTS, components
from appshield.local.cluster.configuration import configuration_files, network_name
from appshield.local.cluster.lifecycle import plan_digest
from appshield.local.cluster.objects import cluster_objects
from appshield.local.cluster.settings import (
    DRIVER,
    PLAIN_DRIVER,
    PLAIN_STORAGE_CLASS,
    STORAGE_CLASS,
    ClusterSettings,
)

PARTS = Parts(Path("/cache/parts"))


def settings(name: str = "appshield") -> ClusterSettings:
    return ClusterSettings(home=Path("/data/cluster") / name, cache=Path("/cache"), name=name)


def test_folders_come_from_the_environment_or_are_the_usual_ones() -> None:
    """APPSHIELD_HOME and APPSHIELD_CACHE win over the user's home."""
    usual = ClusterSettings.from_environment({"HOME": "/u"})
    assert usual.home == Path("/u/.local/share/appshield/cluster/appshield")
    assert usual.cache == Path("/u/.cache/appshield")
    chosen = ClusterSettings.from_environment(
        {"HOME": "/u", "APPSHIELD_HOME": "/d", "APPSHIELD_CACHE": "/c"}, name="other"
    )
    assert chosen.home == Path("/d/cluster/other")
    assert chosen.cache == Path("/c")


@pytest.mark.parametrize("name", ["", "A", "a/b", "a b", "-a", "a-", "x" * 21, "../up"])
def test_a_name_that_cannot_name_a_link_is_refused(name: str) -> None:
    """Names reach the file system, links and cgroups: only harmless ones are taken."""
    with pytest.raises(InvalidInputError, match="cannot be the name"):
        ClusterSettings(home=Path("/d"), cache=Path("/c"), name=name)


def test_a_home_that_is_too_long_for_sockets_is_refused() -> None:
    """It is said before anything is started, with what to do."""
    with pytest.raises(InvalidInputError, match="APPSHIELD_HOME"):
        ClusterSettings(home=Path("/d" * 40), cache=Path("/c"))


def test_two_names_share_nothing_visible() -> None:
    """Addresses, link, node and network differ, and the default name has the first slot."""
    first, second = settings(), settings("other")
    assert first.addresses.node == "10.99.0.2"
    for view in (
        lambda found: found.addresses.node,
        lambda found: found.addresses.pods,
        lambda found: found.addresses.services,
        lambda found: found.host_link,
        lambda found: found.label,
        network_name,
    ):
        assert view(first) != view(second)
    assert len(second.host_link) <= 15


def test_every_component_waits_only_for_what_exists() -> None:
    """Names are unique, and `after` names components or steps, without a circle."""
    ready = {IMAGES, OBJECTS}
    waiting = list(components(settings(), PARTS))
    assert len({component.name for component in waiting}) == len(waiting)
    while waiting:
        startable = [part for part in waiting if ready.issuperset(part.after)]
        assert startable, [part.name for part in waiting]
        ready.update(part.name for part in startable)
        waiting = [part for part in waiting if part not in startable]


def test_nothing_listens_outside_the_node() -> None:
    """Every address in an argument or a file is loopback, the node's, or one of its ranges."""
    chosen = settings("other")
    texts = [word for part in components(chosen, PARTS) for word in part.argv]
    texts += configuration_files(chosen, snapshotter="overlayfs").values()
    assert not [text for text in texts if "listen" in text and "0.0.0.0" in text]
    kubelet = configuration_files(chosen, snapshotter="overlayfs")[
        chosen.layout.config / "kubelet.yaml"
    ]
    assert yaml.safe_load(kubelet)["address"] == chosen.addresses.node


def test_pods_get_addresses_of_their_own_cluster() -> None:
    """The CNI configuration names the range and keeps its leases below the home."""
    chosen = settings("other")
    files = configuration_files(chosen, snapshotter="overlayfs")
    network = json.loads(files[chosen.layout.config / "cni" / "10-appshield.conflist"])
    ipam = network["plugins"][0]["ipam"]
    assert ipam["ranges"] == [[{"subnet": chosen.addresses.pods}]]
    assert ipam["dataDir"].startswith(str(chosen.home))


def test_one_class_is_the_default_and_has_snapshots_the_other_has_none() -> None:
    """Two drivers: the snapshot class belongs to the first one only."""
    objects = {(found["kind"], found["metadata"]["name"]): found for found in cluster_objects()}
    default = objects["StorageClass", STORAGE_CLASS]
    plain = objects["StorageClass", PLAIN_STORAGE_CLASS]
    assert default["metadata"]["annotations"]
    assert not plain["metadata"]["annotations"]
    assert default["volumeBindingMode"] == "WaitForFirstConsumer"
    assert (default["provisioner"], plain["provisioner"]) == (DRIVER, PLAIN_DRIVER)
    assert objects["VolumeSnapshotClass", STORAGE_CLASS]["driver"] == DRIVER


def test_other_programs_are_another_plan() -> None:
    """So that `up` restarts a cluster that runs what was built before an upgrade."""
    assert plan_digest(settings(), PARTS) == plan_digest(settings(), PARTS)
    assert plan_digest(settings(), PARTS) != plan_digest(settings(), Parts(Path("/cache/new")))
