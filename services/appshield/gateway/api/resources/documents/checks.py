"""Documents before they are applied: what is wrong, what a policy would do, their schema."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter, RawBody
from litestar.types import ControllerRouterHandler

from appshield.contracts.applications import ApplicationRecord
from appshield.doors.actions import SEE_APPLICATIONS
from appshield.doors.measured import Measured
from appshield.doors.previewing import PolicyPreview, preview_policy
from appshield.doors.surroundings import refusals, surroundings
from appshield.doors.validating import Report, report
from appshield.errors import DeniedError
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.dependencies import AsCaller, OnBackend
from appshield.gateway.api.frame.parameters import LIMIT, Limit
from appshield.gateway.api.frame.problems import UnprocessableError
from appshield.gateway.api.frame.responses import problem
from appshield.gateway.api.frame.rights import anyone, by_handler
from appshield.gateway.api.resources.applications.applications import seen_by
from appshield.gateway.api.resources.documents.bodies import ORIGIN, TakesDocuments, the_document
from appshield.gateway.api.resources.documents.documents import TAGS
from appshield.language.advising_together import Surroundings
from appshield.language.json_schema import schema_of, schema_of_all
from appshield.language.kinds import Policy
from appshield.language.problems import Finding
from appshield.language.reading import Reading, read_text

_DEFAULT_NAMESPACE = "default"

ForNamespace = Annotated[
    str, QueryParameter(max_length=253, description="For documents that name no namespace.")
]
SchemaKind = Annotated[
    Literal["all", "Application", "Policy", "Profile", "Vault", "Backup", "Restore"],
    PathParameter(description="The kind of documents; all for any of them."),
]


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said about documents; `notes` tell what could not be looked at."""

    valid: bool
    report: Report
    notes: tuple[str, ...]


@post(
    "/documents/validate",
    opt=anyone(),
    tags=TAGS,
    status_code=200,
    operation_class=TakesDocuments,
)
async def validate_documents(
    backend: OnBackend,
    caller: AsCaller,
    body: RawBody,
    *,
    namespace: ForNamespace = _DEFAULT_NAMESPACE,
    server: Annotated[
        bool,
        QueryParameter(
            description="Let the cluster check them too, in the caller's name, and look at what "
            "it has beside them."
        ),
    ] = False,
) -> Validation:
    """Check documents: every error and warning at once, each at its line and column.

    What is wrong is the answer, and no error of the request. Nothing is changed.
    """
    reading = read_text(body, ORIGIN)
    around, refused, notes = Surroundings(namespace=namespace), list[Finding](), list[str]()
    if server:
        around, refused, notes = await _look_around(backend, caller, reading, namespace)
    records = await seen_by(backend.access, caller, await _active(backend))
    measured = Measured(records=records, namespace=namespace)
    now = backend.clock.now()

    def judging() -> Report:
        return report([reading], around, refused=refused, took=measured.took, now=now)

    found = await asyncio.to_thread(judging)
    return Validation(valid=not found.errors, report=found, notes=tuple(notes))


@post(
    "/documents/preview",
    opt=by_handler(SEE_APPLICATIONS),
    tags=TAGS,
    status_code=200,
    operation_class=TakesDocuments,
    responses={422: problem("The body is no valid Policy; what is wrong, at its line and column.")},
)
async def preview_document(
    backend: OnBackend, caller: AsCaller, body: RawBody, *, limit: Limit = LIMIT
) -> PolicyPreview:
    """Say which applications a Policy would match, why or why not, and when it would run.

    Of the applications that the caller may see; those that it matches come first.
    """
    document = the_document(body)
    policy = document.resource
    if not isinstance(policy, Policy):
        raise UnprocessableError(
            f"a {type(policy).__name__} matches nothing", next_step="Send a Policy."
        )
    records = await seen_by(backend.access, caller, await _active(backend))
    now: datetime = backend.clock.now()
    return await asyncio.to_thread(preview_policy, policy, records, now, limit=limit)


@get("/schemas/{kind:str}", opt=anyone(), tags=TAGS)
async def show_schema(kind: SchemaKind) -> dict[str, Any]:
    """Show the JSON Schema of documents, for editors that complete and check."""
    return schema_of_all() if kind == "all" else schema_of(kind)


async def _active(backend: Backend) -> list[ApplicationRecord]:
    return [
        record
        for record in await backend.views.applications()
        if record.state == "active" and record.app.cluster == backend.cluster
    ]


async def _look_around(
    backend: Backend, caller: Caller, reading: Reading, namespace: str
) -> tuple[Surroundings, list[Finding], list[str]]:
    """Ask the cluster in the caller's name, so that nobody learns what they may not see."""
    cluster = backend.clusters.in_name_of(caller)
    refused = await refusals(cluster, reading.documents, namespace)
    try:
        return await surroundings(cluster, reading.documents, namespace), refused, []
    except DeniedError as error:
        return Surroundings(namespace=namespace), refused, [f"not looked at: {error}"]


ROUTES: tuple[ControllerRouterHandler, ...] = (
    validate_documents,
    preview_document,
    show_schema,
)
