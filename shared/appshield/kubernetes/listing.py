"""Reading a whole collection in pages, and keeping of each object no more than is wanted."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from appshield.kubernetes.errors import GoneError
from appshield.kubernetes.kinds import Kind, Object
from appshield.kubernetes.requests import JSON, Call, Requests

T = TypeVar("T")
Keep = Callable[[Object], T]
"""Returns what is kept of an object."""

PAGE_LIMIT = 500
RESTARTS = 3


class Selection(msgspec.Struct, frozen=True):
    """Which objects of a kind are meant; empty values mean all. And how much of each."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The selectors as query parameters."""
        pairs = (("labelSelector", self.label_selector), ("fieldSelector", self.field_selector))
        return tuple(pair for pair in pairs if pair[1])

    def accept(self, form: str) -> str:
        """Name the form that is asked for: `PartialObjectMetadata`, or its list."""
        return f"{JSON};as={form};g=meta.k8s.io;v=v1" if self.metadata_only else JSON


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """A collection as it was at one resource version."""

    objects: list[T]
    resource_version: str


def whole(obj: Object) -> Object:
    """Keep all of an object."""
    return obj


async def list_all(
    requests: Requests, kind: Kind, selection: Selection, keep: Keep[T]
) -> Listing[T]:
    """Return every selected object, all from the same moment.

    Pages expire on the server after a few minutes; then the list starts again, and after three
    restarts asks for everything at once. Objects carry `apiVersion` and `kind`, which the API
    server leaves out of lists.
    """
    for _ in range(RESTARTS):
        try:
            return await _in_pages(requests, kind, selection, keep, PAGE_LIMIT)
        except GoneError:
            continue
    return await _in_pages(requests, kind, selection, keep, 0)


async def _in_pages(
    requests: Requests, kind: Kind, selection: Selection, keep: Keep[T], limit: int
) -> Listing[T]:
    objects: list[T] = []
    going_on: tuple[tuple[str, str], ...] = ()
    while True:
        page = await requests.send(
            Call(
                method="GET",
                path=kind.path(selection.namespace),
                query=(*selection.query, ("limit", str(limit)), *going_on),
                doing=f"list {kind.described(namespace=selection.namespace)}",
                accept=selection.accept("PartialObjectMetadataList"),
                timeout_s=60.0,
            )
        )
        objects += [keep(complete(kind, item)) for item in page.get("items") or []]
        metadata: dict[str, Any] = page.get("metadata") or {}
        if not metadata.get("continue"):
            return Listing(objects, metadata.get("resourceVersion", ""))
        going_on = (("continue", metadata["continue"]),)


def complete(kind: Kind, item: Object) -> Object:
    """Say of which kind an object is: lists leave that out, and metadata alone says another."""
    return {**item, "apiVersion": kind.api_version, "kind": kind.kind}
