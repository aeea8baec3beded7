"""The API's web application: every route, and what holds for all of them.

Callers are recognized before anything else, their right is checked before a route answers, every
error is problem details, and every answer names its request's id.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from appshield.errors import AppShieldError, RefusedError
from appshield.gateway.api.frame import description
from appshield.gateway.api.frame.audit_on_bus import Denials
from appshield.gateway.api.frame.authentication import Recognizing, caller_of
from appshield.gateway.api.frame.backend import Backend
from appshield.gateway.api.frame.callers import OWN_HEADER
from appshield.gateway.api.frame.commands import commands_of
from appshield.gateway.api.frame.compression import compression
from appshield.gateway.api.frame.known_parameters import KnownParameters
from appshield.gateway.api.frame.problems import failed, refused_by_frame, told, too_deep
from appshield.gateway.api.frame.request_ids import name_request
from appshield.gateway.api.frame.rights import PUBLIC_KEY, check_right
from appshield.gateway.api.resources.applications import (
    applications,
    events,
    explanations,
    revisions,
    unprotected,
)
from appshield.gateway.api.resources.documents import checks, documents, policies
from appshield.gateway.api.resources.documents import revisions as document_revisions
from appshield.gateway.api.resources.runs import backups, control, gates, restores, runs, signals
from appshield.gateway.api.resources.system import (
    about,
    audit,
    dead_letters,
    event_stream,
    provider_logins,
    reports,
    sessions,
)
from appshield.gateway.api.resources.vaults import catalogs, vaults
from appshield.gateway.api.resources.versions import (
    content,
    differences,
    keeping,
    listings,
    retention,
    versions,
)

PATH = "/api/v1"
BODY_BYTES_MAX = 1024 * 1024

ROUTES: Sequence[ControllerRouterHandler] = (
    *about.ROUTES,
    *sessions.ROUTES,
    *provider_logins.ROUTES,
    *applications.ROUTES,
    *explanations.ROUTES,
    *events.ROUTES,
    *revisions.ROUTES,
    *versions.ROUTES,
    *retention.ROUTES,
    *listings.ROUTES,
    *content.ROUTES,
    *differences.ROUTES,
    *runs.ROUTES,
    *backups.ROUTES,
    *gates.ROUTES,
    *restores.ROUTES,
    *keeping.ROUTES,
    *control.ROUTES,
    *catalogs.ROUTES,
    *signals.ROUTES,
    *dead_letters.ROUTES,
    *event_stream.ROUTES,
    *reports.ROUTES,
    *documents.ROUTES,
    *document_revisions.ROUTES,
    *checks.ROUTES,
    *policies.ROUTES,
    *vaults.ROUTES,
    *unprotected.ROUTES,
    *audit.ROUTES,
)


def api(backend: Backend, version: str) -> Litestar:
    """Build the API over its ports; `version` is AppShield's own."""

    async def provide_backend() -> Backend:
        return backend

    return _application(provide_backend, State({"backend": backend}), version)


def document(version: str) -> dict[str, Any]:
    """Describe the API as an OpenAPI document."""

    async def no_backend() -> Backend:
        raise RefusedError("what only describes the API does not answer")

    return _application(no_backend, State(), version).openapi_schema.to_schema()


def _application(
    provide_backend: Callable[[], Awaitable[Backend]], state: State, version: str
) -> Litestar:
    application = Litestar(
        [Router(PATH, route_handlers=ROUTES), *about.OPEN_ROUTES],
        dependencies={
            "backend": Provide(provide_backend),
            "caller": Provide(caller_of, sync_to_thread=False),
            "commands": Provide(commands_of),
        },
        middleware=[DefineMiddleware(Recognizing, exclude_from_auth_key=PUBLIC_KEY)],
        guards=[check_right, KnownParameters()],
        exception_handlers={
            AppShieldError: told,
            HTTPException: refused_by_frame,
            RecursionError: too_deep,
            Exception: failed,
        },
        after_exception=[Denials().told],
        before_send=[name_request],
        compression_config=compression(),
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=_openapi(version),
        logging_config=None,
        state=state,
    )
    description.describe(application)
    return application


def _openapi(version: str) -> OpenAPIConfig:
    return description.Description(
        title="AppShield",
        version=version,
        summary="Saves running Kubernetes applications hot, and brings a chosen version back.",
        description=description.DESCRIPTION,
        use_handler_docstrings=True,
        operation_id_creator=description.operation_id,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="A token of the cluster, or of the OpenID provider.",
                ),
                "session": SecurityScheme(
                    type="apiKey",
                    name="appshield-session-PORT",
                    security_scheme_in="cookie",
                    description="A session of a browser; with it, what changes something needs "
                    f"the header {OWN_HEADER}, too.",
                ),
            }
        ),
        security=[{"bearer": []}, {"session": []}],
        openapi_router=description.router(),
        render_plugins=[description.ReferencePage()],
    )
