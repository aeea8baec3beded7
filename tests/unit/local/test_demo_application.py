"""The objects of the demo application, as values."""

import json

from appshield.language.object_reading import find_problems
from appshield.local.demo.application import (
    NAME,
    is_ours,
    shop_document,
    shop_namespace,
    shop_objects,
)

OBJECTS = shop_objects(
    namespace="somewhere",
    database_image="registry/shop-postgres@sha256:aa",
    web_image="registry/shop-web@sha256:bb",
    password="planted-password",
    greeting="hello",
)


def test_every_object_belongs_to_the_application_and_its_namespace() -> None:
    """Membership is by label, so none may be without it."""
    for made in OBJECTS:
        assert made["metadata"]["namespace"] == "somewhere"
        assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == NAME


def test_the_password_is_in_the_secret_alone() -> None:
    """No other object repeats it, so the ConfigMap and the pods can be shown to anybody."""
    holders = [made["kind"] for made in OBJECTS if "planted-password" in json.dumps(made)]
    assert holders == ["Secret"]


def test_images_are_named_by_digest() -> None:
    """A tag could mean another image tomorrow."""
    images = [
        container["image"]
        for made in OBJECTS
        if made["kind"] in {"StatefulSet", "Deployment"}
        for container in made["spec"]["template"]["spec"]["containers"]
    ]
    assert images == ["registry/shop-postgres@sha256:aa", "registry/shop-web@sha256:bb"]


def test_every_container_is_promised_a_share_of_the_processors() -> None:
    """Without one the kernel gives it next to nothing while anything else is busy."""
    containers = [
        container
        for made in OBJECTS
        if made["kind"] in {"StatefulSet", "Deployment"}
        for container in made["spec"]["template"]["spec"]["containers"]
    ]
    assert all("cpu" in container["resources"]["requests"] for container in containers)


def test_the_document_names_workloads_that_exist() -> None:
    """A component without its workload would protect nothing."""
    present = {(made["kind"], made["metadata"]["name"]) for made in OBJECTS}
    components = shop_document("somewhere")["spec"]["components"]
    named = {(part["workload"]["kind"], part["workload"]["name"]) for part in components}
    assert named == {("StatefulSet", "db"), ("Deployment", "web")}
    assert named <= present


def test_the_document_is_one_that_the_language_accepts() -> None:
    """The demo must not show what would be refused."""
    assert find_problems(shop_document("somewhere")) == []


def test_only_a_namespace_that_the_demo_made_is_its_own() -> None:
    """Another one of the same name is somebody's, and must not be deleted."""
    assert is_ours(shop_namespace("shop"))
    assert not is_ours({"metadata": {"name": "shop"}})
    assert not is_ours({"metadata": {"name": "shop", "labels": {"team": "shop"}}})
