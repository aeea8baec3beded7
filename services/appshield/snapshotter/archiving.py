"""Which images a backup archives: each digest once, for the platform that runs it."""

from appshield.application.reading import Reading
from appshield.capture import CapturedApplication
from appshield.capture.layout import image_source
from appshield.contracts.sources import ImageSource
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import NODE
from appshield.manifests.images import image_references, nodes_of_images


async def image_sources(
    cluster: Cluster, reading: Reading, captured: CapturedApplication, staged_sha256: str
) -> list[ImageSource]:
    """List the images to archive, none where the document does not ask for it.

    An image that has no digest is none: the version warns that it is not pinned.
    """
    if reading.application.images != "archive":
        return []
    named = sorted({image for obj in captured.objects for _, image in image_references(obj)})
    by_digest = {image.partition("@")[2]: image for image in named if "@" in image}
    ran_on = nodes_of_images(reading.pods)
    nodes = {node["metadata"]["name"]: node for node in await cluster.list(NODE)}
    return [
        ImageSource(
            name=image_source(digest),
            image=image,
            platform=_platform(nodes.get(ran_on.get(digest, "")) or next(iter(nodes.values()))),
            staged_sha256=staged_sha256,
        )
        for digest, image in by_digest.items()
    ]


def _platform(node: Object) -> str:
    facts = node["status"]["nodeInfo"]
    return f"{facts['operatingSystem']}/{facts['architecture']}"
