"""Documents, policies, Vaults and what nothing protects, over REST and a fake API server."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from appshield.contracts.applications import (
    ApplicationRecord,
    Described,
    Keep,
    OwnProtection,
    Protection,
)
from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.contracts.streams import APPLICATIONS
from appshield.doors.actions import ACTIONS, SEE_APPLICATIONS
from appshield.gateway.api.application import PATH
from appshield.kubernetes import kinds
from appshield.language.revisions import DIGEST_ANNOTATION, revision_of
from fake_kubernetes import FakeKubernetes
from kept_versions import named
from memory_bus import MemoryBus
from rest_api import CLUSTER, RecordedActs, problem_of, rest_api, served, talking_to

GOLD = """\
apiVersion: appshield.io/v1alpha1
kind: Policy
metadata: {name: gold, labels: {team: sales}}
spec:
  match: app.criticality == 'gold'
  protect:
    - {name: nightly, "on": {schedule: "30 2 * * *"}, keep: {daily: 30}}
"""
POLICY = PATH + "/documents/Policy/-/gold"
TABLE = {
    "viewer": frozenset({(SEE_APPLICATIONS.verb, SEE_APPLICATIONS.resource, "shop")}),
    "all": frozenset({(one.verb, one.resource, "") for one in ACTIONS}),
}


def record(name: str, criticality: str, namespace: str = "shop") -> ApplicationRecord:
    rule = Protection(name="hourly", trigger="schedule", schedule="0 * * * *", keep=Keep(last=2))
    return ApplicationRecord(
        app_id=f"a-{namespace}-{name}",
        app=AppRef(cluster=CLUSTER, namespace=namespace, name=name),
        uid="u",
        vault="primary",
        state="active",
        criticality=criticality,
        targets=("primary",),
        protections=(rule,),
        own=OwnProtection(protections=(rule,)),
        described=Described(),
    )


class Place:
    """A fake cluster, a bus, the API over both, and what was audited."""

    def __init__(self, fake: FakeKubernetes, bus: MemoryBus, address: str) -> None:
        self.fake = fake
        self.bus = bus
        self.address = address
        self.audit = RecordedActs()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    bus = MemoryBus()
    for one in (record("web", "gold"), record("blog", "bronze"), record("safe", "gold", "bank")):
        await bus.bucket(APPLICATIONS, ApplicationRecord).put(one.app_id, one)
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        fake.serve(kinds.APPLICATION, kinds.POLICY, kinds.PROFILE, kinds.VAULT)
        for namespace in ("shop", "bank"):
            fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        audit = RecordedActs()
        application = rest_api(bus, TABLE, cluster=cluster, auditor=audit)
        async with served(application) as address:
            made = Place(fake, bus, address)
            made.audit = audit
            yield made


@pytest.fixture
async def client(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(place.address, "all") as opened:
        yield opened


async def test_what_was_read_is_sent_back_as_it_is(place: Place, client: httpx.AsyncClient) -> None:
    """With its status and its tag in it, which says which state is meant."""
    assert (await client.put(POLICY, content=GOLD)).status_code == 201
    stored = place.fake.take(kinds.POLICY, "gold")
    assert stored is not None
    place.fake.put({**stored, "status": {"observedGeneration": 1}})
    read = (await client.get(POLICY)).json()
    assert read["document"]["status"]
    again = await client.put(POLICY, json=read)
    assert again.status_code == 200, again.text
    assert again.json()["document"]["spec"] == read["document"]["spec"]
    assert again.headers["etag"] == read["etag"]
    read["document"]["spec"]["match"] = "app.criticality == 'bronze'"
    changed = await client.put(POLICY, json=read)
    assert changed.status_code == 200, changed.text
    assert (await client.put(POLICY, json=read)).status_code == 412
    other = {**changed.json(), "kept": 1}
    assert (await client.put(POLICY, json=other)).status_code == 422


async def test_a_document_is_made_replaced_and_deleted_in_the_state_that_is_meant(
    place: Place, client: httpx.AsyncClient
) -> None:
    """Without its tag nothing is changed; what other tools keep beside it stays."""
    made = await client.put(POLICY, content=GOLD)
    assert made.status_code == 201, made.text
    tag = made.headers["etag"]
    assert (await client.get(POLICY)).json()["document"]["spec"]["match"]
    assert (await client.put(POLICY, content=GOLD)).status_code == 428
    wrong = await client.put(POLICY, content=GOLD, headers={"If-Match": '"0"'})
    assert wrong.status_code == 412
    stored = place.fake.take(kinds.POLICY, "gold")
    assert stored is not None
    stored["metadata"]["finalizers"] = ["example.org/keep"]
    place.fake.put(
        {**stored, "status": {"observedGeneration": 1}}
    )  # as AppShield does all the time
    bronze = GOLD.replace("gold'", "bronze'").replace(", labels: {team: sales}", "")
    tried = await client.put(POLICY + "?dry_run=true", content=bronze, headers={"If-Match": tag})
    assert tried.status_code == 200, tried.text
    unchanged = place.fake.take(kinds.POLICY, "gold")
    assert unchanged is not None
    assert "gold" in unchanged["spec"]["match"]
    replaced = await client.put(POLICY, content=bronze, headers={"If-Match": tag})
    assert replaced.status_code == 200
    now = place.fake.take(kinds.POLICY, "gold")
    assert now is not None
    assert "bronze" in now["spec"]["match"]
    assert now["metadata"]["finalizers"] == ["example.org/keep"]
    assert "labels" not in now["metadata"]
    assert (await client.delete(POLICY)).status_code == 428
    gone = await client.delete(POLICY, headers={"If-Match": replaced.headers["etag"]})
    assert gone.status_code == 204
    assert (await client.get(POLICY)).status_code == 404
    assert [act.action for act in place.audit.acts if act.outcome == "succeeded"] == [
        "write-document",
        "write-document-dry-run",
        "write-document",
        "delete-document",
    ]
    assert {act.outcome for act in place.audit.acts} == {"begun", "succeeded", "refused"}
    written = [act for act in place.audit.acts if act.action == "write-document"]
    assert [act.cause for act in written if act.outcome == "succeeded"] == [
        "generation 1",
        "generation 2",
    ]
    assert {act.caller.name for act in place.audit.acts} == {"all"}


async def test_what_somebody_wrote_meanwhile_is_another_state(
    place: Place, client: httpx.AsyncClient
) -> None:
    """Its fields, its labels and its annotations."""
    tag = (await client.put(POLICY, content=GOLD)).headers["etag"]
    stored = place.fake.take(kinds.POLICY, "gold")
    assert stored is not None
    for change in (
        {"spec": {**stored["spec"], "targets": ["elsewhere"]}},
        {"metadata": {**stored["metadata"], "labels": {"team": "bank"}}},
        {"metadata": {**stored["metadata"], "annotations": {"note": "1"}}},
    ):
        place.fake.put({**stored, **change})
        for ask in (
            client.put(POLICY, content=GOLD, headers={"If-Match": tag}),
            client.delete(POLICY, headers={"If-Match": tag}),
        ):
            assert (await ask).status_code == 412
    place.fake.put(stored)
    assert (await client.delete(POLICY, headers={"If-Match": tag})).status_code == 204


async def test_a_document_is_written_in_the_callers_name(
    place: Place, client: httpx.AsyncClient
) -> None:
    """What the cluster says no to is refused in its words."""
    place.fake.fail_next(1, 403, method="POST", reason="Forbidden")
    refused = await client.put(POLICY, content=GOLD)
    assert refused.status_code == 403
    assert "as planned" in str(problem_of(refused.content)["detail"])
    place.fake.fail_next(1, 422, method="POST", reason="Invalid")
    assert (await client.put(POLICY, content=GOLD)).status_code == 422
    assert {"Impersonate-User": "all"}.items() <= place.fake.headers[-1].items()
    outcomes = [act.outcome for act in place.audit.acts]
    assert outcomes == ["begun", "denied", "begun", "refused"]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (GOLD.replace("gold'", "gold"), 422, "spec.match"),
        (GOLD.replace("name: gold,", "name: other,"), 422, "the body is about Policy other"),
        (GOLD + "---\n" + GOLD, 422, "2 documents"),
        ("", 422, "is empty"),
        ("a: [", 422, "valid"),
        ("\x00", 422, "valid"),
        (
            GOLD.replace("kind: Policy", "kind: Deployment").replace(
                "appshield.io/v1alpha1", "apps/v1"
            ),
            422,
            "AppShield",
        ),
    ],
)
async def test_a_wrong_document_is_refused_at_its_place(
    client: httpx.AsyncClient, body: str, status: int, told: str
) -> None:
    """Nothing reaches the cluster; what is wrong has a line and a column."""
    answer = await client.put(POLICY, content=body)
    assert answer.status_code == status
    assert told in answer.text
    for one in answer.json().get("errors", []):
        assert one["line"] >= 1


async def test_documents_are_listed_where_the_caller_may_see_them(place: Place) -> None:
    """Those of other namespaces are not told, and kinds without one need a right of their own."""
    for namespace in ("shop", "bank"):
        body = named("Application", "web", spec={}) | {"apiVersion": "appshield.io/v1alpha1"}
        place.fake.put(body | {"metadata": {"name": "web", "namespace": namespace}})
    async with talking_to(place.address, "viewer") as client:
        listed = (await client.get(PATH + "/documents/Application")).json()
        assert [one["namespace"] for one in listed["items"]] == ["shop"]
        assert (await client.get(PATH + "/documents/Application/shop/web")).status_code == 200
        assert (await client.get(PATH + "/documents/Application/bank/web")).status_code == 403
        assert (await client.get(PATH + "/documents/Application/bank/none")).status_code == 403
        assert (await client.get(PATH + "/documents/Policy")).status_code == 403
        assert (await client.get(PATH + "/documents/Application/-/web")).status_code == 404
        assert (await client.get(PATH + "/documents/Secret")).status_code == 400


async def test_documents_are_checked_before_anything_sees_them(
    place: Place, client: httpx.AsyncClient
) -> None:
    """What is wrong is the answer, with its line and column, also of an expression."""
    checked = await client.post(PATH + "/documents/validate", content=GOLD)
    assert checked.json()["valid"], checked.text
    wrong = GOLD.replace("app.criticality == 'gold'", "app.critical == 'gold'")
    answer = (await client.post(PATH + "/documents/validate", content=wrong)).json()
    (error,) = answer["report"]["errors"]
    assert (answer["valid"], error["line"], error["field"]) == (False, 5, "spec.match")
    assert "critical" in error["wrong"]
    place.fake.fail_next(1, 422, method="PATCH", reason="Invalid")
    asked = await client.post(PATH + "/documents/validate?server=true", content=GOLD)
    assert "as planned" in asked.json()["report"]["errors"][0]["wrong"]


async def test_a_policy_is_previewed_among_what_the_caller_sees(place: Place) -> None:
    """With the reason for each, and when its rules would act."""
    async with talking_to(place.address, "viewer") as client:
        found = (await client.post(PATH + "/documents/preview", content=GOLD)).json()
        assert (found["matches"], found["differs"], found["undecided"]) == (1, 1, 0)
        first, second = found["applications"]
        assert (first["name"], first["outcome"], second["outcome"]) == ("web", "matches", "differs")
        assert "bronze" in second["why"]
        (rule,) = first["rules"]
        assert (rule["name"], len(rule["next_times"])) == ("gold/nightly", 3)
        assert rule["targets"] == ["primary"]
        wrong = GOLD.replace("'gold'", "'gold")
        refused = await client.post(PATH + "/documents/preview", content=wrong)
        assert (refused.status_code, refused.json()["errors"][0]["line"]) == (422, 5)


async def test_rules_in_force_have_next_times(client: httpx.AsyncClient) -> None:
    """Three of a schedule; none of what waits for something to happen."""
    found = (await client.get(PATH + "/applications/shop/web/effective-policies")).json()
    (rule,) = found["rules"]
    assert (rule["rule"]["name"], rule["policy"], len(rule["next_times"])) == ("hourly", "", 3)


async def test_what_nothing_protects_has_a_proposal(
    place: Place, client: httpx.AsyncClient
) -> None:
    """Data first; what an application has is not among it, from when its document is written."""
    for namespace, name in (("shop", "db"), ("bank", "db")):
        place.fake.put(stateful_set(namespace, name))
    body: Any = named("Application", "safe") | {"apiVersion": "appshield.io/v1alpha1"}
    place.fake.put(body | {"metadata": {"name": "safe", "namespace": "bank"}, "spec": {}})
    found = (await client.get(PATH + "/unprotected")).json()
    assert [(one["namespace"], one["name"]) for one in found["items"]] == [("shop", "db")]
    assert found["items"][0]["profile"] == "database/postgresql"
    proposed = (await client.get(PATH + "/unprotected/shop")).json()["text"]
    assert "kind: Application" in proposed
    assert "database/postgresql" in proposed
    checked = await client.post(PATH + "/documents/validate", content=proposed)
    assert checked.json()["valid"]
    assert (await client.get(PATH + "/unprotected/bank")).status_code == 404
    written = await client.put(PATH + "/documents/Application/shop/shop", content=proposed)
    assert written.status_code == 201
    assert (await client.get(PATH + "/unprotected")).json()["items"] == []


def stateful_set(namespace: str, name: str) -> Any:
    container = {"name": "postgres", "image": "postgres:16"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "template": {"spec": {"containers": [container]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        },
    }


async def test_schemas_profiles_and_policies_are_told(
    client: httpx.AsyncClient, place: Place
) -> None:
    """What an editor and a person need to write documents."""
    assert (await client.get(PATH + "/schemas/Policy")).json()["title"] == "Policy"
    assert (await client.get(PATH + "/schemas/all")).json()["title"] == "AppShield"
    assert (await client.get(PATH + "/schemas/Pod")).status_code == 400
    profiles = (await client.get(PATH + "/profiles")).json()["items"]
    assert "database/postgresql" in {one["type"] for one in profiles}
    assert (await client.get(PATH + "/policies")).json()["items"] == []
    assert (await client.get(PATH + "/policies/none")).status_code == 404
    assert (await client.get(PATH + "/vaults")).json()["items"] == []
    assert (await client.get(PATH + "/vaults/none")).status_code == 404


def application_object(match: str = "web") -> Any:
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "type": match,
            "components": [{"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}],
            "protect": [{"name": "hourly", "on": {"schedule": "0 * * * *"}}],
        },
    }


async def test_what_an_application_is_and_means_is_told(
    place: Place, client: httpx.AsyncClient
) -> None:
    """Its objects with the reasons, its document with the obstacles; none that is not there."""
    place.fake.put(stateful_set("shop", "db"))
    place.fake.put(application_object())
    path = PATH + "/applications/shop/web"
    model = await client.get(path + "/model")
    objects = {one["id"]: one["why"] for one in model.json()["objects"]}
    assert objects["StatefulSet.apps/shop/db"] == "workload of component db"
    tag = model.headers["etag"]
    again = await client.get(path + "/model", headers={"If-None-Match": tag})
    assert again.status_code == 304
    explanation = (await client.get(path + "/explanation")).json()
    assert explanation["ready"] is False
    assert any("primary" in text for text in explanation["missing"])
    for gone in ("/applications/bank/safe/model", "/applications/bank/safe/explanation"):
        assert (await client.get(PATH + gone)).status_code == 404


async def test_revisions_are_listed_shown_and_compared(
    place: Place, client: httpx.AsyncClient
) -> None:
    """By the beginning of their digest; the one in force is marked."""
    for generation, text in ((1, "web"), (2, "database/redis")):
        obj = application_object(text)
        obj["metadata"] |= {"uid": "u", "generation": generation}
        place.fake.put(revision_of(obj, without_namespace=""))
    path = PATH + "/applications/shop/web/revisions"
    first, second = (await client.get(path)).json()["items"]
    assert [first["revision"]["generation"], second["revision"]["generation"]] == [2, 1]
    new, old = first["revision"]["digest"], second["revision"]["digest"]
    shown = (await client.get(f"{path}/{new[:12]}")).json()
    assert "database/redis" in shown["text"]
    changed = (await client.get(f"{path}/diff?from={old}&to={new}")).json()
    assert {"-  type: web", "+  type: database/redis"} <= set(changed["lines"])
    assert (await client.get(f"{path}/0000")).status_code == 404
    assert (await client.get(f"{path}/diff?from={old}")).status_code == 400


async def test_another_retention_can_be_tried(client: httpx.AsyncClient) -> None:
    """Of an application without versions there is nothing to say, and a wrong field is told."""
    path = PATH + "/applications/shop/web/retention"
    assert (await client.get(path)).json()["versions"] == []
    tried = await client.post(path, json={"keep": {"last": 2}, "rule": "hourly"})
    assert (tried.status_code, tried.json()["paused"]) == (200, False)
    assert (await client.post(path, json={"rule": "none"})).status_code == 404
    wrongs: list[Any] = [{"keep": {"lasts": 2}}, {"keep": {"last": -1}}, {"keeps": {}}, []]
    for wrong in wrongs:
        assert (await client.post(path, json=wrong)).status_code == 400


async def test_the_cluster_that_is_away_is_no_bug() -> None:
    """It is told to try again."""
    away = rest_api(MemoryBus(), TABLE)
    async with served(away) as address, talking_to(address, "all") as client:
        for path in ("/profiles", "/vaults", "/unprotected", "/documents/Policy/-/gold"):
            assert (await client.get(PATH + path)).status_code == 503


async def test_what_a_policy_said_is_listed_shown_and_compared(
    place: Place, client: httpx.AsyncClient
) -> None:
    """As of applications: the newest first, with what is in force; for whoever may see policies."""
    place.fake.serve(kinds.CONTROLLER_REVISION)
    contents = (GOLD, GOLD.replace("30 2 * * *", "45 3 * * *"))
    for content in contents:
        tag = (await client.get(POLICY)).headers.get("etag")
        written = await client.put(
            POLICY, content=content, headers={"If-Match": tag} if tag else {}
        )
        assert written.is_success, written.text
        stored = place.fake.take(kinds.POLICY, "gold")
        assert stored is not None
        revision = revision_of(stored, without_namespace=SYSTEM_NAMESPACE)
        digest = revision["metadata"]["annotations"][DIGEST_ANNOTATION]
        place.fake.put(revision)
        place.fake.put({**stored, "status": {"revision": digest}})
    listed = (await client.get(f"{POLICY}/revisions")).json()["items"]
    assert [one["in_force"] for one in listed] == [True, False]
    newest, oldest = (one["revision"]["digest"] for one in listed)
    shown = (await client.get(f"{POLICY}/revisions/{oldest[:12]}")).json()
    assert "30 2 * * *" in shown["text"]
    compared = await client.get(f"{POLICY}/revisions/diff", params={"from": oldest, "to": newest})
    changed = [line for line in compared.json()["lines"] if line[:1] in "+-"][2:]
    assert ["30 2" in changed[0], "45 3" in changed[1]] == [True, True]
    assert (await client.get(f"{POLICY}/revisions/0000")).status_code == 404
    assert (await client.get(f"{PATH}/documents/Policy/-/none/revisions")).status_code == 404
    async with talking_to(place.address, "viewer") as viewer:
        assert (await viewer.get(f"{POLICY}/revisions")).status_code == 403
