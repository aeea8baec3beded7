"""Images come back as what really ran: `name:tag@digest`."""

import pytest

from appshield.manifests.images import (
    ContainerImage,
    digest_of,
    image_digests,
    image_references,
    pin_images,
    with_digest,
)
from appshield.manifests.objects import reference_of
from unit.manifests.shop import DIGEST_DB, DIGEST_WEB, Shop, config_map, container, make, pod


def test_every_container_of_every_workload_is_found() -> None:
    """Init containers, and the pods of a CronJob two levels down."""
    spec = {"initContainers": [container("i", "i:1")], "containers": [container("c", "c:1")]}
    job = {"jobTemplate": {"spec": {"template": {"spec": spec}}}}
    assert image_references(make("batch/v1", "CronJob", "a", spec=job)) == [
        ("/spec/jobTemplate/spec/template/spec/initContainers/0/image", "i:1"),
        ("/spec/jobTemplate/spec/template/spec/containers/0/image", "c:1"),
    ]
    assert image_references(config_map("a")) == []


def test_images_are_pinned_to_what_the_pods_run() -> None:
    """Only what follows @ counts: the node may know the image under another name."""
    shop = Shop()
    digests = image_digests(shop.objects, shop.pods)
    assert digests.warnings == ()
    pinned = pin_images([shop.database, shop.web], digests.pinned)
    assert [image for obj in pinned.objects for _, image in image_references(obj)] == [
        f"registry.local:5000/postgres:15@{DIGEST_DB}",
        f"registry.local:5000/web:1@{DIGEST_WEB}",
    ]
    assert image_references(shop.web)[0][1] == "registry.local:5000/web:1"


def test_the_deployment_is_found_without_its_replica_set() -> None:
    """Its name is that of the ReplicaSet without the hash that the pod carries."""
    shop = Shop()
    digests = image_digests([shop.web], shop.pods)
    key = ContainerImage(reference_of(shop.web), "web", "registry.local:5000/web:1")
    assert digests.pinned[key].endswith(DIGEST_WEB)


@pytest.mark.parametrize("image_id", [f"sha256:{'3' * 64}", "registry.local/web:1", ""])
def test_an_image_without_a_manifest_digest_keeps_its_tag_with_a_warning(image_id: str) -> None:
    """The digest of a configuration cannot be pulled, so it is not taken for one."""
    shop = Shop()
    only = pod("db-0", shop.database, shop.database["spec"]["template"]["spec"], image_id=image_id)
    digests = image_digests([shop.database], [only])
    assert digests.pinned == {}
    assert len(digests.warnings) == (1 if image_id else 0)
    pinned = pin_images([shop.database], digests.pinned)
    assert pinned.objects == (shop.database,)
    assert "is not pinned" in pinned.warnings[0]


def test_a_tag_that_moved_is_pinned_to_the_newest_pod_with_a_warning() -> None:
    """Two pods of one template can run two images."""
    shop = Shop()
    spec = shop.database["spec"]["template"]["spec"]
    old = pod("db-1", shop.database, spec, image_id=f"x@{DIGEST_DB}")
    new = pod("db-0", shop.database, spec, image_id=f"x@{DIGEST_WEB}")
    new["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    digests = image_digests([shop.database], [new, old])
    assert list(digests.pinned.values()) == [f"registry.local:5000/postgres:15@{DIGEST_WEB}"]
    assert "runs two images" in digests.warnings[0]


def test_one_good_pod_is_enough() -> None:
    """A pod that has not started yet is no reason for a warning."""
    shop = Shop()
    spec = shop.database["spec"]["template"]["spec"]
    started = pod("db-0", shop.database, spec, image_id=f"x@{DIGEST_DB}")
    starting = pod("db-1", shop.database, spec, image_id=f"sha256:{'4' * 64}")
    digests = image_digests([shop.database], [started, starting])
    assert digests.warnings == ()
    assert len(digests.pinned) == 1


def test_the_pod_of_an_older_template_pins_nothing_of_the_newer_one() -> None:
    """In the middle of a rollout the images have different names."""
    shop = Shop()
    newer = Shop().web
    newer["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.local:5000/web:2"
    digests = image_digests([newer, shop.replica_set], shop.pods)
    pinned = pin_images([newer], digests.pinned)
    assert image_references(pinned.objects[0])[0][1] == "registry.local:5000/web:2"
    assert len(pinned.warnings) == 1


def test_a_digest_that_somebody_wrote_stays() -> None:
    """It is pinned already."""
    assert with_digest(f"web:1@{DIGEST_WEB}", DIGEST_DB) == f"web:1@{DIGEST_WEB}"
    shop = Shop()
    shop.web["spec"]["template"]["spec"]["containers"][0]["image"] = f"web@{DIGEST_WEB}"
    assert pin_images([shop.web], {}).warnings == ()


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"docker.io/library/nginx@{DIGEST_WEB}", DIGEST_WEB),
        (f"docker-pullable://nginx@{DIGEST_WEB}", DIGEST_WEB),
        (DIGEST_WEB, ""),
        (f"docker://{DIGEST_WEB}", ""),
        ("nginx@sha256:short", ""),
        (f"@{DIGEST_WEB}", ""),
    ],
)
def test_the_digest_is_what_follows_the_at_sign(image_id: str, digest: str) -> None:
    """Every runtime writes something else before it."""
    assert digest_of(image_id) == digest
