"""Objects in another namespace, and linked to their new owners."""

import base64
import copy

import pytest

from appshield.manifests.objects import namespace_of, reference_of
from appshield.manifests.relocating import link_owners, relocate
from unit.manifests.shop import Shop, config_map, make, owner_reference, secret


def test_every_object_and_every_subject_moves() -> None:
    """Fields that name the namespace name the new one."""
    shop = Shop()
    before = copy.deepcopy(shop.objects)
    moved = relocate([*shop.objects, make("v1", "Namespace", "shop", namespace="")], "shop", "copy")
    assert shop.objects == before
    assert {namespace_of(obj) for obj in moved.objects} == {"copy", ""}
    binding = next(obj for obj in moved.objects if obj["kind"] == "RoleBinding")
    assert binding["subjects"][0]["namespace"] == "copy"
    assert moved.objects[-1]["metadata"]["name"] == "copy"


def test_a_subject_of_another_namespace_stays() -> None:
    """The rights of somebody else's account are not moved."""
    shop = Shop()
    shop.binding["subjects"][0]["namespace"] = "monitoring"
    (binding,) = relocate([shop.binding], "shop", "copy").objects
    assert binding["subjects"][0]["namespace"] == "monitoring"


def test_the_same_namespace_changes_nothing_but_owners_outside_of_the_set() -> None:
    """A restore in place keeps every field."""
    shop = Shop()
    kept = relocate([shop.web, shop.service], "shop", "shop")
    assert kept.objects == (shop.web, shop.service)
    assert kept.warnings == ()


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("postgres://db.shop.svc.cluster.local:5432/x", True),
        ("db.shop.svc", True),
        ("db.shop:5432", True),
        ("http://web.shop/path", True),
        ("db.workshop.svc", False),
        ("the shop.example.org page", False),
        ("shop", False),
        ("db.shopping.svc", False),
    ],
)
def test_addresses_inside_texts_are_left_and_warned_about(text: str, *, warned: bool) -> None:
    """Nobody knows what else a text means."""
    given = config_map("settings")
    given["data"]["url"] = text
    moved = relocate([given], "shop", "copy")
    assert moved.objects[0]["data"]["url"] == text
    expected = (
        "ConfigMap settings: /data/url holds an address in namespace shop, which was left as it is",
    )
    assert moved.warnings == (expected if warned else ())


def test_a_warning_about_a_secret_names_the_place_and_never_the_text() -> None:
    """Values of Secrets are looked into and not repeated."""
    given = secret("url")
    given["data"] = {
        "url": base64.b64encode(b"postgres://hunter2@db.shop.svc/x").decode(),
        "binary": base64.b64encode(b"\xff\x00").decode(),
        "broken": "%%%",
    }
    (warning,) = relocate([given], "shop", "copy").warnings
    assert "/data/url" in warning
    assert "hunter2" not in warning


def test_addresses_that_exist_once_in_a_cluster_are_not_taken_along() -> None:
    """The original may still have them; a headless Service stays headless."""
    ports = [{"port": 80, "nodePort": 30080}]
    spec = {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": ports}
    headless = make("v1", "Service", "db", spec={"clusterIP": "None"})
    moved = relocate([make("v1", "Service", "web", spec=spec), headless], "shop", "copy")
    assert moved.objects[0]["spec"] == {"ports": [{"port": 80}]}
    assert moved.objects[1]["spec"] == {"clusterIP": "None"}
    assert len(moved.warnings) == 2


def test_the_host_of_an_ingress_is_pointed_out() -> None:
    """Two namespaces would answer for one name."""
    assert "shop.example.org" in relocate([Shop().ingress], "shop", "copy").warnings[0]


def test_owners_are_linked_to_what_was_restored_and_dropped_otherwise() -> None:
    """An old uid would make the garbage collector delete the object."""
    database = make("acme.io/v1", "Database", "main")
    given = secret("password", owner=database)
    given["metadata"]["ownerReferences"].append(owner_reference(config_map("gone")))
    (moved, _) = relocate([given, database], "shop", "copy").objects
    (kept,) = moved["metadata"]["ownerReferences"]
    assert kept["name"] == "main"
    owner = relocate([database], "shop", "copy").objects[0]
    linked = link_owners(moved, {reference_of(owner): "new-uid"})
    assert linked["metadata"]["ownerReferences"][0]["uid"] == "new-uid"
    assert "ownerReferences" not in link_owners(moved, {})["metadata"]


def test_a_binding_of_the_whole_cluster_stays_and_the_copy_gets_its_own() -> None:
    """Changed in place it would take the rights of the first application away."""
    others = {"kind": "ServiceAccount", "name": "db", "namespace": "another"}
    group = {"kind": "Group", "name": "system:serviceaccounts:shop"}
    mine = {"kind": "ServiceAccount", "name": "db", "namespace": "shop"}
    subjects = [mine, others, group]
    group_version = "rbac.authorization.k8s.io/v1"
    binding = make(group_version, "ClusterRoleBinding", "nodes", namespace="", subjects=subjects)
    moved = relocate([binding], "shop", "copy")
    (made,) = moved.objects
    assert made["metadata"]["name"] == "nodes-copy"
    assert made["subjects"] == [
        {**mine, "namespace": "copy"},
        {"kind": "Group", "name": "system:serviceaccounts:copy"},
    ]
    assert "by another one, nodes-copy" in moved.warnings[0]
    (same,) = relocate([binding], "shop", "shop").objects
    assert (same["metadata"]["name"], same["subjects"]) == ("nodes", subjects)
