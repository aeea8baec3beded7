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
from appshield.gateway.api import (
    about,
    applications,
    audits,
    content,
    dead_letters,
    described,
    differing,
    documents,
    events,
    explaining,
    gates,
    held,
    keeping,
    policies,
    reports,
    restores,
    retention,
    revisions,
    running,
    runs,
    saving,
    sessions,
    signals,
    unprotected,
    validating,
    vault_catalogs,
    vaults,
    versions,
)
from appshield.gateway.api.backend import Backend
from appshield.gateway.api.callers import OWN_HEADER
from appshield.gateway.api.commanding import commands_of
from appshield.gateway.api.compressing import compression
from appshield.gateway.api.problems import failed, refused_by_frame, told
from appshield.gateway.api.recognizing import Recognizing, caller_of
from appshield.gateway.api.recording import Denials
from appshield.gateway.api.request_ids import name_request
from appshield.gateway.api.rights import PUBLIC_KEY, check_right

PATH = "/api/v1"
BODY_BYTES_MAX = 1024 * 1024

ROUTES: Sequence[ControllerRouterHandler] = (
    *about.ROUTES,
    *sessions.ROUTES,
    *applications.ROUTES,
    *explaining.ROUTES,
    *revisions.ROUTES,
    *versions.ROUTES,
    *retention.ROUTES,
    *held.ROUTES,
    *content.ROUTES,
    *differing.ROUTES,
    *runs.ROUTES,
    *saving.ROUTES,
    *gates.ROUTES,
    *restores.ROUTES,
    *keeping.ROUTES,
    *running.ROUTES,
    *vault_catalogs.ROUTES,
    *signals.ROUTES,
    *dead_letters.ROUTES,
    *events.ROUTES,
    *reports.ROUTES,
    *documents.ROUTES,
    *validating.ROUTES,
    *policies.ROUTES,
    *vaults.ROUTES,
    *unprotected.ROUTES,
    *audits.ROUTES,
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
        guards=[check_right],
        exception_handlers={
            AppShieldError: told,
            HTTPException: refused_by_frame,
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
    described.describe(application)
    return application


def _openapi(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="AppShield",
        version=version,
        summary="Saves running Kubernetes applications hot, and brings a chosen version back.",
        description=described.DESCRIPTION,
        use_handler_docstrings=True,
        operation_id_creator=described.operation_id,
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
        openapi_router=described.router(),
        render_plugins=[described.ReferencePage()],
    )
