"""Releases of Helm 3: the objects of their manifests; protection by annotations in the chart.

A release is a Secret of type `helm.sh/release.v1` with labels `owner`, `name`, `status`, `version`;
its data is base64 (Helm's own, below that of the Secret) of JSON with the rendered manifest, packed
with gzip but in the oldest releases. Of several revisions the newest one that was deployed counts,
so an upgrade under way changes nothing. Source: helm/helm, pkg/storage/driver/{secrets,util}.go.
"""

import base64
from collections.abc import Iterator, Sequence

import msgspec
import yaml

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    application,
    group_of,
    named_object,
    unique,
)
from appshield.language.adapters.annotations import PREFIX, is_protected, spec_of
from appshield.language.adapters.packed import unpack
from appshield.language.problems import DocumentError

_NAME = "helm"
_EVER_DEPLOYED = ("deployed", "superseded", "uninstalling")


def _place(document: Object) -> Place | None:
    labels = document["metadata"].get("labels") or {}
    if labels.get("status") not in _EVER_DEPLOYED or not labels.get("name"):
        return None
    if not is_protected(_annotations(_release(document))):
        return None
    return Place(document["metadata"]["namespace"], labels["name"])


def _rank(document: Object) -> int:
    version = str((document["metadata"].get("labels") or {}).get("version") or "0")
    return int(version) if version.isdecimal() else 0


def _adapt(document: Object, _: Sequence[Object]) -> Adapted:
    release = _release(document)
    metadata = document["metadata"]
    place = Place(metadata["namespace"], metadata["labels"]["name"])
    chart = (release.get("chart") or {}).get("metadata") or {}
    objects, elsewhere = [], set()
    for one in _manifest(release):
        namespace = str(one["metadata"].get("namespace") or place.namespace)
        if namespace == place.namespace:
            group = group_of(str(one.get("apiVersion") or ""))
            objects.append(named_object(group, str(one["kind"]), str(one["metadata"]["name"])))
        else:
            elsewhere.add(namespace)
    spec = {**spec_of(_annotations(release)), "resources": {"objects": unique(objects)}}
    version = f"{release.get('version', 0)} {chart.get('name', '')}-{chart.get('version', '')}"
    notes = [f"its objects in namespace {one} are not captured" for one in sorted(elsewhere)]
    document_ = application(_NAME, document, place, spec, version=version)
    return Adapted(document_, tuple(notes))


def _annotations(release: Object) -> dict[str, str]:
    """Collect ours from the chart and from the rendered objects; the chart's own come first."""
    chart = (release.get("chart") or {}).get("metadata") or {}
    found: dict[str, str] = {}
    for annotations in (
        chart.get("annotations"),
        *(one["metadata"].get("annotations") for one in _manifest(release)),
    ):
        for name, value in (annotations or {}).items():
            if str(name).startswith(PREFIX):
                found.setdefault(str(name), str(value))
    return found


def _manifest(release: Object) -> Iterator[Object]:
    try:
        for one in yaml.load_all(str(release.get("manifest") or ""), yaml.CSafeLoader):
            if isinstance(one, dict) and one.get("kind") and isinstance(one.get("metadata"), dict):
                yield one
    except yaml.YAMLError as error:
        raise DocumentError([f"the manifest of the release cannot be read: {error}"]) from error


def _release(document: Object) -> Object:
    """Unpack the release.

    Raises:
        DocumentError: it is not what Helm writes, or larger than any real one.
    """
    name = f"Secret {document['metadata']['name']}"
    try:
        encoded = base64.b64decode(str((document.get("data") or {}).get("release") or ""))
        return msgspec.json.decode(unpack(encoded.decode("ascii")), type=Object)
    except (ValueError, msgspec.MsgspecError) as error:
        raise DocumentError([f"{name} holds no release of Helm 3: {error}"]) from error


ADAPTER = Adapter(
    name=_NAME,
    kind=ForeignKind("", "v1", "Secret", "secrets"),
    label_selector="owner=helm",
    place=_place,
    adapt=_adapt,
    rank=_rank,
)
