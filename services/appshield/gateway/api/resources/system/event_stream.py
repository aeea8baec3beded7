"""What changes, as it changes: one stream of server-sent events for each connection."""

from typing import Annotated

from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from appshield.doors.actions import SEE_APPLICATIONS
from appshield.gateway.api.frame.compression import UNCOMPRESSED
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import Namespace
from appshield.gateway.api.frame.rights import by_handler

_MEDIA_TYPE = "text/event-stream"

LastEvent = Annotated[
    str,
    HeaderParameter(
        name="Last-Event-ID",
        max_length=100,
        description="The `id` that came last: what changed since then comes first.",
    ),
]


@get(
    "/events",
    opt={**by_handler(SEE_APPLICATIONS), UNCOMPRESSED: True},
    tags=["Events"],
    responses={
        200: ResponseSpec(
            bytes,
            media_type=_MEDIA_TYPE,
            description="Server-sent events, without an end.",
            generate_examples=False,
        )
    },
)
async def follow_events(
    backend: OnBackend,
    caller: AsCaller,
    *,
    namespace: Namespace = "",
    last_event_id: LastEvent = "",
) -> Stream:
    """Follow what changes of what the caller may see.

    `application`: everything new of one, at most twice in a second; `policy`; `reset`: forget what
    you know, list again, and connect without `Last-Event-ID`.
    """
    events = backend.feed.listen(caller, namespace=namespace, last_event=last_event_id)
    return Stream(
        events,
        media_type=_MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


ROUTES: tuple[ControllerRouterHandler, ...] = (follow_events,)
