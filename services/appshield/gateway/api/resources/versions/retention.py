"""Retention: which versions stay and why, which go when; also by rules that nobody has yet."""

import asyncio
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from appshield.contracts.applications import ApplicationRecord, Keep
from appshield.doors.actions import SEE_VERSIONS
from appshield.doors.keeping import RetentionPreview, preview, with_keep
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.dependencies import OnBackend
from appshield.gateway.api.frame.examples import with_example
from appshield.gateway.api.frame.parameters import History, InNamespace, Named
from appshield.gateway.api.frame.rights import in_namespace
from appshield.gateway.api.resources.applications.histories import record_to_read

_TAGS = ["Versions"]
_PATH = "/applications/{namespace:str}/{name:str}/retention"

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class TriedKeep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many versions are to stay, as `keep` in a document says it; `within_s` in seconds."""

    last: Count = 0
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    within_s: Annotated[int, msgspec.Meta(ge=0, le=100 * 366 * 86_400)] = 0


class TriedRetention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A retention to try; without `keep` every version stays. Without a `rule` it is for each."""

    keep: TriedKeep | None = None
    rule: Annotated[str, msgspec.Meta(max_length=253)] = ""


@get(_PATH, opt=in_namespace(SEE_VERSIONS), tags=_TAGS)
async def show_retention(
    backend: OnBackend, *, namespace: InNamespace, name: Named, history: History = ""
) -> RetentionPreview:
    """Show which versions stay and why, and when the others are expected to go."""
    record = await record_to_read(backend, namespace, name, history)
    return await _preview(backend, record)


@post(
    _PATH,
    opt=in_namespace(SEE_VERSIONS),
    tags=_TAGS,
    status_code=200,
    operation_class=with_example(TriedRetention(keep=TriedKeep(last=7, daily=30))),
)
async def try_retention(
    backend: OnBackend,
    data: JSONBody[TriedRetention],
    *,
    namespace: InNamespace,
    name: Named,
    history: History = "",
) -> RetentionPreview:
    """Show which versions would stay with another retention; nothing is changed."""
    record = await record_to_read(backend, namespace, name, history)
    keep = Keep(**msgspec.structs.asdict(data.keep)) if data.keep else None
    return await _preview(backend, with_keep(record, keep, data.rule))


async def _preview(backend: Backend, record: ApplicationRecord) -> RetentionPreview:
    versions = await backend.views.versions(record.app_id)
    return await asyncio.to_thread(preview, record, versions, backend.clock.now())


ROUTES: tuple[ControllerRouterHandler, ...] = (show_retention, try_retention)
