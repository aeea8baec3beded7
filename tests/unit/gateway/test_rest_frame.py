"""What holds for every route of the API: who may, how errors read, how states are named."""

import gc
import gzip

import msgspec
import pytest
import zstandard
from litestar import get
from structlog.testing import capture_logs

from appshield.audit import Head, link
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import AppRef, run_id
from appshield.contracts.runs import Run, Trigger
from appshield.contracts.streams import APPLICATIONS, CATALOG, RUNS
from appshield.contracts.subjects import AUDITED
from appshield.doors.actions import SEE_APPLICATIONS, SEE_RUNS, SEE_VERSIONS
from appshield.gateway.api.application import PATH
from appshield.gateway.api.frame.rights import anyone, right_of
from audit_events import AT, event
from memory_bus import MemoryBus
from planned_versions import version
from rest_api import CLUSTER, client_of, problem_of, rest_api

SHOP = PATH + "/applications/shop/web"
RUN = Run(
    id=run_id("backup", "one"),
    kind="backup",
    app=AppRef(cluster=CLUSTER, namespace="shop", name="web"),
    app_id="a-1",
    vault="primary",
    trigger=Trigger(kind="manual", identity="one"),
    state="succeeded",
    epoch=1,
    requested_at=AT,
)
VIEWER = {"ann": frozenset({(SEE_APPLICATIONS.verb, SEE_APPLICATIONS.resource, "shop")})}


async def bus_with_applications() -> MemoryBus:
    """Hold one application in each of two namespaces, and one of another cluster."""
    bus = MemoryBus()
    places = [("a-1", CLUSTER, "shop"), ("a-2", CLUSTER, "bank"), ("a-3", "far", "shop")]
    for app_id, cluster, namespace in places:
        app = AppRef(cluster=cluster, namespace=namespace, name="web")
        record = ApplicationRecord(
            app_id=app_id, app=app, uid="u", vault="primary", state="active", criticality=app_id
        )
        await bus.bucket(APPLICATIONS, ApplicationRecord).put(app_id, record)
    return bus


async def test_nobody_is_answered_but_for_life() -> None:
    """Every other route asks who it is, the description of the API included."""
    async with client_of(rest_api(MemoryBus()), "") as client:
        for path in (SHOP, PATH + "/me", PATH + "/docs", PATH + "/docs/openapi.json"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await client.get("/healthz")).text == "ok"


async def test_a_list_shows_what_the_caller_may_see() -> None:
    """Of the gateway's own cluster; nothing of others is told, not even their number."""
    application = rest_api(await bus_with_applications(), VIEWER)
    async with client_of(application, "ann") as client:
        page = (await client.get(PATH + "/applications")).json()
        assert ([one["app_id"] for one in page["items"]], page["total"]) == (["a-1"], 1)
        assert (await client.get(SHOP)).json()["summary"]["criticality"] == "a-1"
    async with client_of(application) as client:
        page = (await client.get(PATH + "/applications?sort=-name")).json()
        assert [one["app_id"] for one in page["items"]] == ["a-1", "a-2"]


async def test_a_parameter_that_a_route_does_not_know_is_an_error() -> None:
    """A misspelt filter would show everything; whoever may not ask is told only that."""
    application = rest_api(await bus_with_applications(), VIEWER)
    async with client_of(application) as client:
        answer = await client.get(PATH + "/applications?helth=Missing")
        assert answer.status_code == 400
        told = answer.json()
        assert told["detail"] == "there is no parameter `helth` here"
        assert told["next_step"].startswith("Did you mean `health`? It takes criticality, ")
        answer = await client.get(PATH + "/me?x=1")
        assert answer.status_code == 400
        assert answer.json()["next_step"] == "It takes none."
        assert (await client.get("/healthz?probe=1")).status_code == 200
    async with client_of(application, "") as client:
        assert (await client.get(PATH + "/applications?helth=Missing")).status_code == 401


async def test_what_runs_and_what_is_kept_are_rights_of_their_own() -> None:
    """Who may only see that an application is there is told of neither."""
    bus = MemoryBus()
    app = AppRef(cluster=CLUSTER, namespace="shop", name="web")
    record = ApplicationRecord(
        app_id="a-1", app=app, uid="u", vault="primary", state="active", active_run=RUN.id
    )
    await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", record)
    await bus.bucket(RUNS, Run).put(RUN.id, RUN)
    await bus.bucket(CATALOG, VersionRecord).put("a-1.1", version(1))
    seen = {}
    for rights in ((SEE_APPLICATIONS,), (SEE_APPLICATIONS, SEE_RUNS, SEE_VERSIONS)):
        table = {"ann": frozenset((one.verb, one.resource, "shop") for one in rights)}
        async with client_of(rest_api(bus, table), "ann") as client:
            detail = (await client.get(SHOP)).json()
            seen[len(rights)] = [bool(detail[of]) for of in ("active_run", "newest_version")]
    assert seen == {1: [False, False], 3: [True, True]}


async def test_what_is_counted_is_what_the_caller_may_see() -> None:
    """By health and by promises, of the gateway's own cluster."""
    application = rest_api(await bus_with_applications(), VIEWER)
    async with client_of(application, "ann") as client:
        counts = (await client.get(PATH + "/applications/counts")).json()
        assert counts == {"total": 1, "health": {"Unknown": 1}, "rpo": {}, "rto": {}}


async def test_a_missing_right_is_named() -> None:
    """With who, what and where, also for what does not exist there."""
    async with client_of(rest_api(await bus_with_applications(), VIEWER), "ann") as client:
        for name in ("web", "none"):
            answer = await client.get(f"{PATH}/applications/bank/{name}")
            problem = problem_of(answer.content)
            assert answer.status_code == problem["status"] == 403
            assert "ann may not see applications in namespace bank" in str(problem["detail"])
            assert "list applications.appshield.io" in str(problem["detail"])
            assert "appshield-viewer" in str(problem["next_step"])


async def test_a_route_that_names_no_right_answers_nobody() -> None:
    """Forgetting it opens nothing."""

    @get("/forgotten")
    async def forgotten() -> str:
        raise AssertionError

    application = rest_api(MemoryBus())
    application.register(forgotten)
    async with client_of(application) as client:
        assert (await client.get("/forgotten")).status_code == 403


def test_every_route_names_its_right() -> None:
    """So that none is forgotten."""
    application = rest_api(MemoryBus())
    for route in application.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.http_methods != {"OPTIONS"}:  # made by the framework, refused to everybody
                assert right_of(handler) is not None, route.path


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (SHOP + "x", 404, "application shop/webx is unknown"),
        (PATH + "/applications?limit=0", 400, "Validation failed"),
        (PATH + "/applications?sort=age", 400, "cannot be sorted by 'age'"),
        (PATH + "/applications?cursor=x", 400, "the cursor is none of this list"),
        (PATH + "/runs/b-0", 404, "run b-0 is unknown"),
        (SHOP + "/versions/7", 404, "has no version 7: it has no version yet"),
        ("/nowhere", 404, "Not Found"),
    ],
)
async def test_errors_are_problem_details(path: str, status: int, words: str) -> None:
    """With the request's id, which is on the answer, too."""
    async with client_of(rest_api(await bus_with_applications())) as client:
        answer = await client.get(path, headers={"X-Request-Id": "my-7"})
    problem = problem_of(answer.content)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert words in str(problem["detail"])
    assert problem["request_id"] == answer.headers["X-Request-Id"] == "my-7"


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", SHOP + "/resume", b"{", "the body is no JSON"),
        ("DELETE", SHOP + "/versions/1", b"x", "the body is no JSON"),
        ("POST", SHOP + "/backups", b'{"reason":' * 5000, "nested too deeply"),
        ("POST", PATH + "/signals/deployed", b'{"a":' * 5000 + b"0" + b"}" * 5000, "too deeply"),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_callers_mistake(
    method: str, path: str, body: bytes, words: str
) -> None:
    """Also where the route itself reads none, and where nobody reads it to its bottom."""
    async with client_of(rest_api(await bus_with_applications())) as client:
        gc.disable()  # what tests let it call has no room at the bottom
        try:
            answer = await client.request(method, path, content=body)
        finally:
            gc.enable()
    assert answer.status_code == 400
    assert words in str(problem_of(answer.content)["detail"])


@pytest.mark.parametrize(
    "path", ["/runs?since", "/audit?since", "/audit?until", "/applications/shop/web/events?since"]
)
async def test_a_time_without_a_zone_is_utc(path: str) -> None:
    """As all times of the API are."""
    bus = await bus_with_applications()
    await bus.bucket(RUNS, Run).put(RUN.id, RUN)
    lines, _ = link(Head(chain="c0ffee"), [event("e1")], AT)
    await bus.append(AUDITED, b"\n".join(lines), after_sequence=0)
    async with client_of(rest_api(bus)) as client:
        answers = [
            await client.get(f"{PATH}{path}=2026-11-24T12:00:00{zone}") for zone in ("", "Z")
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


async def test_a_request_id_that_is_not_plain_is_replaced() -> None:
    """It goes into logs."""
    async with client_of(rest_api(MemoryBus())) as client:
        answer = await client.get(PATH + "/me", headers={"X-Request-Id": 'a"b' * 40})
    assert '"' not in answer.headers["X-Request-Id"]


async def test_a_bug_tells_nothing_of_its_inside() -> None:
    """Only the id under which the log has it."""

    @get("/broken", opt=anyone())
    async def broken() -> str:
        raise RuntimeError("secret inside")

    application = rest_api(MemoryBus())
    application.register(broken)
    async with client_of(application) as client:
        with capture_logs() as logs:
            answer = await client.get("/broken", headers={"X-Request-Id": "bug-1"})
    assert (answer.status_code, problem_of(answer.content)["request_id"]) == (500, "bug-1")
    assert "secret inside" not in answer.text
    (logged,) = [one for one in logs if one["event"] == "a request failed"]
    assert str(logged["exc_info"]) == "secret inside"


async def test_a_thing_that_has_not_changed_is_not_sent_again() -> None:
    """Its tag names its state."""
    bus = await bus_with_applications()
    async with client_of(rest_api(bus)) as client:
        tag = (await client.get(SHOP)).headers["ETag"]
        again = await client.get(SHOP, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        record = await bus.bucket(APPLICATIONS, ApplicationRecord).get("a-1")
        assert record is not None
        changed = msgspec.structs.replace(record.value, last_version=2)
        await bus.bucket(APPLICATIONS, ApplicationRecord).put("a-1", changed)
        answer = await client.get(SHOP, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.json()["summary"]["last_version"]) == (200, 2)


async def test_the_api_describes_itself_on_a_page_without_scripts() -> None:
    """Every operation with its summary; nothing is loaded from anywhere."""
    async with client_of(rest_api(MemoryBus())) as client:
        document = (await client.get(PATH + "/docs/openapi.json")).json()
        page = (await client.get(PATH + "/docs")).text
    assert document["openapi"].startswith("3.1")
    for path in document["paths"]:
        assert path in page
    for loaded in ("<script", "http://", "https://", "<link", "<img"):
        assert loaded not in page


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, zstd", "zstd"), ("gzip", "gzip"), ("identity", None)]
)
async def test_answers_are_compressed_as_the_caller_can_read_them(
    accepted: str, encoding: str | None
) -> None:
    """The same answer in each way; small ones as they are."""
    application = rest_api(MemoryBus())
    path = PATH + "/docs/openapi.json"
    async with client_of(application) as client:
        plain = (await client.get(path, headers={"Accept-Encoding": "identity"})).content
        async with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        small = await client.get(PATH + "/me", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert small.headers.get("Content-Encoding") is None
    assert {"zstd": _unpacked, "gzip": gzip.decompress, None: bytes}[encoding](raw) == plain


def _unpacked(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)
