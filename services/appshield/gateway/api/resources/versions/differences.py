"""What has changed from one version to another: objects field by field, and files."""

import itertools
from typing import Annotated, Literal, TypeAlias

from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from appshield.capture.layout import MANIFESTS
from appshield.doors.actions import READ_DATA, SEE_VERSIONS
from appshield.doors.comparing import Showing, ShownChange, raw_changes
from appshield.gateway.api.frame.audit import Act
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import (
    LIMIT,
    Cursor,
    History,
    InNamespace,
    Limit,
    Named,
    Number,
)
from appshield.gateway.api.frame.problems import AnyRequest
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.responses import FROM_VAULT
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.versions.paths import (
    TAGS,
    VERSION_PATH,
    AtPath,
    ByPath,
    Part,
    count,
    cursor_of,
    opened_versions,
    raw_path,
    shown,
)

Changed: TypeAlias = Literal["all", "objects", "files"]
What: TypeAlias = Annotated[Changed, QueryParameter(description="Which part of the versions.")]


@get(
    VERSION_PATH + "/diff/{other:int}",
    opt=in_namespace(SEE_VERSIONS),
    tags=TAGS,
    responses=FROM_VAULT,
)
async def compare_versions(
    request: AnyRequest,
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: InNamespace,
    name: Named,
    number: Number,
    other: Number,
    what: What = "all",
    path: AtPath = "",
    history: History = "",
    _sort: ByPath = "path",
    limit: Limit = LIMIT,
    cursor: Cursor = "",
) -> Part[ShownChange]:
    """Show what was added, removed and changed from one version to another, and why.

    Fields of manifests are shown to whoever may read data, those of Secrets as digests.
    """
    at = raw_path(request, path)
    skipped = count(cursor)
    fields = await backend.access.may(caller, READ_DATA, namespace)
    opened = await opened_versions(backend, namespace, name, (number, other), history)

    def comparing() -> Part[ShownChange]:
        found = (change for change in raw_changes(opened, at) if _is_asked(change.path, what))
        part = list(itertools.islice(found, skipped, skipped + limit + 1))
        showing = Showing(opened, fields=fields)
        following = cursor_of(b"%d" % (skipped + limit)) if len(part) > limit else None
        return Part(items=[showing.shown(one) for one in part[:limit]], next=following)

    page = await backend.contents.run(comparing)
    if any(change.fields for change in page.items):
        await backend.auditor.record(
            Act(
                caller=caller,
                action=READ_DATA.name,
                outcome="allowed",
                namespace=namespace,
                name=name,
                versions=(number, other),
                paths=(shown(at),),
                request_id=request_id(request.scope),
            )
        )
    return page


def _is_asked(path: bytes, what: Changed) -> bool:
    """Tell whether a path is asked for; the folder of a kind is neither an object nor a file."""
    if what == "all":
        return True
    if not path.startswith(f"{MANIFESTS}/".encode()):
        return what == "files"
    return what == "objects" and path.endswith(b".json")


ROUTES: tuple[ControllerRouterHandler, ...] = (compare_versions,)
