"""The REST API of a running AppShield: who gets in, and what of whose they see and may do."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from appshield.gateway.access.login_links import new_code
from appshield.gateway.api.application import PATH
from appshield.gateway.api.frame.callers import OWN_HEADER
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import APPLICATION
from appshield.local.connection import read_connection
from appshield.local.web import until_answered
from cluster_application import NAME
from command_line import CommandLine
from installation import Installation
from kubernetes_api import namespace_in
from rights import account_in, token_of
from waiting import wait_until


@dataclass(frozen=True)
class Answer:
    """What was answered: its status, its headers, and what it says."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, object]


class Door:
    """The API of the installation, over its real socket."""

    def __init__(self, installation: Installation, session: aiohttp.ClientSession) -> None:
        self.installation = installation
        self.web = read_connection(installation.home).web
        self._session = session

    async def ask(
        self, method: str, path: str, *, token: str = "", body: object = None, **headers: str
    ) -> Answer:
        """Ask for a path, as whoever the token is of; without, with the cookies so far."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self.web}{PATH}{path}"
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            content = await answer.read()
            said = json.loads(content) if content else {}
            return Answer(answer.status, dict(answer.headers), said)


@pytest.fixture
async def door(installation: Installation) -> AsyncIterator[Door]:
    jar = aiohttp.CookieJar(unsafe=True)  # keeps cookies of addresses, too, as browsers do
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        found = Door(installation, session)
        assert await until_answered(found.web, asyncio.Event())
        yield found


@asynccontextmanager
async def application(installation: Installation) -> AsyncIterator[str]:
    """Keep an application of a team in a namespace of its own; gives the namespace."""
    async with namespace_in(installation.cluster) as namespace:
        document: Object = {
            "apiVersion": APPLICATION.api_version,
            "kind": "Application",
            "metadata": {"name": NAME},
            "spec": {"type": "web", "resources": {"follow": False}},
        }
        await installation.cluster.create(APPLICATION, document, namespace=namespace)
        await installation.known(installation.app(namespace))
        yield namespace


async def token_with(installation: Installation, namespace: str, role: str) -> str:
    """Make an account that has a role in its namespace; return its token."""
    name = f"{role}-{secrets.token_hex(3)}"
    await account_in(installation.cluster, namespace, name, role=role)
    return await token_of(installation.cluster, namespace, name)


async def test_whoever_runs_appshield_logs_in_by_a_link(door: Door) -> None:
    """`appshield web` prints it; a browser is in with it once, as an admin of the cluster."""
    assert (await door.ask("GET", "/me")).status == 401
    printed = await CommandLine(door.installation.home.folder)("web", "--no-browser")
    address, _, code = printed.out.strip().partition("/#login=")
    assert address == door.web
    own = {OWN_HEADER: "1"}
    assert (await door.ask("POST", "/session", body={"code": code}, **own)).status == 204
    me = await door.ask("GET", "/me")
    assert (me.status, me.body["how"]) == (200, "session")
    assert "system:masters" in str(me.body["groups"])
    assert (await door.ask("POST", "/session", body={"code": code}, **own)).status == 401
    assert (await door.ask("DELETE", "/session", **own)).status == 204
    assert (await door.ask("GET", "/me")).status == 401


async def test_a_team_sees_its_own_and_nothing_else(door: Door) -> None:
    """Neither in lists nor by name nor by id; what is missing is named."""
    async with application(door.installation) as ours, application(door.installation) as theirs:
        token = await token_with(door.installation, ours, "view")

        async def seen() -> list[str]:
            page = await door.ask("GET", "/applications?limit=500", token=token)
            assert page.status == 200
            items = page.body["items"]
            assert isinstance(items, list)
            return [str(one["namespace"]) for one in items]

        assert await wait_until(seen, deadline_s=30, what="rights take effect") == [ours]
        assert (await door.ask("GET", f"/applications/{ours}/{NAME}", token=token)).status == 200
        record = await door.installation.known(door.installation.app(theirs))
        for path in (
            f"/{theirs}/{NAME}",
            f"/{theirs}/{NAME}?history={record.app_id}",
            f"/{theirs}/x",
        ):
            refused = await door.ask("GET", f"/applications{path}", token=token)
            assert refused.status == 403
            assert f"in namespace {theirs}" in str(refused.body["detail"])
            assert "appshield-viewer" in str(refused.body["next_step"])


async def test_a_viewer_backs_nothing_up_and_an_editor_does(door: Door) -> None:
    """As the cluster's own roles say in the namespace."""
    async with application(door.installation) as namespace:
        path = f"/applications/{namespace}/{NAME}/backups"
        viewer = await token_with(door.installation, namespace, "view")
        refused = await door.ask("POST", path, token=viewer, body={})
        assert refused.status == 403
        assert "create backups.appshield.io" in str(refused.body["detail"])
        editor = await token_with(door.installation, namespace, "edit")

        async def accepted() -> Answer | None:
            answer = await door.ask("POST", path, token=editor, body={})
            return answer if answer.status == 202 else None

        answer = await wait_until(accepted, deadline_s=30, what="an editor backs up")
        run = await door.installation.ended(str(answer.body["run"]))
        assert answer.headers["Location"] == f"{PATH}/runs/{run.id}"
        assert run.state == "succeeded", run.failure


async def test_a_page_that_points_its_own_name_at_us_gets_nothing(door: Door) -> None:
    """Whatever it shows."""
    code = new_code(door.installation.home.logins)
    own = {OWN_HEADER: "1", "Host": "evil.example.org"}
    assert (await door.ask("POST", "/session", body={"code": code}, **own)).status == 421
    assert (
        await door.ask("POST", "/session", body={"code": code}, **{OWN_HEADER: "1"})
    ).status == 204
