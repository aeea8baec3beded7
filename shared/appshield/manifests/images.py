"""The images that really run: `name:tag` in a manifest becomes `name:tag@sha256:...`.

The digest is what the node pulled, read from the pods' statuses. Only what follows `@` in an
`imageID` counts: an image with several names may show another of them, and an imported image shows
the digest of its configuration, which nothing can be pulled by.
"""

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from appshield.manifests.objects import (
    Object,
    Reference,
    entries,
    kind_of,
    mapping,
    metadata,
    name_of,
    pointer,
    reference_of,
)
from appshield.manifests.workloads import (
    CONTAINER_LISTS,
    containers,
    pod_template,
    pods_by_workload,
)

_DIGEST = re.compile(r"[^@]+@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_STATUSES = dict(
    zip(
        CONTAINER_LISTS,
        ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"),
        strict=True,
    )
)


class ContainerImage(msgspec.Struct, frozen=True, order=True):
    """An image as a workload's container names it."""

    workload: Reference
    container: str
    image: str


class ImageDigests(msgspec.Struct, frozen=True):
    """The pinned name of each image that runs, and what could not be pinned and why."""

    pinned: dict[ContainerImage, str]
    warnings: tuple[str, ...]


class PinnedImages(msgspec.Struct, frozen=True):
    """Copies of the objects with their images pinned, and which kept their tags."""

    objects: tuple[Object, ...]
    warnings: tuple[str, ...]


def image_references(obj: Object) -> list[tuple[str, str]]:
    """Return the JSON pointer and the image of every container that the object describes."""
    template = pod_template(obj)
    if template is None:
        return []
    return [
        (pointer(*template.path, "spec", field, index, "image"), container["image"])
        for field, index, container in containers(template.spec)
        if isinstance(container.get("image"), str)
    ]


def image_digests(objects: Iterable[Object], pods: Iterable[Object]) -> ImageDigests:
    """Read from the pods which digest each container's image has.

    Args:
        objects: workloads and what lies between them and their pods (ReplicaSets, Jobs).
        pods: the pods of the namespace.
    """
    pinned: dict[ContainerImage, str] = {}
    without: dict[ContainerImage, str] = {}
    warnings: set[str] = set()
    for workload, its_pods in pods_by_workload(list(pods), list(objects)).items():
        for pod in sorted(its_pods, key=_age):
            for key, image_id in _running(pod, workload):
                digest = digest_of(image_id)
                if not digest:
                    without[key] = image_id
                    continue
                name = with_digest(key.image, digest)
                if pinned.get(key, name) != name:
                    warnings.add(
                        f"{workload} runs two images as {key.image}; the newest pod's is pinned"
                    )
                pinned[key] = name
    warnings.update(
        f"{key.workload}: the node tells no manifest digest for {key.image} ({image_id[:80]})"
        for key, image_id in without.items()
        if key not in pinned
    )
    return ImageDigests(dict(sorted(pinned.items())), tuple(sorted(warnings)))


def pin_images(objects: Iterable[Object], digests: Mapping[ContainerImage, str]) -> PinnedImages:
    """Return copies of the objects whose images name their digests."""
    made: list[Object] = []
    warnings: list[str] = []
    for obj in objects:
        pinned = copy.deepcopy(obj)
        template = pod_template(pinned)
        for _, _, container in containers(template.spec) if template else ():
            image = container.get("image")
            if not isinstance(image, str) or "@" in image:
                continue
            key = ContainerImage(reference_of(obj), str(container.get("name") or ""), image)
            if key in digests:
                container["image"] = digests[key]
            else:
                warnings.append(
                    f"{kind_of(obj)} {name_of(obj)}: image {image} of container {key.container} "
                    "is not pinned, no pod of it tells a digest"
                )
        made.append(pinned)
    return PinnedImages(tuple(made), tuple(warnings))


def replace_images(objects: Iterable[Object], names: Mapping[str, str]) -> tuple[Object, ...]:
    """Return copies of the objects whose images have other names, where one is given."""
    made: list[Object] = []
    for obj in objects:
        changed = copy.deepcopy(obj)
        template = pod_template(changed)
        for _, _, container in containers(template.spec) if template else ():
            image = container.get("image")
            if isinstance(image, str) and image in names:
                container["image"] = names[image]
        made.append(changed)
    return tuple(made)


def nodes_of_images(pods: Iterable[Object]) -> dict[str, str]:
    """Name for each digest that runs a node on which it does."""
    found: dict[str, str] = {}
    for pod in sorted(pods, key=_age):
        node = mapping(pod, "spec").get("nodeName")
        for statuses in _STATUSES.values():
            for one in entries(mapping(pod, "status"), statuses):
                digest = digest_of(str(one.get("imageID") or ""))
                if digest and isinstance(node, str):
                    found[digest] = node
    return found


def digest_of(image_id: str) -> str:
    """Return the manifest digest in an `imageID`, or nothing if it holds none."""
    found = _DIGEST.fullmatch(image_id)
    return found[1] if found else ""


def with_digest(image: str, digest: str) -> str:
    """Return `name:tag@digest`; an image that already names a digest stays as it is."""
    return image if "@" in image else f"{image}@{digest}"


def _running(pod: Object, workload: Reference) -> Iterable[tuple[ContainerImage, str]]:
    spec, status = mapping(pod, "spec"), mapping(pod, "status")
    for field, statuses in _STATUSES.items():
        ids = {one.get("name"): one.get("imageID") for one in entries(status, statuses)}
        for container in entries(spec, field):
            image_id = ids.get(container.get("name"))
            if isinstance(image_id, str) and image_id and isinstance(container.get("image"), str):
                name = str(container.get("name") or "")
                yield ContainerImage(workload, name, container["image"]), image_id


def _age(pod: Object) -> tuple[str, str]:
    created: Any = metadata(pod).get("creationTimestamp") or ""
    return str(created), name_of(pod)
