"""Each adapter, on documents as that framework's public examples write them.

A golden copy holds the Application that an adapter makes; it must be one that we accept.
"""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard

from appshield.errors import InvalidInputError
from appshield.language.adapters import ADAPTERS, Adapted, Adapter, chosen
from appshield.language.adapters.files import find_foreign_problems
from appshield.language.adapters.oam import POLICY_TYPE
from appshield.language.adapters.packed import UNPACKED_MAX_BYTES
from appshield.language.kinds import Application
from appshield.language.object_reading import read_object
from appshield.language.problems import DocumentError

DOCUMENTS = Path(__file__).parent / "documents"
ROOT = Path(__file__).parents[4]
BY_FILE = {
    "oam": "oam",
    "gke-all": "gke",
    "gke-one": "gke",
    "gke-dump": "gke",
    "argocd": "argocd",
    "argocd-sources": "argocd",
    "app.k8s.io": "app.k8s.io",
    "helm": "helm",
    "helm-configmaps": "helm-configmaps",
}


def adapter(name: str) -> Adapter:
    return chosen([name])[0]


def documents(name: str) -> list[dict[str, Any]]:
    """Return the foreign document of a file, then what stands beside it."""
    read = list(yaml.safe_load_all((DOCUMENTS / f"{name}.yaml").read_text()))
    if name == "helm-configmaps":
        return [release_config_map(read[0])]
    return [release_secret(read[0])] if name == "helm" else read


def release_secret(release: dict[str, Any], **labels: str) -> dict[str, Any]:
    """Pack a release as Helm does: JSON, gzip, base64, and base64 of the Secret around it."""
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    name, version = release["name"], str(release["version"])
    status = release["info"]["status"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{version}",
            "namespace": release["namespace"],
            "labels": {
                "owner": "helm", "name": name, "version": version, "status": status, **labels
            },
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }  # fmt: skip


def release_config_map(release: dict[str, Any]) -> dict[str, Any]:
    """Pack a release as Helm does in a ConfigMap: without the Secret's own base64."""
    secret = release_secret(release)
    content = base64.b64decode(secret["data"]["release"]).decode()
    del secret["type"]
    return secret | {"kind": "ConfigMap", "data": {"release": content}}


def release(**changes: Any) -> dict[str, Any]:
    """Return the release of the example, changed."""
    (read,) = yaml.safe_load_all((DOCUMENTS / "helm.yaml").read_text())
    return {**read, **changes}


def adapt(name: str, **changes: Any) -> Adapted:
    document, *related = documents(name)
    document["spec"] = {**document.get("spec", {}), **changes}
    return adapter(BY_FILE[name]).adapt(document, related)


@pytest.mark.parametrize("name", sorted(BY_FILE))
def test_a_public_example_becomes_the_committed_application(name: str) -> None:
    """Only a change on purpose changes what a foreign document means, and notes tell the rest."""
    document, *related = documents(name)
    its = adapter(BY_FILE[name])
    made = its.adapt(document, related)
    assert isinstance(read_object(made.document), Application)
    place = its.place(document)
    assert place is not None
    metadata = made.document["metadata"]
    assert (metadata["namespace"], metadata["name"]) == (place.namespace, place.name)
    golden = yaml.safe_load((DOCUMENTS / f"{name}.adapted.yaml").read_text())
    assert golden == {"document": made.document, "notes": list(made.notes)}


@pytest.mark.parametrize("its", ADAPTERS, ids=lambda its: its.name)
def test_every_adapter_is_tried_on_an_example(its: Adapter) -> None:
    """A new adapter brings its examples."""
    assert its.name in BY_FILE.values()


@pytest.mark.parametrize("name", ["argocd", "app.k8s.io", "helm"])
def test_a_document_that_asks_for_nothing_is_left_alone(name: str) -> None:
    """Where protection is asked for by annotations, none means no."""
    bare = release(chart={}, manifest="kind: Secret\napiVersion: v1\nmetadata: {name: a}")
    document = release_secret(bare) if name == "helm" else documents(name)[0]
    document["metadata"].pop("annotations", None)
    its = adapter(BY_FILE[name])
    assert its.place(document) is None or not its.asks(document)


def test_an_oam_application_without_our_policy_is_left_alone() -> None:
    """Other policies of KubeVela say nothing to us."""
    document = documents("oam")[0]
    document["spec"]["policies"].pop()
    assert adapter("oam").place(document) is None


def test_protection_can_be_taken_back() -> None:
    """Also from documents that ask for it by what they are."""
    document = documents("gke-all")[0]
    document["metadata"]["annotations"] = {"appshield.io/protect": "false"}
    assert adapter("gke").place(document) is None


def test_an_application_of_argo_cd_for_another_cluster_is_not_ours() -> None:
    """Its resources are not here; who asked for protection is told."""
    document = documents("argocd")[0]
    document["spec"]["destination"]["server"] = "https://10.1.2.3:6443"
    with pytest.raises(DocumentError, match=r"10\.1\.2\.3:6443 is left to the AppShield there"):
        adapter("argocd").place(document)
    del document["metadata"]["annotations"]
    assert adapter("argocd").place(document) is None


@pytest.mark.parametrize(
    "destination",
    [
        {"name": "in-cluster"},
        {"server": "https://kubernetes.default.svc"},
        {"server": "https://kubernetes.default.svc.cluster.local:443/"},
    ],
)
def test_the_cluster_that_argo_cd_runs_in_has_several_names(destination: dict[str, str]) -> None:
    """All of them are this one."""
    document = documents("argocd")[0]
    document["spec"]["destination"] = {"namespace": "guestbook", **destination}
    assert adapter("argocd").place(document) is not None


def test_an_application_of_argo_cd_with_nothing_in_its_namespace_is_refused() -> None:
    """Not to take the whole namespace in place of nothing."""
    document = documents("argocd")[0]
    document["spec"]["destination"]["namespace"] = "elsewhere"
    with pytest.raises(DocumentError, match="has nothing in namespace elsewhere"):
        adapter("argocd").adapt(document, [])


def test_an_application_of_argo_cd_stands_where_its_manifests_put_it() -> None:
    """A destination without a namespace leaves that to them."""
    document = documents("argocd")[0]
    del document["spec"]["destination"]["namespace"]
    resources = document["status"]["resources"]
    place = adapter("argocd").place(document)
    assert place is not None
    assert place.namespace == "argocd", "they are in two namespaces"
    resources.pop()
    place = adapter("argocd").place(document)
    assert place is not None
    assert place.namespace == "guestbook"
    made = adapter("argocd").adapt(document, []).document
    assert made["metadata"]["namespace"] == "guestbook"
    assert len(made["spec"]["resources"]["objects"]) == 2


def packed(tracker: dict[str, Any], compression: str) -> dict[str, Any]:
    """Compress a resource tracker as KubeVela does with one of its options."""
    spec = dict(tracker["spec"])
    content = json.dumps(spec.pop("managedResources")).encode()
    squeeze = gzip.compress if compression == "gzip" else zstandard.ZstdCompressor().compress
    data = base64.b64encode(squeeze(content)).decode()
    return {**tracker, "spec": {**spec, "compression": {"type": compression, "data": data}}}


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_resource_trackers_may_be_compressed(compression: str) -> None:
    """They hold the same objects."""
    document, *trackers = documents("oam")
    its = adapter("oam")
    made = its.adapt(document, [packed(tracker, compression) for tracker in trackers])
    assert made == its.adapt(document, trackers)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_tracker_that_unpacks_without_end_is_refused(compression: str) -> None:
    """A few kilobytes must not become all of the memory."""
    document, tracker, *_ = documents("oam")
    tracker["spec"]["managedResources"] = "a" * UNPACKED_MAX_BYTES
    with pytest.raises(DocumentError, match="is larger than 16 MiB"):
        adapter("oam").adapt(document, [packed(tracker, compression)])


@pytest.mark.parametrize(
    "compression", [{"type": "brotli"}, {"type": "zstd", "data": "YWJj"}, {"type": "gzip"}]
)
def test_a_tracker_that_cannot_be_read_is_named(compression: dict[str, str]) -> None:
    """Without it the membership would be a guess."""
    document, tracker, *_ = documents("oam")
    del tracker["spec"]["managedResources"]
    tracker["spec"]["compression"] = compression
    with pytest.raises(DocumentError, match="ResourceTracker website-prod: compression: cannot be"):
        adapter("oam").adapt(document, [tracker])


def test_kubevela_is_given_a_definition_of_our_policy() -> None:
    """It refuses a type of policy that is not defined, and one that makes no object."""
    text = (ROOT / "deploy/kubevela/policy-definition.yaml").read_text()
    definition = yaml.safe_load(text)
    assert (definition["kind"], definition["metadata"]["name"]) == ("PolicyDefinition", POLICY_TYPE)
    template = definition["spec"]["schematic"]["cue"]["template"]
    assert "parameter: {...}" in template, "it takes any part of our spec"
    assert "output: {" in template
    assert 'labels: "appshield.io/exclude": "true"' in template, "the object is never saved"


def test_before_kubevela_has_deployed_its_label_chooses_the_objects() -> None:
    """There is no resource tracker yet, and everything that it makes has the label."""
    made = adapter("oam").adapt(documents("oam")[0], [])
    wanted = {"selector": {"matchLabels": {"app.oam.dev/name": "website"}}}
    assert made.document["spec"]["resources"] == wanted


def test_the_newest_release_that_was_deployed_counts() -> None:
    """An upgrade under way or one that failed changes nothing yet; ranks order the revisions."""
    its = adapter("helm")
    for status in ("pending-upgrade", "pending-rollback", "failed", "unknown"):
        assert its.place(release_secret(release(), status=status)) is None
    assert its.place(release_secret(release(), status="superseded")) is not None
    assert its.rank(release_secret(release(), version="10")) > its.rank(release_secret(release()))


def test_a_release_that_was_uninstalled_asks_for_nothing_whatever_older_ones_did() -> None:
    """With --keep-history its older revisions stay superseded, as if they still held."""
    its = adapter("helm")
    uninstalled = release_secret(release(), status="uninstalled")
    assert its.place(uninstalled) == its.place(release_secret(release()))
    assert not its.asks(uninstalled)
    assert its.asks(release_secret(release(), status="superseded"))


def test_a_release_without_an_object_in_its_namespace_is_refused() -> None:
    """Not to take the whole namespace in place of nothing."""
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}"
    with pytest.raises(DocumentError, match="no object in namespace shop"):
        adapter("helm").adapt(release_secret(release(manifest=manifest, hooks=None)), [])


def test_a_release_that_unpacks_without_end_is_refused() -> None:
    """A few kilobytes must not become all of the memory."""
    bomb = release_secret(release(manifest="a" * (UNPACKED_MAX_BYTES + 1)))
    with pytest.raises(DocumentError, match="larger than 16 MiB"):
        adapter("helm").asks(bomb)


_TEN_TIMES = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30))
_MERGED = "".join(f"m{i}: &m{i}\n  <<: [{', '.join([f'*m{i - 1}'] * 10)}]\n" for i in range(1, 30))


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("[" * 200_000, "nested deeper than 100 levels"),
        ("- " * 200_000, "nested deeper than 100 levels"),
        ("a: " + "{a: " * 300 + "}" * 300, "nested deeper than 100 levels"),
        ("- a\n" * 600_000, "more than 500000 values"),
        (f"a0: &a0 [x]\n{_TEN_TIMES}", "more than 500000 values"),
        (f"m0: &m0 {{x: 1}}\n{_MERGED}", "more than 500000 values"),
        ("a: *nobody", r"nothing before \*nobody has that name"),
        ("a: [", "did not find expected"),
        ("a: !!python/object:os.system x\n\t- b", "cannot"),
    ],
    ids=["flow", "block", "mappings", "wide", "aliases", "merges", "no-anchor", "cut", "tab"],
)
def test_a_manifest_that_no_chart_renders_is_refused_within_bounds(
    manifest: str, expected: str
) -> None:
    """Whoever may write a Secret may write one: it must not take the watcher's stack or memory."""
    with pytest.raises(DocumentError, match=expected) as error:
        adapter("helm").asks(release_secret(release(manifest=manifest)))
    assert "sh.helm.release.v1.shop.v3" in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"chart": "appshield.io/"}',
        b'{"chart": {"metadata": ["appshield.io/"]}}',
        b'{"chart": {"metadata": {"annotations": {"appshield.io/protect": 1}}}}',
        b'{"manifest": {"appshield.io/": 1}}',
        b'{"hooks": {"appshield.io/": 1}}',
        b'{"version": "appshield.io/"}',
    ],
    ids=lambda content: content[:60].decode(),
)
def test_what_is_no_release_is_told_as_such(content: bytes) -> None:
    """Of whatever shape it is."""
    secret = release_secret(release())
    secret["data"]["release"] = base64.b64encode(base64.b64encode(content)).decode()
    with pytest.raises(DocumentError, match=r"shop\.v3 holds no release of Helm 3"):
        adapter("helm").adapt(secret, [])


def test_objects_of_a_manifest_of_strange_shapes_are_passed_over() -> None:
    """Helm itself would not have installed them."""
    strange = [
        "5", "[a]", "kind: A", "kind: [A]\nmetadata: {name: a}", "kind: A\nmetadata: [a]",
        "kind: AList\nitems: [5, {kind: B}]", "kind: A\nmetadata: {annotations: [a]}",
        "kind: Job\nmetadata: {generateName: a-}",
    ]  # fmt: skip
    manifest = "\n---\n".join([release()["manifest"], *strange])
    made = adapter("helm").adapt(release_secret(release(manifest=manifest)), [])
    assert made.document == adapter("helm").adapt(documents("helm")[0], []).document
    assert "its objects without a name are not captured: A, Job" in made.notes


def test_a_release_of_old_is_not_compressed() -> None:
    """Helm still reads them."""
    secret = documents("helm")[0]
    packed_release = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    plain = base64.b64encode(base64.b64encode(gzip.decompress(packed_release))).decode()
    of_old = {**secret, "data": {"release": plain}}
    assert adapter("helm").asks(of_old)
    assert adapter("helm").adapt(of_old, []) == adapter("helm").adapt(secret, [])


@pytest.mark.parametrize("content", ["", "bm9uc2Vuc2U=", "H4sIAAAA", "?"])
def test_a_secret_that_holds_no_release_is_named(content: str) -> None:
    """Somebody gave it the labels of one."""
    secret = documents("helm")[0]
    secret["data"]["release"] = content
    with pytest.raises(DocumentError, match=r"sh\.helm\.release\.v1\.shop\.v3"):
        adapter("helm").adapt(secret, [])


def test_two_policies_of_ours_in_one_application_are_a_mistake() -> None:
    """Which one holds would be a guess."""
    policies = [{"name": name, "type": "appshield"} for name in ("a", "b")]
    with pytest.raises(DocumentError, match=r"2 are of type appshield \(a, b\)"):
        adapt("oam", policies=policies)


def test_an_unknown_strategy_is_refused() -> None:
    """Backing up by another one than was asked for would be a guess."""
    component = documents("gke-all")[0]["spec"]["components"][0] | {"strategy": {"type": "Other"}}
    with pytest.raises(DocumentError, match="strategy Other is not known"):
        adapt("gke-all", components=[component])


def test_hooks_of_one_list_in_several_containers_are_refused() -> None:
    """They could not run one after the other."""
    component = documents("gke-one")[0]["spec"]["components"][0]
    component["strategy"]["backupOneRestoreAll"]["backupPreHooks"][0]["container"] = "other"
    with pytest.raises(DocumentError, match="backupPreHooks run in mariadb, other"):
        adapt("gke-one", components=[component])


def test_a_target_may_be_one_of_a_workloads_pods() -> None:
    """Backup for GKE takes the name of a pod as well."""
    component = documents("gke-one")[0]["spec"]["components"][0]
    component["strategy"]["backupOneRestoreAll"]["backupTargetName"] = "mariadb-primary-0"
    made = adapt("gke-one", components=[component]).document["spec"]["components"]
    assert {one["name"]: one.get("strategy", one.get("dataOf")) for one in made} == {
        "mariadb-mariadb-primary": "one-replica",
        "mariadb-mariadb-secondary": "mariadb-mariadb-primary",
    }


def test_hooks_cannot_be_declared_by_annotations() -> None:
    """Who may write them need not have the right to run commands in the application's pods."""
    document = documents("argocd")[0]
    hooked = "components: [{name: a, workload: {kind: Deployment, name: a}, load: {command: [x]}}]"
    document["metadata"]["annotations"]["appshield.io/spec"] = hooked
    with pytest.raises(DocumentError, match="the right to run commands in pods"):
        adapter("argocd").adapt(document, [])
    hookless = hooked.replace("load: {command: [x]}", "allowLive: true")
    document["metadata"]["annotations"]["appshield.io/spec"] = hookless
    assert adapter("argocd").adapt(document, []).document["spec"]["components"]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"keep": "last=3"}, "appshield.io/keep: belongs to a rule"),
        ({"rpo": "1h", "keep": "three"}, "appshield.io/keep: 'three' is no part of it"),
        ({"spec": "type: [a"}, r"appshield.io/spec:\d+:\d+: "),
        ({"spec": "- type"}, "appshield.io/spec: is no mapping of fields"),
        ({"spec": "resources: {}"}, "resources: is decided by the foreign document"),
    ],
)
def test_an_annotation_that_means_nothing_is_named(
    annotations: dict[str, str], expected: str
) -> None:
    """With what would be right, as everywhere."""
    document = documents("app.k8s.io")[0]
    document["metadata"]["annotations"] = {
        f"appshield.io/{name}": text for name, text in annotations.items()
    }
    with pytest.raises(DocumentError, match=expected):
        adapter("app.k8s.io").adapt(document, [])


def test_an_adapter_that_does_not_exist_is_named() -> None:
    """With those that do."""
    with pytest.raises(InvalidInputError, match="there is no adapter helmet"):
        chosen(["helm", "helmet"])


@pytest.mark.parametrize("shape", [None, 5, "x", [5], ["x"], {"x": 5}, [{"x": [5]}]], ids=str)
@pytest.mark.parametrize("field", ["metadata", "spec", "status", "policies", "resources"])
def test_a_file_of_any_shape_is_told_as_such_or_is_no_concern(field: str, shape: object) -> None:
    """No schema has seen it: what a person mistypes must not end in a traceback."""
    for its in ADAPTERS:
        document: dict[str, Any] = {
            "apiVersion": f"{its.kind.group}/{its.kind.version}",
            "kind": its.kind.kind,
            "metadata": {"name": "x", "annotations": {"appshield.io/protect": "true"}},
            "spec": {"policies": shape} if field == "policies" else {},
            "status": {"resources": shape} if field == "resources" else {},
        }
        if field in document:
            document[field] = shape
        told = list(find_foreign_problems(document, "shop"))
        assert all("; " in one for one in told), told


def test_what_a_file_asks_for_is_checked_as_the_cluster_checks_it() -> None:
    """An example asks for nothing wrong; the file of another kind is nobody's concern."""
    assert list(find_foreign_problems(documents("oam")[0], "")) == []
    document = documents("oam")[0]
    document["spec"]["policies"][-1]["properties"] = {"typ": "web"}
    (told,) = find_foreign_problems(document, "")
    assert told.startswith("spec.typ: unknown field; ")
    assert not list(find_foreign_problems({"apiVersion": "v1", "kind": "Secret"}, ""))
