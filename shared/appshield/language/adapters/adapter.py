"""What an adapter is, and how the Application is marked that it makes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from appshield.language.kinds import API_VERSION

Object: TypeAlias = dict[str, Any]

ADAPTER_LABEL = "appshield.io/adapter"
"""Label of an Application that an adapter made: the adapter's name."""
ADAPTED_FROM = "appshield.io/adapted-from"
"""Annotation that names the foreign document."""
SOURCE_VERSION = "appshield.io/source-version"
"""Annotation with the version that the framework itself gives the application."""
ADAPTED_IN_PART = "appshield.io/adapted-in-part"
"""Annotation with what of the foreign document could not be said."""
_NOTES_MAX_CHARACTERS = 4096


class ForeignKind(msgspec.Struct, frozen=True):
    """A kind of another framework, as the API server serves it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True


class Related(msgspec.Struct, frozen=True):
    """Objects that an adapter has to see beside the document: of one kind, by labels."""

    kind: ForeignKind
    namespace: str = ""
    label_selector: str = ""


class Place(msgspec.Struct, frozen=True, order=True):
    """Where the Application is made: in the namespace in which the members live."""

    namespace: str
    name: str


class Adapted(msgspec.Struct, frozen=True):
    """An Application made of a foreign document, and what of that could not be said in it."""

    document: Object
    notes: tuple[str, ...] = ()


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the documents of one framework.

    `place` says which Application a document is about, None when it is not to be protected or not
    of this cluster. `adapt` makes that Application of the document and the `related` objects.
    Several documents may be about one Application (releases of Helm): the one that ranks highest
    counts, and when it no longer `asks` for protection, nothing protects.
    """

    name: str
    kind: ForeignKind
    label_selector: str = ""
    place: Callable[[Object], Place | None]
    adapt: Callable[[Object, Sequence[Object]], Adapted]
    related: Callable[[Object], tuple[Related, ...]] = lambda _: ()
    rank: Callable[[Object], int] = lambda _: 0
    asks: Callable[[Object], bool] = lambda _: True


def application(
    adapter: str, foreign: Object, place: Place, spec: Object, *, version: str = ""
) -> Object:
    """Write the Application that stands for a foreign document."""
    metadata = foreign["metadata"]
    named = f"{metadata['namespace']}/{metadata['name']}"
    annotations = {ADAPTED_FROM: f"{foreign['kind']} {named}"}
    if version:
        annotations[SOURCE_VERSION] = version
    return {
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": {
            "name": place.name,
            "namespace": place.namespace,
            "labels": {ADAPTER_LABEL: adapter},
            "annotations": annotations,
        },
        "spec": spec,
    }


def with_notes(adapted: Adapted) -> Object:
    """Return the Application with the notes in an annotation, which `explain` shows."""
    if not adapted.notes:
        return adapted.document
    metadata = adapted.document["metadata"]
    notes = "; ".join(adapted.notes)[:_NOTES_MAX_CHARACTERS]
    annotations = {**metadata["annotations"], ADAPTED_IN_PART: notes}
    return {**adapted.document, "metadata": {**metadata, "annotations": annotations}}


def named_object(group: str, kind: str, name: str) -> Object:
    """Write one entry of `spec.resources.objects`."""
    entry = {"kind": kind, "name": name}
    return {"group": group, **entry} if group else entry


def group_of(api_version: str) -> str:
    """Return the group of an `apiVersion`, empty for the core one."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def note_of_cluster(objects: list[Object], namespace: str) -> Iterator[str]:
    """Tell of objects of no namespace, which a document cannot name; its own comes with it."""
    names = [f"{one['kind']} {one['name']}" for one in unique(objects)]
    if others := ", ".join(one for one in names if one != f"Namespace {namespace}"):
        yield f"of the whole cluster, only what its members need is captured: {others}"


def unique(objects: list[Object]) -> list[Object]:
    """Return the entries of `spec.resources.objects` once each, in a fixed order."""
    by_identity = {(one.get("group", ""), one["kind"], one["name"]): one for one in objects}
    return [by_identity[identity] for identity in sorted(by_identity)]
