"""Objects come back in waves, each needing only the waves before it."""

import random

from appshield.manifests.objects import Object, name_of
from appshield.manifests.ordering import restore_order
from unit.manifests.shop import Shop, claim, config_map, make, owner_reference, secret


def _kinds(waves: list[list[Object]]) -> list[set[str]]:
    return [{str(obj["kind"]) for obj in wave} for wave in waves]


def test_waves_follow_what_needs_what() -> None:
    """Accounts and rights, then configuration, volumes, services, workloads, the rest."""
    shop = Shop()
    cluster = [
        make("v1", "Namespace", "shop", namespace=""),
        make("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things", namespace=""),
        make("storage.k8s.io/v1", "StorageClass", "fast", namespace=""),
        make("acme.io/v1", "Thing", "a"),
        make("batch/v1", "CronJob", "nightly"),
        make("policy/v1", "PodDisruptionBudget", "db"),
    ]
    members = [shop.database, shop.web, shop.account, shop.role, shop.binding, shop.service]
    more = [shop.ingress, secret("a"), config_map("b"), *shop.claims]
    assert _kinds(restore_order([*more, *members, *cluster])) == [
        {"Namespace"},
        {"CustomResourceDefinition"},
        {"StorageClass"},
        {"ServiceAccount", "Role"},
        {"RoleBinding"},
        {"Secret", "ConfigMap"},
        {"PersistentVolumeClaim"},
        {"Service"},
        {"PodDisruptionBudget"},
        {"StatefulSet", "Deployment", "CronJob"},
        {"Ingress"},
        {"Thing"},
    ]


def test_the_order_of_the_objects_changes_nothing() -> None:
    """A restore that is continued goes the same way."""
    objects = Shop().objects
    first = restore_order(objects)
    for seed in range(10):
        random.Random(seed).shuffle(objects)
        assert restore_order(objects) == first


def test_an_owned_object_comes_after_its_owner() -> None:
    """Also through several levels, and against the order of kinds."""
    top = make("acme.io/v1", "Thing", "top")
    middle = make("acme.io/v1", "Thing", "middle", owner=top)
    service = make("v1", "Service", "low", owner=middle)
    assert [[name_of(obj) for obj in wave] for wave in restore_order([service, middle, top])] == [
        ["top"],
        ["middle"],
        ["low"],
    ]


def test_state_does_not_wait_for_its_owner() -> None:
    """Data and passwords are there before whatever would make new ones."""
    top = make("acme.io/v1", "Database", "top")
    waves = restore_order([top, claim("data", owner=top), secret("password", owner=top)])
    assert [[name_of(obj) for obj in wave] for wave in waves] == [["password"], ["data"], ["top"]]


def test_owners_in_a_circle_and_absent_ones_hold_nothing_up() -> None:
    """Strange references are no reason to fail."""
    one, other = make("acme.io/v1", "Thing", "a"), make("acme.io/v1", "Thing", "b")
    one["metadata"]["ownerReferences"] = [owner_reference(other), owner_reference(one)]
    other["metadata"]["ownerReferences"] = [owner_reference(one), owner_reference(secret("gone"))]
    assert sorted(name_of(obj) for wave in restore_order([one, other]) for obj in wave) == [
        "a",
        "b",
    ]
