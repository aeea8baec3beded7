"""Every role × every route: who may is answered, who may not is refused, and nothing leaks.

Rights are those of the ClusterRoles as they are installed; what a route needs stands in a file for
people (see `rights_of_routes`). Callers have a role in one namespace, or everywhere, or next door.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from httpx import AsyncClient, Response
from msgspec.structs import replace

from appshield.bus import Bus, connect_bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef
from appshield.contracts.runs import RestoreProgress, Run, Trigger
from appshield.contracts.streams import APPLICATIONS, CATALOG, RUNS
from appshield.doors.actions import ROLES, SEE_APPLICATIONS, Role
from appshield.doors.roles import role_objects
from appshield.gateway.api.application import PATH
from appshield.gateway.api.frame.callers import OWN_HEADER
from appshield.rights.access import EVERYWHERE
from embedded_bus import running_bus
from memory_bus import MemoryBus
from planned_versions import NOW, version
from rest_api import CLUSTER, rest_api, served, talking_to
from rights_of_routes import FILE, PUBLIC, RouteRight, of_routes, read

OURS, THEIRS = "shop", "bank"
RUN_OF = {OURS: "r-" + "1" * 20, THEIRS: "r-" + "2" * 20}
MARK_OF = {OURS: "mark-of-the-shop", THEIRS: "mark-of-the-bank"}
"""Stands in what is kept of either, and nowhere else."""
BODIES: dict[tuple[str, str], object] = {
    ("POST", "/maintenance"): {"task": "prune"},
    ("POST", "/copies"): {"vault": "offsite"},
    ("POST", "/restores"): {"version": 1},
    ("POST", "/retention"): {"keep": {"last": 1}},
    ("POST", "/documents/validate"): {"text": "kind: Application"},
    ("POST", "/documents/preview"): {"text": "kind: Policy"},
}
"""By the end of the path; what does not fit is refused only after the right was checked."""
OWN = {OWN_HEADER: "1"}
ENDLESS = f"{PATH}/events"
BY_RUN = f"{PATH}/runs/{{run}}"
DOCUMENT = f"{PATH}/documents/{{kind}}/{{namespace}}/{{name}}"
"""The right to read it and its revisions depends on the kind, which is Application here."""
KINDS_MADE = ("configmaps.",)
ROUTES = [one for one in read() if one.path != ENDLESS and one.needs != PUBLIC]


class Person:
    """Somebody with a role somewhere, or with none; `namespace` is where they have it."""

    def __init__(self, name: str, role: Role | None = None, namespace: str = EVERYWHERE) -> None:
        self.name = name
        self.role = role
        self.namespace = namespace

    @property
    def rights(self) -> frozenset[tuple[str, str, str]]:
        """Return every right, as the installed role gives it."""
        if self.role is None:
            return frozenset()
        role = role_objects()[ROLES.index(self.role)]
        rights = {
            (verb, resource, self.namespace)
            for rule in role["rules"]
            for verb in rule["verbs"]
            for resource in rule["resources"]
        }
        return frozenset(rights | {("create", kind, self.namespace) for kind in KINDS_MADE})

    def may(self, route: RouteRight) -> bool:
        """Say whether a route that is asked about the shop is for them, by the table of actions."""
        reads_document = route.method == "GET" and route.path.startswith(DOCUMENT)
        action = SEE_APPLICATIONS if reads_document else route.action
        if action is None:
            return True
        if self.role is None or ROLES.index(self.role) < ROLES.index(action.role):
            return False
        in_cluster = route.where == "cluster"
        return self.namespace == EVERYWHERE or (self.namespace == OURS and not in_cluster)


PEOPLE = [
    *(Person(f"{role}-here", role, OURS) for role in ROLES),
    *(Person(f"{role}-everywhere", role) for role in ROLES),
    Person("admin-next-door", "admin", THEIRS),
    Person("stranger"),
]


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Serve what two teams have to everybody of the matrix; no test changes what is kept."""
    table = {person.name: person.rights for person in PEOPLE}
    async with (
        running_bus(tmp_path_factory.mktemp("bus")) as server,
        connect_bus(server.access("tester"), name="tests") as bus,
    ):
        await bus.ensure_topology()
        await _put_teams(bus)
        async with served(rest_api(bus, table)) as address:
            yield address


async def _put_teams(bus: Bus) -> None:
    """Give each team an application, a version, and a restore that waits for approval."""
    for at, namespace in enumerate((OURS, THEIRS)):
        app_id = f"a-{at}"
        app = AppRef(cluster=CLUSTER, namespace=namespace, name="web")
        record = ApplicationRecord(
            app_id=app_id,
            app=app,
            uid="u",
            vault="primary",
            state="active",
            last_version=1,
            criticality=MARK_OF[namespace],
        )
        await bus.bucket(APPLICATIONS, ApplicationRecord).put(app_id, record)
        made = version(1)
        facts = replace(
            made.facts, app=app, app_id=app_id, kinds=("ConfigMap",), revision=MARK_OF[namespace]
        )
        await bus.bucket(CATALOG, VersionRecord).put(f"{app_id}.1", replace(made, facts=facts))
        run = Run(
            id=RUN_OF[namespace],
            kind="restore",
            app=app,
            app_id=app_id,
            vault="primary",
            trigger=Trigger(kind="manual", identity="request/1", actor=MARK_OF[namespace]),
            state="awaiting-approval",
            epoch=1,
            requested_at=NOW,
            needs_approval=True,
            restore=RestoreProgress(version=1, snapshot_id="s-1", target_namespace=namespace),
        )
        await bus.bucket(RUNS, Run).put(run.id, run)


def test_the_file_says_what_the_routes_need() -> None:
    """Whoever changes either sees the other; `python tests/rights_of_routes.py` writes it."""
    lines = "".join(f"{one.line()}\n" for one in of_routes(rest_api(MemoryBus())))
    assert FILE.read_text() == lines


def test_what_changes_or_shows_data_is_not_for_viewers() -> None:
    """But for questions that are asked by POST, and documents, which the cluster decides about."""
    asked = {f"{PATH}/documents/preview", f"{PATH}/documents/validate"}
    for route in read():
        action = route.action
        changing = route.method != "GET" and not route.path.endswith("/retention")
        if action is not None and changing and route.path not in asked:
            assert action.role != "viewer", route
        if route.path.endswith("/content"):
            assert route.needs == "read-data"


async def test_nobody_is_answered_nowhere(api: str) -> None:
    """But for life, and for who is about to log in: every other route wants to know who asks."""
    async with talking_to(api, "") as client:
        for route in read():
            answer = await _ask(client, route)
            assert (answer.status_code == 401) is (route.needs != PUBLIC), route
            assert not any(mark in answer.text for mark in MARK_OF.values()), route


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
async def test_a_role_opens_its_routes_and_no_other(api: str, person: Person) -> None:
    """Asked about the shop. What they have no right to see is in no answer, whatever its status."""
    async with talking_to(api, person.name) as client:
        for route in ROUTES:
            answer = await _ask(client, route)
            told = (person.name, route, answer.status_code, answer.text[:300])
            assert answer.status_code in _expected(person, route), told
            for hidden in _hidden_from(person):
                assert MARK_OF[hidden] not in answer.text, told


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
async def test_the_run_of_another_team_is_none_of_theirs(api: str, person: Person) -> None:
    """By its id, which is no secret: it is not there, or not theirs, and says nothing of itself."""
    if person.namespace in {EVERYWHERE, THEIRS} and person.role is not None:
        return
    async with talking_to(api, person.name) as client:
        for route in ROUTES:
            if route.path.startswith(BY_RUN):
                answer = await _ask(client, route, run=RUN_OF[THEIRS])
                assert answer.status_code in {403, 404}, route
                assert MARK_OF[THEIRS] not in answer.text


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
async def test_the_history_of_another_team_is_not_found_under_ones_own_name(
    api: str, person: Person
) -> None:
    """A caller names their own application and the id of somebody else's."""
    async with talking_to(api, person.name) as client:
        for part in ("", "/versions", "/versions/1", "/versions/1/objects"):
            answer = await client.get(f"{PATH}/applications/{OURS}/web{part}?history=a-1")
            assert answer.status_code in {403, 404}
            assert MARK_OF[THEIRS] not in answer.text


def _expected(person: Person, route: RouteRight) -> range | set[int]:
    """Return the statuses that are right: of who may, any but that they may not."""
    shows_what_may_be_seen = route.where == "handler" and "{" not in route.path
    if person.may(route) or shows_what_may_be_seen:
        return set(range(200, 600)) - {401, 403, 500}
    return {403, 404} if route.path.startswith(BY_RUN) else {403}


def _hidden_from(person: Person) -> Iterator[str]:
    """Name the namespaces of which somebody may see nothing."""
    for namespace in (OURS, THEIRS):
        if person.role is None or person.namespace not in {EVERYWHERE, namespace}:
            yield namespace


async def _ask(client: AsyncClient, route: RouteRight, *, run: str = RUN_OF[OURS]) -> Response:
    places = {
        "namespace": OURS,
        "name": "web",
        "number": 1,
        "other": 1,
        "run": run,
        "digest": "r1",
        "kind": "Application",
        "vault": "primary",
        "signal": "deployed",
        "path": "openapi.json",
    }
    body = next(
        (
            body
            for (method, end), body in BODIES.items()
            if route.method == method and route.path.endswith(end)
        ),
        {},
    )
    sent = body if route.method in {"POST", "PUT"} else None
    query = {"from": "0", "to": "1"} if route.path.endswith("/revisions/diff") else {}
    path = route.path.format(**places)
    return await client.request(route.method, path, json=sent, headers=OWN, params=query)
