"""What can be read: applications, their versions, runs; each as the contracts write it.

GET /v1/applications                     every history of versions
GET /v1/applications/{app_id}/versions   the versions of one
GET /v1/runs/{run}                       one run with its steps
"""

from typing import Any

import msgspec
from aiohttp import web

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.runs import Run
from appshield.contracts.streams import APPLICATIONS, CATALOG, RUNS


def routes(bus: Bus) -> list[web.RouteDef]:
    """Build the routes over the bus."""
    applications = bus.bucket(APPLICATIONS, ApplicationRecord)
    versions = bus.bucket(CATALOG, VersionRecord)
    runs = bus.bucket(RUNS, Run)

    async def list_applications(_: web.Request) -> web.Response:
        found = [entry.value async for entry in applications.items()]
        return _json(sorted(found, key=lambda record: (record.app, record.app_id)))

    async def list_versions(request: web.Request) -> web.Response:
        app_id = request.match_info["app_id"]
        if await applications.get(app_id) is None:
            return _not_found(f"no application has the id {app_id}")
        found = [entry.value async for entry in versions.items(f"{app_id}.")]
        return _json(sorted(found, key=lambda version: version.facts.number))

    async def show_run(request: web.Request) -> web.Response:
        entry = await runs.get(request.match_info["run"])
        if entry is None:
            return _not_found(f"there is no run {request.match_info['run']}")
        return _json(msgspec.structs.replace(entry.value, outbox=()))

    return [
        web.get("/v1/applications", list_applications),
        web.get("/v1/applications/{app_id:a-[0-9a-f]+}/versions", list_versions),
        web.get("/v1/runs/{run:[a-z]-[0-9a-f]+}", show_run),
    ]


def _json(value: Any, status: int = 200) -> web.Response:  # noqa: ANN401  any contract value
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json")


def _not_found(why: str) -> web.Response:
    return _json({"error": why}, status=404)
