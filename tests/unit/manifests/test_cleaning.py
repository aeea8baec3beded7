"""An object without what only a server may say, and what differs between two."""

import copy
import json
from typing import Any

import pytest

from appshield.manifests.cleaning import LAST_APPLIED, clean, differences, same
from appshield.manifests.objects import Object
from unit.manifests.shop import Shop, claim, config_map, make, owner_reference, pod, secret


def test_metadata_keeps_what_people_wrote() -> None:
    """Name, place, labels and annotations stay; identity and bookkeeping go."""
    given = config_map("a", labels={"app": "a"})
    given["metadata"]["annotations"] = {LAST_APPLIED: "{}", "team": "web"}
    given["metadata"]["finalizers"] = ["acme.io/guard", "foregroundDeletion"]
    assert clean(given) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "shop",
            "labels": {"app": "a"},
            "annotations": {LAST_APPLIED: "{}", "team": "web"},
            "finalizers": ["acme.io/guard"],
        },
        "data": {"key": "value"},
    }


def test_cleaning_changes_a_copy_and_twice_is_once() -> None:
    """The object that was given stays as it is."""
    for given in Shop().objects:
        before = copy.deepcopy(given)
        cleaned = clean(given)
        assert given == before
        assert clean(cleaned) == cleaned
        assert not {"uid", "resourceVersion", "managedFields"} & cleaned["metadata"].keys()


def test_status_goes_unless_it_is_state() -> None:
    """A caller names the kinds whose status nobody could make again."""
    thing = make("acme.io/v1", "Thing", "a", status={"serial": 7})
    assert "status" not in clean(thing)
    assert clean(thing, status_of=["*.acme.io"])["status"] == {"serial": 7}


def test_owners_lose_their_uid_and_stay_linked_by_name() -> None:
    """The new owner has another uid."""
    owner = make("acme.io/v1", "Database", "main")
    cleaned = clean(secret("main-app", owner=owner))
    (reference,) = cleaned["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["name"], "uid" in reference) == ("Database", "main", False)


def test_a_claim_forgets_the_volume_that_it_had() -> None:
    """Its data come from the version, not from a volume or a snapshot of another cluster."""
    given = claim("a", volume="pv-0")
    given["spec"]["dataSource"] = {"kind": "VolumeSnapshot", "name": "s"}
    given["spec"]["dataSourceRef"] = {"kind": "VolumeSnapshot", "name": "s"}
    given["metadata"]["annotations"] = {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
        "volume.kubernetes.io/storage-provisioner": "btrfs.csi",
        "volume.kubernetes.io/selected-node": "node-1",
    }
    given["metadata"]["finalizers"] = ["kubernetes.io/pvc-protection"]
    cleaned = clean(given)
    assert cleaned["spec"] == {"storageClassName": "fast"}
    assert cleaned["metadata"] == {"name": "a", "namespace": "shop"}


def _service(**spec: object) -> Object:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}]
    given = {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": ports, **spec}
    return make("v1", "Service", "web", spec=given)


def test_a_service_forgets_addresses_that_the_server_gave_it() -> None:
    """They may be taken when it comes back."""
    cleaned = clean(_service(healthCheckNodePort=31000))
    assert cleaned["spec"] == {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}


def test_a_headless_service_stays_headless() -> None:
    """None is no address, it is the person's choice."""
    assert clean(_service(clusterIP="None", clusterIPs=["None"]))["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("how", ["server-side apply", "kubectl apply"])
def test_addresses_that_a_person_chose_stay(how: str) -> None:
    """Requests are on record in managedFields, or in the annotation of kubectl."""
    given = _service()
    if how == "server-side apply":
        port: dict[str, Any] = {'k:{"port":80,"protocol":"TCP"}': {"f:port": {}, "f:nodePort": {}}}
        fields = {"f:spec": {"f:clusterIP": {}, "f:ports": port}}
        given["metadata"]["managedFields"] = [{"manager": "helm", "fieldsV1": fields}]
    else:
        spec = {"clusterIP": "10.0.0.7", "ports": [{"port": 80, "nodePort": 30080}]}
        given["metadata"]["annotations"] = {LAST_APPLIED: json.dumps({"spec": spec})}
    cleaned = clean(given)
    assert cleaned["spec"]["clusterIP"] == "10.0.0.7"
    assert cleaned["spec"]["ports"][0]["nodePort"] == 30080


def test_a_broken_annotation_of_kubectl_is_no_choice() -> None:
    """Anybody can write anything there."""
    for text in ("{", "[]", '{"spec": 1}', '{"spec": {"ports": "x"}}'):
        given = _service()
        given["metadata"]["annotations"] = {LAST_APPLIED: text}
        assert "clusterIP" not in clean(given)["spec"]


def test_workloads_forget_their_revisions_and_empty_times() -> None:
    """`creationTimestamp: null` in a template means nothing."""
    shop = Shop()
    web, database = clean(shop.web), clean(shop.database)
    assert "annotations" not in web["metadata"]
    assert database["spec"]["template"]["metadata"] == {"labels": {"app": "db"}}
    assert database["spec"]["volumeClaimTemplates"] == [{"metadata": {"name": "data"}}]


def test_a_job_forgets_the_selector_that_its_controller_made() -> None:
    """The labels name the uid of a job that is no more."""
    labels = {"controller-uid": "u", "batch.kubernetes.io/job-name": "a", "app": "a"}
    template = {"metadata": {"labels": dict(labels)}, "spec": {}}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"controller-uid": "u"}}}
    given = make("batch/v1", "Job", "a", labels=labels, spec={**spec, "template": template})
    cleaned = clean(given)
    assert cleaned["metadata"]["labels"] == {"app": "a"}
    assert cleaned["spec"] == {"template": {"metadata": {"labels": {"app": "a"}}, "spec": {}}}
    given["spec"]["manualSelector"] = True
    assert "selector" in clean(given)["spec"]


def test_a_pod_of_its_own_forgets_its_node_and_its_token() -> None:
    """The scheduler and the admission plugins write them again."""
    token: dict[str, Any] = {"name": "kube-api-access-x1", "projected": {}}
    mounted = {"name": "kube-api-access-x1", "mountPath": "/var/run/secrets"}
    data = {"name": "data", "emptyDir": {}}
    default = {"key": "node.kubernetes.io/not-ready", "tolerationSeconds": 300}
    spec = {
        "containers": [
            {
                "name": "a",
                "image": "a:1",
                "volumeMounts": [{"name": "data"}, mounted],
            },
            {"name": "b", "image": "b:1", "volumeMounts": [mounted]},
        ],
        "volumes": [data, token],
        "tolerations": [default, {"key": "mine"}],
        "priority": 0,
    }
    assert clean(pod("a", None, spec))["spec"] == {
        "containers": [
            {"name": "a", "image": "a:1", "volumeMounts": [{"name": "data"}]},
            {"name": "b", "image": "b:1"},
        ],
        "volumes": [data],
        "tolerations": [{"key": "mine"}],
    }


def test_a_service_account_forgets_its_tokens_and_a_namespace_its_finalizers() -> None:
    """Both are made again by the cluster."""
    account = make("v1", "ServiceAccount", "a", secrets=[{"name": "a-token-x"}])
    assert "secrets" not in clean(account)
    labels = {"kubernetes.io/metadata.name": "shop", "team": "a"}
    namespace = make(
        "v1", "Namespace", "shop", namespace="", labels=labels, spec={"finalizers": []}
    )
    assert clean(namespace)["metadata"]["labels"] == {"team": "a"}
    assert "spec" not in clean(namespace)


def test_a_restored_object_is_the_same_as_the_saved_one() -> None:
    """Another uid, version, address and status make no difference."""
    first, second = _service(), _service(clusterIP="10.0.0.9", clusterIPs=["10.0.0.9"])
    second["metadata"] |= {"uid": "other", "resourceVersion": "5", "generation": 9}
    second["status"] = {"loadBalancer": {}}
    assert same(clean(first), clean(second))


def test_differences_are_pointers_with_a_word_on_each() -> None:
    """Numbers and images are shown, lists are compared by position."""
    first = {"a/b": 1, "list": [1, 2], "gone": {}, "image": "x:1", "same": [{"a": None}]}
    second = {"a/b": 2, "list": [1], "new": {}, "image": "x:2", "same": [{"a": None}]}
    assert differences(first, second) == [
        "/a~1b: 1 and 2",
        "/gone: is only in the first",
        "/image: x:1 and x:2",
        "/list: has 2 entries and 1",
        "/new: is only in the second",
    ]


def test_differences_never_repeat_a_text() -> None:
    """The report ends in logs, and a text may be a secret."""
    first, second = secret("a"), secret("a")
    second["data"]["password"] = "c3dvcmRmaXNo"
    found = differences(first, second)
    assert found == ["/data/password: two different values"]
    assert differences({"a": 1}, {"a": True}) == ["/a: 1 and True"]


def test_an_owner_is_compared_without_its_uid() -> None:
    """Cleaned objects of two clusters agree about who owns what."""
    owner = make("acme.io/v1", "Database", "main")
    first, second = secret("a"), secret("a")
    first["metadata"]["ownerReferences"] = [owner_reference(owner)]
    second["metadata"]["ownerReferences"] = [owner_reference(owner) | {"uid": "other"}]
    assert same(clean(first), clean(second))
