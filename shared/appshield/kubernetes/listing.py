"""Reading a whole collection in pages."""

from typing import Any

import msgspec

from appshield.kubernetes.errors import GoneError
from appshield.kubernetes.kinds import Kind, Object
from appshield.kubernetes.requests import Call, Requests

PAGE_LIMIT = 500
RESTARTS = 3


class Selection(msgspec.Struct, frozen=True):
    """Which objects of a kind are meant; empty values mean all."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The selectors as query parameters."""
        pairs = (("labelSelector", self.label_selector), ("fieldSelector", self.field_selector))
        return tuple(pair for pair in pairs if pair[1])


class Listing(msgspec.Struct, frozen=True):
    """A collection as it was at one resource version."""

    objects: list[Object]
    resource_version: str


async def list_all(requests: Requests, kind: Kind, selection: Selection) -> Listing:
    """Return every selected object, all from the same moment.

    Pages expire on the server after a few minutes; then the list starts again, and after three
    restarts asks for everything at once. Objects carry `apiVersion` and `kind`, which the API
    server leaves out of lists.
    """
    for _ in range(RESTARTS):
        try:
            return await _in_pages(requests, kind, selection, PAGE_LIMIT)
        except GoneError:
            continue
    return await _in_pages(requests, kind, selection, 0)


async def _in_pages(requests: Requests, kind: Kind, selection: Selection, limit: int) -> Listing:
    objects: list[Object] = []
    going_on: tuple[tuple[str, str], ...] = ()
    while True:
        page = await requests.send(
            Call(
                method="GET",
                path=kind.path(selection.namespace),
                query=(*selection.query, ("limit", str(limit)), *going_on),
                doing=f"list {kind.described(namespace=selection.namespace)}",
                timeout_s=60.0,
            )
        )
        objects += [_complete(kind, item) for item in page.get("items") or []]
        metadata: dict[str, Any] = page.get("metadata") or {}
        if not metadata.get("continue"):
            return Listing(objects, metadata.get("resourceVersion", ""))
        going_on = (("continue", metadata["continue"]),)


def _complete(kind: Kind, item: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **item}
