"""OAM / KubeVela: an Application whose `spec.policies[]` hold one of `type: appshield`.

The policy's `properties` are our `spec` without the membership, which KubeVela's resource trackers
know: the objects of the root tracker and of the newest generation, which an option of KubeVela
keeps compressed. Until there is a tracker, the label that KubeVela puts on everything chooses them.
KubeVela takes such a policy only where `deploy/kubevela/policy-definition.yaml` is installed.
Source: kubevela/kubevela, apis/core.oam.dev/v1beta1/{application,resourcetracker}_types.go,
pkg/oam/labels.go and pkg/appfile/parser.go; kubevela/pkg, util/compression.
"""

from collections.abc import Iterator, Sequence

import msgspec

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    Related,
    application,
    group_of,
    named_object,
    unique,
)
from appshield.language.adapters.packed import unpack
from appshield.language.problems import DocumentError

POLICY_TYPE = "appshield"
_NAME = "oam"
_GROUP, _VERSION = "core.oam.dev", "v1beta1"
_APP_NAME = "app.oam.dev/name"
_APP_NAMESPACE = "app.oam.dev/namespace"
_PUBLISH_VERSION = "app.oam.dev/publishVersion"
_TRACKER = ForeignKind(_GROUP, _VERSION, "ResourceTracker", "resourcetrackers", namespaced=False)


def _place(document: Object) -> Place | None:
    metadata = document["metadata"]
    return Place(metadata["namespace"], metadata["name"]) if _policies(document) else None


def _policies(document: Object) -> list[Object]:
    policies = (document.get("spec") or {}).get("policies") or []
    return [one for one in policies if one.get("type") == POLICY_TYPE]


def _related(document: Object) -> tuple[Related, ...]:
    name = document["metadata"]["name"]
    return (Related(_TRACKER, label_selector=f"{_APP_NAME}={name}"),)


def _adapt(document: Object, related: Sequence[Object]) -> Adapted:
    metadata = document["metadata"]
    policies = _policies(document)
    if len(policies) > 1:
        names = ", ".join(str(one.get("name") or "without a name") for one in policies)
        raise DocumentError(
            [f"spec.policies: {len(policies)} are of type appshield ({names}); keep one of them"]
        )
    asked = dict(policies[0].get("properties") or {}) if policies else {}
    if "resources" in asked:
        raise DocumentError(
            ["properties.resources: KubeVela knows which objects belong to it; remove the field"]
        )
    managed = list(_managed(metadata["namespace"], metadata["name"], related))
    here = [one for one in managed if not one.get("cluster")]
    if objects := unique(
        [
            named_object(group_of(one.get("apiVersion", "")), one["kind"], one["name"])
            for one in here
            if one.get("namespace") == metadata["namespace"]
        ]
    ):
        asked["resources"] = {"objects": objects}
    else:
        labels = {_APP_NAME: metadata["name"]}
        asked["resources"] = {"selector": {"matchLabels": labels}}
    place = Place(metadata["namespace"], metadata["name"])
    made = application(_NAME, document, place, asked, version=_version(document))
    return Adapted(made, tuple(_notes(managed, metadata["namespace"])))


def _managed(namespace: str, name: str, trackers: Sequence[Object]) -> Iterator[Object]:
    """Yield what the root tracker and the newest generation hold, without what is deleted."""
    own = [
        one
        for one in trackers
        if (one["metadata"].get("labels") or {}).get(_APP_NAME) == name
        and (one["metadata"].get("labels") or {}).get(_APP_NAMESPACE, namespace) == namespace
    ]
    versioned = [one for one in own if one["spec"].get("type") == "versioned"]
    newest = max(map(_generation, versioned), default=0)
    chosen = [one for one in own if one["spec"].get("type") == "root"]
    chosen += [one for one in versioned if _generation(one) == newest]
    for tracker in chosen:
        for resource in _resources(tracker):
            if not resource.get("deleted"):
                yield resource


def _generation(tracker: Object) -> int:
    return int(tracker["spec"].get("applicationGeneration") or 0)


def _resources(tracker: Object) -> list[Object]:
    spec = tracker["spec"]
    packed = spec.get("compression") or {}
    if not packed.get("type"):
        return list(spec.get("managedResources") or ())
    try:
        content = unpack(str(packed.get("data") or ""), compression=str(packed["type"]))
        return msgspec.json.decode(content, type=list[Object])
    except (ValueError, msgspec.MsgspecError) as error:
        name = f"ResourceTracker {tracker['metadata']['name']}"
        raise DocumentError([f"{name}: compression: cannot be read: {error}"]) from error


def _notes(managed: list[Object], namespace: str) -> Iterator[str]:
    clusters = {str(one["cluster"]) for one in managed if one.get("cluster")}
    if clusters:
        yield f"its resources in other clusters are not captured: {', '.join(sorted(clusters))}"
    places = {str(one.get("namespace") or "") for one in managed if not one.get("cluster")}
    if others := sorted(places - {namespace, ""}):
        yield f"its resources in other namespaces are not captured: {', '.join(others)}"


def _version(document: Object) -> str:
    annotations = document["metadata"].get("annotations") or {}
    latest = ((document.get("status") or {}).get("latestRevision") or {}).get("name")
    return str(annotations.get(_PUBLISH_VERSION) or latest or "")


ADAPTER = Adapter(
    name=_NAME,
    kind=ForeignKind(_GROUP, _VERSION, "Application", "applications"),
    place=_place,
    adapt=_adapt,
    related=_related,
)
