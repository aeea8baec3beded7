"""Releases of Helm 3 and 4: the objects of their manifests; protection by annotations in the chart.

A release is a Secret of type `helm.sh/release.v1`, or a ConfigMap where `HELM_DRIVER` says so, with
labels `owner`, `name`, `status`, `version`. Its data is base64 (below that of the Secret) of JSON
with the rendered manifest, packed with gzip but in the oldest releases. Of several revisions the
newest one that was deployed counts, so an upgrade under way changes nothing; one that was
uninstalled or asks for nothing any more takes back what older ones asked for. What hooks of the
chart make and leave belongs to the release, but for Jobs and Pods, which ran. Source: helm/helm,
pkg/storage/driver/{secrets,cfgmaps,util}.go, pkg/release/v1/{release,hook}.go.
"""

import base64
from collections.abc import Iterator, Sequence

import msgspec

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    application,
    group_of,
    named_object,
    note_of_cluster,
    unique,
)
from appshield.language.adapters.annotations import PREFIX, is_protected, spec_of
from appshield.language.adapters.packed import unpack
from appshield.language.adapters.rendered import rendered_objects
from appshield.language.problems import DocumentError

_UNINSTALLED = "uninstalled"
_COUNTING = ("deployed", "superseded", "uninstalling", _UNINSTALLED)
_RUN_AND_DONE = (("batch", "Job"), ("", "Pod"))
_OF_CLUSTER = frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("networking.k8s.io", "IngressClass"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "StorageClass"),
    }
)
_GROUPS_OF_CLUSTER = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "node.k8s.io",
        "scheduling.k8s.io",
    }
)
"""A manifest does not say which kinds have no namespace; these are the ones of charts."""


class _ChartMetadata(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""
    annotations: dict[str, str] | None = None


class _Chart(msgspec.Struct, frozen=True):
    metadata: _ChartMetadata | None = None


class _Hook(msgspec.Struct, frozen=True):
    """What the chart has made at a moment of the release's life, and when that is deleted."""

    manifest: str = ""
    events: list[str] | None = None
    delete_policies: list[str] | None = None

    @property
    def leaves_objects(self) -> bool:
        deleted = "hook-succeeded" in (self.delete_policies or ())
        return not deleted and any(not one.startswith("test") for one in self.events or ())


class _Release(msgspec.Struct, frozen=True):
    """What Helm keeps of a release, as far as it is read here."""

    version: int = 0
    manifest: str = ""
    chart: _Chart | None = None
    hooks: list[_Hook] | None = None

    @property
    def its_chart(self) -> _ChartMetadata:
        return (self.chart and self.chart.metadata) or _ChartMetadata()


def _place(document: Object) -> Place | None:
    labels = document["metadata"].get("labels") or {}
    if labels.get("status") not in _COUNTING or not labels.get("name"):
        return None
    return Place(document["metadata"]["namespace"], labels["name"])


def _rank(document: Object) -> int:
    version = str((document["metadata"].get("labels") or {}).get("version") or "0")
    return int(version) if version.isdecimal() and len(version) < 10 else 0


def _asks(document: Object) -> bool:
    if document["metadata"]["labels"]["status"] == _UNINSTALLED:
        return False
    content = _content(document)
    if PREFIX.encode() not in content:  # spares most releases the reading of their manifests
        return False
    release = _release(document, content)
    return is_protected(_annotations(release, _objects(document, release.manifest)))


def _adapt(document: Object, _: Sequence[Object]) -> Adapted:
    release = _release(document, _content(document))
    metadata, chart = document["metadata"], release.its_chart
    place = Place(metadata["namespace"], metadata["labels"]["name"])
    rendered = _objects(document, release.manifest)
    annotations = _annotations(release, rendered)
    sorted_out = _sort_out([*rendered, *_left_by_hooks(document, release)], place.namespace)
    if not sorted_out.objects:
        raise DocumentError([f"the release has no object in namespace {place.namespace}"])
    spec = {**spec_of(annotations), "resources": {"objects": unique(sorted_out.objects)}}
    version = f"{release.version} {chart.name}-{chart.version}"
    made = application(_NAMES[document["kind"]], document, place, spec, version=version)
    return Adapted(made, tuple(_notes(sorted_out, place.namespace)))


class _SortedOut(msgspec.Struct):
    """Objects of a release by where they live."""

    objects: list[Object] = []
    of_cluster: list[Object] = []
    elsewhere: set[str] = set()
    nameless: set[str] = set()


def _sort_out(rendered: list[Object], here: str) -> _SortedOut:
    found = _SortedOut()
    for one in rendered:
        metadata, kind = one["metadata"], str(one["kind"])
        group, namespace = group_of(str(one.get("apiVersion") or "")), metadata.get("namespace")
        if not metadata.get("name"):
            found.nameless.add(kind)
        elif (group, kind) in _OF_CLUSTER or group in _GROUPS_OF_CLUSTER:
            found.of_cluster.append(named_object(group, kind, str(metadata["name"])))
        elif namespace in (None, "", here):
            found.objects.append(named_object(group, kind, str(metadata["name"])))
        else:
            found.elsewhere.add(str(namespace))
    return found


def _notes(found: _SortedOut, here: str) -> Iterator[str]:
    for namespace in sorted(found.elsewhere):
        yield f"its objects in namespace {namespace} are not captured"
    if found.nameless:
        yield f"its objects without a name are not captured: {', '.join(sorted(found.nameless))}"
    yield from note_of_cluster(found.of_cluster, here)


def _annotations(release: _Release, rendered: list[Object]) -> dict[str, str]:
    """Collect ours from the chart and from the rendered objects; the chart's own come first."""
    found: dict[str, str] = {}
    for annotations in (
        release.its_chart.annotations,
        *(one["metadata"].get("annotations") for one in rendered),
    ):
        for name, value in annotations.items() if isinstance(annotations, dict) else ():
            if name.startswith(PREFIX):
                found.setdefault(name, str(value))
    return found


def _left_by_hooks(document: Object, release: _Release) -> list[Object]:
    """Return what hooks have made and left; the Jobs and Pods among it ran, and have ended."""
    return [
        one
        for hook in release.hooks or ()
        if hook.leaves_objects
        for one in _objects(document, hook.manifest)
        if (group_of(str(one.get("apiVersion") or "")), one["kind"]) not in _RUN_AND_DONE
    ]


def _objects(document: Object, manifest: str) -> list[Object]:
    try:
        return list(rendered_objects(manifest))
    except ValueError as error:
        name = f"{document['kind']} {document['metadata']['name']}"
        raise DocumentError([f"the manifest in {name} cannot be read: {error}"]) from error


def _content(document: Object) -> bytes:
    """Unpack the release.

    Raises:
        DocumentError: it is not what Helm writes, or larger than any real one.
    """
    encoded = str((document.get("data") or {}).get("release") or "")
    try:
        if document["kind"] == _SECRET.kind:
            encoded = base64.b64decode(encoded).decode("ascii")
        return unpack(encoded)
    except ValueError as error:
        raise _no_release(document, error) from error


def _release(document: Object, content: bytes) -> _Release:
    try:
        return msgspec.json.decode(content, type=_Release)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _no_release(document, error) from error


def _no_release(document: Object, error: Exception) -> DocumentError:
    name = f"{document['kind']} {document['metadata']['name']}"
    return DocumentError([f"{name} holds no release of Helm 3: {error}"])


_SECRET = ForeignKind("", "v1", "Secret", "secrets")
_CONFIG_MAP = ForeignKind("", "v1", "ConfigMap", "configmaps")
_NAMES = {_SECRET.kind: "helm", _CONFIG_MAP.kind: "helm-configmaps"}


def _adapter(kind: ForeignKind) -> Adapter:
    return Adapter(
        name=_NAMES[kind.kind],
        kind=kind,
        label_selector="owner=helm",
        place=_place,
        asks=_asks,
        adapt=_adapt,
        rank=_rank,
    )


ADAPTER, CONFIG_MAP_ADAPTER = _adapter(_SECRET), _adapter(_CONFIG_MAP)
