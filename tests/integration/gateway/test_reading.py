"""The gateway answers from the buckets, and says so when it finds nothing."""

import json
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import Run, Trigger
from appshield.contracts.streams import APPLICATIONS, RUNS
from appshield.gateway.reading import routes

APP = AppRef(cluster="test", namespace="shop", name="gateway")
RECORD = ApplicationRecord(app_id="a-0f", app=APP, uid="u", vault="primary", state="active")


async def test_what_the_registry_holds_is_answered_and_what_it_lacks_is_not_found(
    bus: Bus,
) -> None:
    """Applications, versions and runs as the contracts write them."""
    await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-0f", RECORD)
    trigger = Trigger(kind="manual", identity="request/1")
    run = Run(
        id="b-0f",
        kind="backup",
        app=APP,
        app_id="a-0f",
        vault="primary",
        trigger=trigger,
        state="running",
        epoch=1,
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    await bus.bucket(RUNS, Run).put("b-0f", run)
    application = web.Application()
    application.add_routes(routes(bus))
    async with TestClient(TestServer(application)) as client:
        listed = json.loads(await (await client.get("/v1/applications")).read())
        assert APP.name in {one["app"]["name"] for one in listed}
        versions = await client.get("/v1/applications/a-0f/versions")
        assert (versions.status, await versions.json()) == (200, [])
        assert (await (await client.get("/v1/runs/b-0f")).json())["state"] == "running"
        assert (await client.get("/v1/runs/b-99")).status == 404
        assert (await client.get("/v1/applications/a-99/versions")).status == 404
