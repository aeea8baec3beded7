"""The API server accepts our kinds and refuses wrong documents by itself, before we see them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appshield.errors import InvalidInputError
from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, kinds
from appshield.language.object_reading import find_problems, read_object
from appshield.language.reading import read_documents
from appshield.local.cluster import ClusterFacts
from appshield.watcher.kinds import install_kinds
from kubernetes_api import namespace_in

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    file.name: file.read_text()
    for folder in ("tests/unit/language/documents", "contracts/language/examples")
    for file in sorted((ROOT / folder).glob("*.yaml"))
}
KINDS = {
    "Application": kinds.APPLICATION,
    "Policy": kinds.POLICY,
    "Vault": kinds.VAULT,
    "Profile": kinds.PROFILE,
    "Backup": kinds.BACKUP,
    "Restore": kinds.RESTORE,
}
RULE: dict[str, Any] = {"name": "a", "on": {"rpo": "1h"}}
COMPONENT = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}
HOOK = {"command": ["x"]}


@pytest.fixture
async def cluster(local_cluster: ClusterFacts) -> AsyncIterator[Cluster]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as connected:
        await install_kinds(connected)
        yield connected


async def _try(cluster: Cluster, kind: Kind, body: Object) -> Object:
    namespace = "default" if kind.namespaced else ""
    if kind.namespaced:
        body = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    return await cluster.create(kind, body, namespace=namespace, dry_run=True)


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_what_we_accept_the_api_server_accepts_unchanged(cluster: Cluster, name: str) -> None:
    """Nothing is pruned, and what comes back is the document that was read."""
    for read in read_documents(DOCUMENTS[name], name):
        kind = KINDS[type(read.resource).__name__]
        stored = await _try(cluster, kind, {**read.object, "metadata": {"name": "try-it"}})
        again = read_object(stored)
        assert again.spec == read.resource.spec


async def test_an_unquoted_on_as_kubectl_sends_it_is_accepted(cluster: Cluster) -> None:
    """YAML 1.1 makes the key `true` of it; the document means the same."""
    spec = {"protect": [{"name": "a", "true": {"manual": True}}]}
    stored = await _try(cluster, kinds.APPLICATION, _document("Application", spec))
    assert read_object(stored) is not None


def _rule(**trigger: Any) -> dict[str, Any]:
    return {"protect": [{"name": "a", "on": trigger}]}


def _component(**more: Any) -> dict[str, Any]:
    return {"components": [{**COMPONENT, **more}]}


def _requirement(operator: str, *values: str) -> dict[str, Any]:
    one: dict[str, Any] = {"key": "app", "operator": operator}
    if values:
        one["values"] = list(values)
    return {"resources": {"selector": {"matchExpressions": [one]}}}


def _notify(**more: Any) -> dict[str, Any]:
    return {"match": "true", "react": [{"when": "true", "do": {"notify": more}}]}


SECRET = {"namespace": "a", "name": "b"}
VAULT = {"endpoint": "https://a.org", "bucket": "abc", "credentialsSecret": SECRET}
VAULT |= {"keySecret": SECRET}
FILES = {"volumes": {"method": "files"}}
KEPT_ELSEWHERE = {**RULE, "targets": ["primary"], "keepIn": {"offsite": {"last": 1}}}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Application", _rule(rpo="1h", manual=True), "exactly one trigger"),
    ("Application", _rule(), "exactly one trigger"),
    ("Application", _rule(rpo="1h", timezone="UTC"), "timezone belongs to a schedule"),
    ("Application", _rule(rpo="1h", jitter="1m"), "jitter belongs to a schedule"),
    ("Application", _rule(rpo="1h", missed="skip"), "missed belongs to a schedule"),
    ("Application", _rule(manual=False), "manual: false means nothing"),
    ("Application", {"protect": [{"name": "a"}]}, "must be given once"),
    ("Application", {"protect": [{**RULE, "true": {"manual": True}}]}, "must be given once"),
    ("Application", {"protect": [{**RULE, "keep": {}}]}, "must keep something"),
    ("Application", {"protect": [{**RULE, "keep": {"last": 0}}]}, "must keep something"),
    ("Application", {"protect": [KEPT_ELSEWHERE]}, "keepIn names a Vault that is no target"),
    ("Application", {"protect": [RULE, RULE]}, "Duplicate value"),
    ("Application", {"targets": ["primary", "primary"]}, "Duplicate value"),
    ("Application", _component(quiesce=HOOK), "a quiesce needs a resume"),
    ("Application", _component(dump=HOOK), "a dump needs a load"),
    ("Profile", {"type": "a/b", "strategy": "dump"}, "strategy dump needs a dump"),
    ("Profile", {"type": "a/b", "quiesce": HOOK}, "a quiesce needs a resume"),
    ("Application", _component(dataOf="db"), "dataOf names another component"),
    ("Application", _component(strategy="snap"), "Unsupported value"),
    ("Application", _component(profile="database/mysql", **FILES), "read while it writes"),
    ("Application", {"type": "database/mysql", **_component(**FILES)}, "read while it writes"),
    (
        "Application",
        {"components": [COMPONENT, {**COMPONENT, "name": "again"}]},
        "give each workload to one component",
    ),
    ("Application", _requirement("In"), "In and NotIn need values"),
    ("Application", _requirement("Exists", "a"), "In and NotIn need values"),
    ("Application", {"images": "tag"}, "Unsupported value"),
    ("Policy", {"match": "true"}, "a policy must do something"),
    ("Policy", {"match": "true", "alerts": {}}, "a policy must do something"),
    ("Policy", _notify(), "notify tells nobody"),
    ("Policy", _notify(webhook="alerts.example.org/hook"), "webhook is an http or https address"),
    ("Policy", _notify(webhook="https://me:pw@a.org/hook"), "webhook is an http or https address"),
    ("Policy", _notify(signal="late", secret=SECRET), "secret signs nothing"),
    ("Profile", {"type": "a/b", "health": [{"of": "pods"}]}, "health of a kind says nothing"),
    ("Policy", {"match": "true", "react": [{"when": "true", "do": {}}]}, "exactly one action"),
    ("Vault", {**VAULT, "endpoint": "ftp://a.org"}, "endpoint is the http or https address"),
    ("Vault", {**VAULT, "endpoint": "https://me:pw@a.org"}, "endpoint is the http or https"),
    ("Vault", {**VAULT, "prefix": "a/../b"}, r"prefix holds \. or"),
    ("Vault", {**VAULT, "readOnly": True, "objectLock": {"days": 1}}, "objectLock keeps nothing"),
    ("Restore", {"application": "shop", "version": "newest"}, r"spec\.version"),
    ("Backup", {"application": "shop", "keep": {"daily": 0}}, "must keep something"),
]


@pytest.mark.parametrize(("kind", "spec", "said"), REFUSED, ids=lambda value: str(value)[:30])
async def test_the_api_server_refuses_wrong_documents(
    cluster: Cluster, kind: str, spec: dict[str, Any], said: str
) -> None:
    """Whoever uses kubectl learns at once what is wrong; our own check refuses the same."""
    document = _document(kind, spec)
    with pytest.raises(InvalidInputError, match=said):
        await _try(cluster, KINDS[kind], document)
    assert find_problems(document) != []


async def test_a_database_may_be_read_live_where_the_document_says_so(cluster: Cluster) -> None:
    """Also where nothing is read at all, or a dump instead."""
    for allowed in ({"allowLive": True}, {"strategy": "none"}):
        spec = _component(profile="database/mysql", **FILES, **allowed)
        assert await _try(cluster, kinds.APPLICATION, _document("Application", spec))


@pytest.mark.parametrize(
    ("kind", "spec", "change"),
    [
        ("Backup", {"application": "shop"}, {"reason": "another"}),
        ("Restore", {"application": "shop", "version": "last-good"}, {"version": "1"}),
    ],
)
async def test_a_wish_never_changes(
    cluster: Cluster, kind: str, spec: dict[str, Any], change: dict[str, Any]
) -> None:
    """Its status and its labels do."""
    async with namespace_in(cluster) as namespace:
        made = await cluster.create(KINDS[kind], _document(kind, spec), namespace=namespace)
        with pytest.raises(InvalidInputError, match="a wish never changes"):
            await cluster.merge_patch(KINDS[kind], "try", {"spec": change}, namespace=namespace)
        labels: Object = {"metadata": {"labels": {"a": "b"}}}
        await cluster.merge_patch(KINDS[kind], "try", labels, namespace=namespace)
        status = {"phase": "Running", "run": "b-1", "progress": "40 %"}
        # what it is right then: whoever acts on wishes in this cluster goes on to write there
        found = await cluster.patch_status(KINDS[kind], "try", status, namespace=namespace)
        assert found["spec"] == made["spec"]
        assert status.items() <= found["status"].items()


def _document(kind: str, spec: dict[str, Any]) -> Object:
    return {
        "apiVersion": kinds.APPLICATION.api_version,
        "kind": kind,
        "metadata": {"name": "try"},
        "spec": spec,
    }
