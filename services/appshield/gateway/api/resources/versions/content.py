"""Taking content out of a version: one file, or a folder as an archive, as a stream."""

from http import HTTPStatus

from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import READ_DATA
from appshield.doors.contents import Opened
from appshield.gateway.api.frame.audit import Act
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.compression import UNCOMPRESSED
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import (
    History,
    InNamespace,
    Named,
    Number,
)
from appshield.gateway.api.frame.problems import AnyRequest, StatusError
from appshield.gateway.api.frame.request_ids import request_id
from appshield.gateway.api.frame.responses import FROM_VAULT, UNCHANGED, problem
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.versions.downloads import (
    BINARY,
    Download,
    UnsatisfiableRange,
    asked_range,
    content_tag,
    disposition,
    safe_name,
)
from appshield.gateway.api.resources.versions.paths import (
    TAGS,
    VERSION_PATH,
    AtPath,
    opened_versions,
    raw_path,
    shown,
)
from appshield.repository import Node
from appshield.repository.browsing import content_of, part_of, size_of


@get(
    VERSION_PATH + "/content",
    opt={**in_namespace(READ_DATA), UNCOMPRESSED: True},
    tags=TAGS,
    responses={
        200: ResponseSpec(
            bytes,
            media_type=BINARY,
            description="The file, or the folder as a tar archive.",
            generate_examples=False,
        ),
        206: ResponseSpec(
            bytes,
            media_type=BINARY,
            description="The bytes of the file that `Range` asked for.",
            generate_examples=False,
        ),
        416: problem("The range begins behind the end of the file."),
        **UNCHANGED,
        **FROM_VAULT,
    },
)
async def read_version_content(
    request: AnyRequest,
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: InNamespace,
    name: Named,
    number: Number,
    path: AtPath = "",
    history: History = "",
) -> ASGIResponse:
    """Take one file of a version as it is, or a folder as a tar archive.

    Each chunk is verified before it is sent; when something is damaged behind the beginning the
    connection is cut. A file can be taken in part, with `Range`. Who took what is audited.
    """
    at = raw_path(request, path)
    opened = await opened_versions(backend, namespace, name, (number,), history)
    node = await backend.contents.run(lambda: _node(opened, at))
    answer = await _answer(request, backend, opened, node)
    if answer.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        await backend.auditor.record(
            Act(
                caller=caller,
                action=READ_DATA.name,
                outcome="allowed",
                namespace=namespace,
                name=name,
                versions=(number,),
                paths=(shown(at),),
                size_bytes=node.size_bytes,
                request_id=request_id(request.scope),
            )
        )
    return answer


def _node(opened: Opened, path: bytes) -> Node:
    """Return what is at a path; the root is a folder without a name."""
    if path:
        return opened.reader.find(opened.roots[0], path)
    return Node(
        name=b"version",
        kind="dir",
        mode=0o755,
        mtime_ns=0,
        atime_ns=0,
        ctime_ns=0,
        uid=0,
        gid=0,
        subtree=opened.roots[0],
    )


class RangeError(StatusError):
    """A range begins behind the end."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            "the range begins behind the end of the file",
            why=f"it has {size_bytes} bytes",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )


async def _answer(
    request: AnyRequest, backend: Backend, opened: Opened, node: Node
) -> ASGIResponse:
    """Choose what to send of a file or folder."""
    pieces, reader = backend.contents.pieces, opened.reader
    name = safe_name(node.name)
    if node.content is None:
        headers = {"Content-Disposition": disposition(f"{name}.tar")}
        content = content_of(reader, node)
        return Download(pieces, content, headers=headers)
    size_bytes = await backend.contents.run(lambda: size_of(reader, node))
    tag = content_tag(node)
    headers = {
        "Content-Disposition": disposition(name),
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Length": str(size_bytes),
    }
    if tag in request.headers.get("If-None-Match", ""):
        return ASGIResponse(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    wanted = None
    if request.headers.get("If-Range", tag) == tag:
        wanted = asked_range(request.headers.get("Range", ""), size_bytes)
    if isinstance(wanted, UnsatisfiableRange):
        raise RangeError(size_bytes)
    if wanted is None:
        return Download(pieces, content_of(reader, node), headers=headers)
    headers["Content-Length"] = str(wanted.end - wanted.start)
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.end - 1}/{size_bytes}"
    content = part_of(reader, node, wanted.start, wanted.end)
    return Download(pieces, content, headers=headers, status=HTTPStatus.PARTIAL_CONTENT)


ROUTES: tuple[ControllerRouterHandler, ...] = (read_version_content,)
