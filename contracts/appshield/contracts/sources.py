"""Where bytes of a backup come from, and where those of a restore go.

A source names things that the API server knows (a pod, a claim); the agent on the node derives
every path itself and never takes one from a message.
"""

from typing import Literal

import msgspec

Consistency = Literal["application", "crash-group", "crash-per-volume", "live"]
VolumeMethod = Literal["snapshot", "live"]


class Source(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Something that one worker reads and stores as one tree.

    `name` is unique within the run and is the tree's place in the version, for example
    `volumes/data-db-0`.
    """

    name: str


class ManifestsSource(Source, frozen=True, kw_only=True, tag="manifests"):
    """The objects of the application, staged and sealed in the Vault by the snapshotter."""

    sha256: str
    objects: int
    images: int = 0


class VolumeSource(Source, frozen=True, kw_only=True, tag="volume"):
    """A directory or a block device on a node: the volume of `claim` as the pod `pod_uid` has it.

    With method `snapshot` the pod is an exposer that mounts a copy; with `live` it is the
    application's own. `claim` is the claim as that pod names it, `original_claim` the
    application's.
    """

    node: str
    method: VolumeMethod
    pod_namespace: str
    pod: str
    pod_uid: str
    claim: str
    original_claim: str
    component: str = ""
    reason: str = ""


class DumpSource(Source, frozen=True, kw_only=True, tag="dump"):
    """The output of the dump command of a component, run in a container.

    The command itself is read from the staged document, never from a message.
    """

    component: str
    pod_namespace: str
    pod: str
    container: str
    staged_sha256: str


class ImageSource(Source, frozen=True, kw_only=True, tag="image"):
    """An image in the registry that the node pulled it from: its documents and its layers.

    `image` is its name with the digest; of an image for several platforms the one that ran is
    stored, written like `linux/amd64`. Credentials are in the staged objects, never in a message.
    """

    image: str
    platform: str
    staged_sha256: str


AnySource = ManifestsSource | VolumeSource | DumpSource | ImageSource


class StoredSource(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored of one source: the tree and what it took."""

    name: str
    kind: str
    tree: str
    bytes_read: int = 0
    bytes_stored: int = 0
    files: int = 0
    problems: tuple[str, ...] = ()
    problems_total: int = 0


class VolumeTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a restore fills: the new claim, mounted by a loader pod on a node.

    `source` is the name of the source in the version, `size_bytes` how much it holds. `present`
    says that the claim and its data were there before.
    """

    source: str
    claim: str
    namespace: str
    present: bool = False
    size_bytes: int = 0
    node: str = ""
    pod: str = ""
    pod_uid: str = ""


class ImagePlacement(msgspec.Struct, frozen=True, kw_only=True):
    """Under which name an image can be pulled that a version names as `image`."""

    image: str
    placed: str


class VolumeChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore would change in a volume: paths in it, a part of them where there are many."""

    source: str
    overwritten: tuple[str, ...] = ()
    overwritten_total: int = 0
    deleted: tuple[str, ...] = ()
    deleted_total: int = 0
    created_total: int = 0


class DumpTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A dump that a restore loads into a component once its pods are ready."""

    source: str
    component: str
    namespace: str
    size_bytes: int = 0
