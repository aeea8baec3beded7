"""Every list of the description comes in pages, sorted and filtered: found in it, then tried.

Behind the API are three of everything: in a real Vault what versions hold, in memory the rest.
"""

import itertools
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from appshield.audit import Head, link
from appshield.contracts import subjects
from appshield.contracts.applications import ApplicationRecord, PauseChanged
from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.contracts.policies import PolicyRecord, policy_key, policy_place
from appshield.contracts.runs import LogLine, Run, Trigger
from appshield.contracts.streams import APPLICATIONS, POLICIES, RUNS
from appshield.gateway.api.application import PATH, document
from appshield.kubernetes import kinds
from appshield.language.revisions import revision_of
from appshield.local.embedded.object_store import EmbeddedObjectStore
from appshield.vault import VaultAccess, new_root_key, open_vault
from audit_events import event
from fake_kubernetes import FakeKubernetes
from kept_versions import KeptVersions, Tree
from memory_bus import MemoryBus
from rest_api import CLUSTER, problem_of, rest_api, served, talking_to
from seeded_cluster import seed_cluster

APP = AppRef(cluster=CLUSTER, namespace="shop", name="shop")
AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
RUN = "b-" + "0" * 20
THREE = (1, 2, 3)
POLICY = {"match": "false", "alerts": {"rpo": "1h"}}
OF_APP = f"{PATH}/applications/{{namespace}}/{{name}}"
VALUES = {"namespace": "shop", "name": "shop", "number": "1", "other": "3", "run": RUN}
PLACES = {
    f"{PATH}/documents/{{kind}}": {"kind": "Policy"},
    f"{PATH}/documents/{{kind}}/{{namespace}}/{{name}}/revisions": {
        "kind": "Policy",
        "namespace": "-",
        "name": "policy-1",
    },
}
"""What stands in a path, where it is something else than in the others."""
ALSO = {f"{OF_APP}/versions/{{number}}/files": {"recursive": "true"}}
"""What else is asked for, so that there is more than one page."""
NO_FILTERS = {"limit", "cursor", "sort", "history", "recursive"}
REPORTS = {f"{PATH}/reports/objectives"}
"""Sums over a span of time, each with its days: one answer, as its CSV is one sheet."""


def _described() -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Give every list of the description, with what can be asked for in its query."""
    described = document("")
    for path, item in described["paths"].items():
        answer = item.get("get", {}).get("responses", {}).get("200", {})
        shape = answer.get("content", {}).get("application/json", {}).get("schema", {})
        name = shape.get("$ref", "").rpartition("/")[2]
        fields = described["components"]["schemas"].get(name, {}).get("properties", {})
        if "items" in fields and path not in REPORTS:
            parameters = item["get"].get("parameters", [])
            yield path, {one["name"]: one for one in parameters if one["in"] == "query"}


LISTS = dict(_described())


@pytest.fixture(scope="module")
async def client(s3_server: EmbeddedObjectStore) -> AsyncIterator[httpx.AsyncClient]:
    folder = s3_server.location(prefix=f"lists-{secrets.token_hex(8)}/")
    access = VaultAccess("primary", folder, s3_server.credentials, new_root_key())
    open_vault(access).initialize()

    async def vaults(_name: str) -> VaultAccess:
        return access

    bus = MemoryBus("gateway", now=AT)
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        await _fill(bus, access, uid=_put(fake))
        async with (
            served(rest_api(bus, cluster=cluster, vaults=vaults)) as address,
            talking_to(address) as opened,
        ):
            yield opened


async def _fill(bus: MemoryBus, access: VaultAccess, *, uid: str) -> None:
    kept = KeptVersions(bus, access, APP, "a-1")
    applications, runs = bus.bucket(APPLICATIONS, ApplicationRecord), bus.bucket(RUNS, Run)
    for number in THREE:
        files: Tree = {b"f%d" % n: b"%d" % (number * n) for n in THREE}
        settings = [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"settings-{n}"}}
            for n in THREE
        ]
        await kept.keep(number, {b"volumes": {b"data": files}}, *settings)
        other = AppRef(cluster=CLUSTER, namespace="shop", name=f"other-{number}")
        record = ApplicationRecord(
            app_id=f"a-other-{number}", app=other, uid="u", vault="primary", state="active"
        )
        await applications.put(record.app_id, record)
        begun = AT + timedelta(minutes=number % 2)  # two at the same moment
        run = Run(
            id="b-" + f"{number - 1}" * 20,
            kind="backup",
            app=APP,
            app_id="a-1",
            vault="primary",
            trigger=Trigger(kind="manual", identity="request/x"),
            state="succeeded",
            epoch=1,
            requested_at=begun,
        )
        await runs.put(run.id, run)
        line = LogLine(
            app=APP,
            run=RUN,
            service="uploader",
            level="info",
            event=f"e{number}",
            at=AT + timedelta(seconds=number),
        )
        await bus.publish(line, subject=subjects.log(RUN, "uploader"))
        await bus.publish(PauseChanged(app=APP, request=f"p-{number}", paused=True))
        letter = {"Appshield-Subject": "appshield.v1.cmd.x"}
        await bus.publish_raw(
            subjects.dead("uploader"), b"{}", message_id=f"dead-{number}", headers=letter
        )
        policy = policy_place(CLUSTER, f"policy-{number}")
        known = PolicyRecord(app=policy, uid=f"u-{number}", match="false")
        await bus.bucket(POLICIES, PolicyRecord).put(policy_key(policy), known)
    known_as = await applications.get("a-1")
    assert known_as is not None
    await applications.put("a-1", replace(known_as.value, uid=uid))
    events = [event(f"e{number}", actor="ann", run=RUN) for number in range(6)]
    lines, head = link(Head(chain="c0ffee"), events[:4], AT)
    stored = await bus.append(subjects.AUDITED, b"\n".join(lines), after_sequence=0)
    lines, _ = link(head, events[4:], AT)
    await bus.append(subjects.AUDITED, b"\n".join(lines), after_sequence=stored.sequence)


def _put(fake: FakeKubernetes) -> str:
    """Put documents and what they said before; return the uid of the application."""
    seed_cluster(fake)
    fake.serve(kinds.CONTROLLER_REVISION)
    for number in THREE:
        policy = fake.put(_document("Policy", f"policy-{number}", POLICY))
        fake.put(
            _document(
                "Vault",
                f"vault-{number}",
                {
                    "endpoint": "https://s3.example",
                    "bucket": "b",
                    "credentialsSecret": {"namespace": "n", "name": "s3"},
                    "keySecret": {"namespace": "n", "name": "key"},
                },
            )
        )
        if number == 1:
            _revise(fake, policy, "match", ("'a' == 'a'", "'b' == 'b'", "'c' == 'c'"))
    shop = fake.store.get(kinds.APPLICATION, "shop", "shop")
    _revise(fake, shop, "criticality", ("bronze", "silver", "gold"))
    return str(shop["metadata"]["uid"])


def _revise(fake: FakeKubernetes, obj: Any, field: str, values: tuple[str, ...]) -> None:
    for generation, value in enumerate(values, start=1):
        meta = obj["metadata"] | {"generation": generation}
        said = obj | {"metadata": meta, "spec": obj["spec"] | {field: value}}
        fake.put(revision_of(said, without_namespace=SYSTEM_NAMESPACE))


def _document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"{kind}-{name}", "generation": 1}
    return {"apiVersion": "appshield.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _address(path: str) -> str:
    return path.format_map({**VALUES, **PLACES.get(path, {})})


async def _pages(
    client: httpx.AsyncClient, path: str, **asked: str
) -> list[list[dict[str, object]]]:
    """Read a list to its end, and the same page again on the way."""
    pages: list[list[dict[str, object]]] = []
    cursor = ""
    for _ in range(200):
        query = {**ALSO.get(path, {}), **asked, "cursor": cursor}
        answer = await client.get(_address(path), params=query)
        assert answer.status_code == 200, answer.text
        assert (await client.get(_address(path), params=query)).json() == answer.json()
        page = answer.json()
        pages.append(page["items"])
        if not page["next"] or not page["items"]:  # what is still written has always a next page
            return pages
        cursor = page["next"]
    raise AssertionError(f"{path} has no last page")


def test_every_list_says_how_it_is_read() -> None:
    """Its pages, its orders, and by what it is filtered."""
    assert len(LISTS) >= 17
    for path, asked in LISTS.items():
        assert {"limit", "cursor", "sort"} <= set(asked), path
        assert asked["sort"]["schema"]["enum"], path
        assert set(asked) - NO_FILTERS, f"{path} has no filter"
        assert all(one.get("description") for one in asked.values()), path


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_in_pages_is_the_whole_list(client: httpx.AsyncClient, path: str) -> None:
    """In each of its orders, which one downwards is the other way round."""
    whole: dict[str, list[dict[str, object]]] = {}
    for order in LISTS[path]["sort"]["schema"]["enum"]:
        (whole[order], *rest) = await _pages(client, path, sort=order, limit="500")
        assert not any(rest)
        assert len(whole[order]) >= len(THREE), path
        pages = await _pages(client, path, sort=order, limit="2")
        assert list(itertools.chain.from_iterable(pages)) == whole[order]
        full = [page for page in pages if page]
        assert {len(page) for page in full[:-1]} <= {2}
    for order, items in whole.items():
        if order.startswith("-"):
            assert items == whole[order.removeprefix("-")][::-1]


@pytest.mark.parametrize("path", LISTS)
async def test_what_is_no_page_of_a_list_is_refused(client: httpx.AsyncClient, path: str) -> None:
    """A cursor of another list, an order that there is not, a page of nothing or of too much."""
    for wrong in ({"cursor": "!"}, {"cursor": "AAAA"}, {"sort": "colour"}, {"limit": "0"}):
        answer = await client.get(_address(path), params=wrong)
        assert answer.status_code == 400, f"{path} {wrong}: {answer.text}"
        assert problem_of(answer.content)["status"] == 400
    assert (await client.get(_address(path), params={"limit": "501"})).status_code == 400


FILTERS = {
    "/applications": {"q": "other-1"},
    "/events": {"since": "2027-01-01T00:00:00Z"},
    "/revisions": {"since": "2999-01-01T00:00:00Z"},
    "/versions": {"pinned": "true"},
    "/objects": {"kind": "Secret"},
    "/files": {"pattern": "f1"},
    "/diff/{other}": {"what": "objects"},
    "/runs": {"since": "2026-03-04T12:01:00Z"},
    "/logs": {"service": "restorer"},
    "/dead-letters": {"service": "restorer"},
    "/documents/{kind}": {"q": "-1"},
    "/policies": {"q": "-1"},
    "/profiles": {"q": "postgres"},
    "/vaults": {"q": "-1"},
    "/unprotected": {"keeps_data": "false"},
    "/audit": {"actor": "nobody"},
}
"""By the end of a path, one filter that lets less through."""


@pytest.mark.parametrize("path", LISTS)
async def test_a_filter_lets_less_through(client: httpx.AsyncClient, path: str) -> None:
    """What it lets through is a part of the list, in the same order."""
    (end,) = [end for end in FILTERS if path.endswith(end)]
    (everything, *_) = await _pages(client, path, limit="500")
    (chosen, *_) = await _pages(client, path, limit="500", **FILTERS[end])
    assert len(chosen) < len(everything)
    assert [one for one in everything if one in chosen] == chosen
