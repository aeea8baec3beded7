"""A first document for a namespace: what is recognised, why, and that it is valid."""

from typing import Any

import pytest

from appshield.doors.proposing import document_text, proposals
from appshield.kubernetes import Object
from appshield.language.kinds import Application
from appshield.language.profiles import shipped_profiles
from appshield.language.reading import read_documents
from appshield.manifests.objects import name_of
from unit.manifests.shop import PART_OF, Shop, config_map, make, owner_reference

PROFILES = shipped_profiles()


def workload(
    name: str, image: str, *, kind: str = "Deployment", port: int = 0, claim: str = "", **more: Any
) -> Object:
    container: dict[str, Any] = {"name": "main", "image": image}
    if port:
        container["ports"] = [{"containerPort": port}]
    spec: dict[str, Any] = {"containers": [container]}
    if claim:
        spec["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": claim}}]
    return make("apps/v1", kind, name, spec={"template": {"spec": spec}}, **more)


def written(*objects: Object, vaults: tuple[str, ...] = ("primary",)) -> tuple[str, Application]:
    text = document_text("shop", objects, PROFILES, vaults)
    (read,) = read_documents(text, "shop.yaml")
    assert isinstance(read.resource, Application)
    return text, read.resource


@pytest.mark.parametrize(
    ("image", "profile"),
    [
        ("postgres:15", "database/postgresql"),
        ("registry.example.org:5000/team/shop-postgres@sha256:00", "database/postgresql"),
        ("docker.io/bitnami/mariadb:11", "database/mariadb"),
        ("mysql", "database/mysql"),
        ("mongo:7", "database/mongodb"),
        ("valkey/valkey:8", "cache/redis"),
        ("nats:2-alpine", "queue/nats"),
        ("opensearchproject/opensearch:2", "search/opensearch"),
    ],
)
def test_a_server_is_recognised_by_its_image(image: str, profile: str) -> None:
    """Registry, folder, tag and digest do not count."""
    (found,) = proposals([workload("a", image)], PROFILES)
    assert (found.profile, image in found.why) == (profile, True)


def test_a_port_counts_only_beside_a_volume() -> None:
    """Many things listen on many ports; a sidecar that keeps nothing is no database."""
    assert proposals([workload("a", "ours/proxy:1", port=5432)], PROFILES) == []
    (found,) = proposals([workload("a", "ours/db:1", port=5432, claim="data")], PROFILES)
    assert found.profile == "database/postgresql"
    assert "port only" in found.why


def test_what_keeps_data_and_is_not_known_is_a_component_all_the_same() -> None:
    """Its files are saved; what has neither data nor a profile needs no component."""
    (found,) = proposals([workload("a", "ours/files:1", claim="data")], PROFILES)
    assert found.profile == "web"
    owned = workload("b-1", "postgres", kind="DaemonSet")
    owned["metadata"]["ownerReferences"] = [owner_reference(config_map("operator"))]
    assert proposals([workload("a", "ours/app:1"), owned], PROFILES) == []


def test_the_document_of_a_shop_is_valid_and_says_why() -> None:
    """Every value has its comment; the database decides how much may be lost."""
    text, application = written(*Shop().objects)
    spec = application.spec
    assert application.metadata.name == "shop"
    assert (spec.type, spec.criticality) == ("database/postgresql", "gold")
    assert {part.name: part.profile for part in spec.components} == {
        "db": "database/postgresql",
        "web": "web",
    }
    assert [rule.on.schedule for rule in spec.protect] == ["0 * * * *"]
    lines = text.splitlines()
    for field in ("type:", "criticality:", "targets:"):
        (at,) = [at for at, line in enumerate(lines) if line.startswith(f"  {field}")]
        assert lines[at - 1].startswith("  # ")
    assert "# Recognised by its image registry.local:5000/postgres:15." in text
    assert "part-of: shop" in text


def test_the_order_of_the_objects_changes_nothing() -> None:
    """Two looks at one namespace write the same document."""
    objects = Shop().objects
    assert written(*objects)[0] == written(*reversed(objects))[0]


@pytest.mark.parametrize(
    ("objects", "vaults", "expected"),
    [
        ([], (), ("stateless", "silver", ("primary",))),
        ([workload("f", "nginx:1", claim="data")], ("b", "a"), ("web", "silver", ("a",))),
        ([workload("r", "redis:7")], ("primary", "a"), ("cache/redis", "silver", ("primary",))),
    ],
    ids=["nothing", "files", "a cache"],
)
def test_any_namespace_gives_a_valid_document(
    objects: list[Object], vaults: tuple[str, ...], expected: tuple[object, ...]
) -> None:
    """Also an empty one."""
    _, application = written(*objects, vaults=vaults)
    spec = application.spec
    assert (spec.type, spec.criticality, spec.targets) == expected


def test_names_that_mean_something_in_yaml_and_workloads_of_one_name_are_told_apart() -> None:
    """A Deployment may be called `true`, and a StatefulSet like a Deployment."""
    objects = [
        workload("true", "redis", labels=PART_OF),
        workload("on", "postgres"),
        workload("on", "postgres", kind="StatefulSet"),
        workload("a.b", "redis"),
    ]
    _, application = written(*objects)
    found = {part.name: part.workload.name for part in application.spec.components}
    assert found == {"true": "true", "on-deployment": "on", "on-statefulset": "on", "a-b": "a.b"}
    assert sorted(found.values()) == sorted(name_of(obj) for obj in objects)


def test_a_profile_that_was_not_proved_is_pointed_out() -> None:
    """Before somebody relies on it."""
    assert "not proved" in written(workload("m", "mongo:7", claim="d"))[0]
    assert "not proved" not in written(workload("r", "redis:7", claim="d"))[0]
