"""Which objects belong to an application, and why."""

import random

import pytest

from appshield.language.kinds import API_VERSION
from appshield.manifests.kinds import ServedKind, matches_kind, plural_of
from appshield.manifests.membership import Membership, kinds_needed, named_and_absent, select
from appshield.manifests.objects import Object, reference_of
from unit.manifests.shop import (
    PART_OF,
    Shop,
    application,
    claim,
    component,
    config_map,
    make,
    owner_reference,
    pod,
    secret,
)

BY_LABEL = {"selector": {"matchLabels": PART_OF}}
WHOLE_NAMESPACE = [
    "PersistentVolumeClaim data-db-0",
    "PersistentVolumeClaim data-db-1",
    "PersistentVolumeClaim uploads",
    "ConfigMap web",
    "Deployment web",
    "Ingress web",
    "Role db-reader",
    "RoleBinding db-reader",
    "Secret db-password",
    "Secret ingress-tls",
    "Secret pull",
    "Secret unused",
    "Secret web-tls",
    "Service db",
    "ServiceAccount db",
    "StatefulSet db",
]


def _names(membership: Membership) -> list[str]:
    return sorted(str(reference_of(member.object)) for member in membership.members)


def _why(membership: Membership) -> dict[str, str]:
    return {str(reference_of(member.object)): member.why for member in membership.members}


def _excluded(membership: Membership) -> dict[str, str]:
    return {str(one.reference): one.why for one in membership.excluded}


def test_without_a_selector_all_that_people_made_in_the_namespace_belongs() -> None:
    """What the cluster makes by itself is made again by it."""
    found = select(application(), Shop().objects)
    assert _names(found) == sorted(WHOLE_NAMESPACE)
    assert _why(found)["Secret unused"] == "is in namespace shop"


def test_every_object_that_is_not_stored_has_a_reason() -> None:
    """Nothing is dropped without a word."""
    shop = Shop()
    found = select(application(), shop.objects)
    excluded = _excluded(found)
    assert len(found.members) + len(excluded) == len(shop.objects)
    assert excluded["ReplicaSet web-abc12"] == "Deployment web makes it"
    assert excluded["Pod db-0"] == "StatefulSet db makes it"
    assert excluded["ControllerRevision db-1"] == "its workload makes it"
    assert excluded["EndpointSlice db-x"] == "Service db makes it"
    assert excluded["Endpoints db"] == "its Service makes it"
    assert excluded["Secret db-token"] == "the cluster makes tokens of service accounts"
    assert excluded["ConfigMap kube-root-ca.crt"] == "the cluster makes it in every namespace"
    assert excluded["ServiceAccount default"] == "the cluster makes it in every namespace"
    assert excluded["Application shop"] == "is AppShield's own"
    assert excluded["ConfigMap exposer"] == "is AppShield's own"
    assert excluded["ConfigMap kept-out"] == "the label appshield.io/exclude keeps it out"
    assert all(excluded.values())


def test_follow_takes_in_what_members_refer_to() -> None:
    """Two workloads and an Ingress lead to all that they need, and to nothing else."""
    found = select(application(resources=BY_LABEL), Shop().objects)
    assert _names(found) == sorted(set(WHOLE_NAMESPACE) - {"Secret unused"})
    why = _why(found)
    assert why["Deployment web"] == "its labels match app.kubernetes.io/part-of=shop"
    assert why["Secret pull"] == "Deployment web refers to it (imagePullSecrets)"
    assert why["ConfigMap web"] == "Deployment web refers to it (environment of container web)"
    assert why["Secret web-tls"] == "Deployment web refers to it (volume tls)"
    assert why["Secret ingress-tls"] == "Ingress web refers to it (tls)"
    assert why["PersistentVolumeClaim data-db-1"] == (
        "StatefulSet db refers to it (volumeClaimTemplates data)"
    )
    assert why["RoleBinding db-reader"] == "gives rights to ServiceAccount db"
    assert why["Role db-reader"] == "RoleBinding db-reader refers to it (roleRef)"
    assert why["Service db"] == "StatefulSet db refers to it (serviceName)"


@pytest.mark.parametrize(
    "source",
    [
        {"csi": {"driver": "a.io", "nodePublishSecretRef": {"name": "unused"}}},
        {"cephfs": {"monitors": ["a"], "secretRef": {"name": "unused"}}},
        {"azureFile": {"shareName": "a", "secretName": "unused"}},
        {"projected": {"sources": [{"secret": {"name": "unused"}}]}},
    ],
    ids=lambda source: next(iter(source)),
)
def test_what_a_volumes_storage_asks_for_belongs(source: dict[str, object]) -> None:
    """A pod whose storage lacks its Secret never starts."""
    spec = {"template": {"spec": {"volumes": [{"name": "data", **source}]}}}
    mounting = make("apps/v1", "Deployment", "mounts", labels=PART_OF, spec=spec)
    found = select(application(resources=BY_LABEL), [*Shop().objects, mounting])
    assert _why(found)["Secret unused"] == "Deployment mounts refers to it (volume data)"


def test_a_reference_that_leads_nowhere_is_reported_unless_it_is_optional() -> None:
    """The Ingress names a Service `web` that nobody made; the Secret `extra` may be absent."""
    found = select(application(resources=BY_LABEL), Shop().objects)
    assert found.missing == ("Ingress web refers to Service web (backend), which is not there",)


def test_without_follow_only_what_is_selected_belongs() -> None:
    """The document decides."""
    found = select(application(resources={**BY_LABEL, "follow": False}), Shop().objects)
    assert _names(found) == ["Deployment web", "Ingress web", "StatefulSet db"]
    assert found.missing == ()


def test_a_selected_pod_leads_to_the_deployment_that_makes_it() -> None:
    """Labels often stand on the pods alone."""
    shop = Shop()
    shop.pods[2]["metadata"]["labels"] = {"only": "here"}
    resources = {"selector": {"matchLabels": {"only": "here"}}}
    found = select(application(resources=resources), shop.objects)
    assert _why(found)["Deployment web"] == "owns ReplicaSet web-abc12"
    assert "Secret pull" in _names(found)


def test_the_workload_of_a_component_belongs_whatever_its_labels() -> None:
    """Who describes a component wants it saved."""
    resources = {"selector": {"matchLabels": {"no": "match"}}}
    found = select(application(resources=resources, components=[component("db")]), Shop().objects)
    assert _why(found)["StatefulSet db"] == "workload of component db"


def test_included_kinds_are_the_only_ones_selected_and_follow_goes_beyond() -> None:
    """`include` chooses where to begin, not where to end."""
    found = select(application(resources={"include": ["deployments.apps"]}), Shop().objects)
    assert "StatefulSet db" not in _names(found)
    assert "PersistentVolumeClaim uploads" in _names(found)


def test_excluded_kinds_never_belong_also_where_something_refers_to_them() -> None:
    """`exclude` is the last word."""
    found = select(application(resources={"exclude": ["secrets", "*.*.k8s.io"]}), Shop().objects)
    assert not [name for name in _names(found) if name.startswith(("Secret", "Ingress", "Role"))]
    assert _excluded(found)["Secret pull"] == "the document excludes secrets"


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ({"key": "tier", "operator": "In", "values": ["web", "api"]}, True),
        ({"key": "tier", "operator": "In", "values": ["db"]}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["db"]}, True),
        ({"key": "absent", "operator": "NotIn", "values": ["db"]}, True),
        ({"key": "tier", "operator": "Exists"}, True),
        ({"key": "absent", "operator": "Exists"}, False),
        ({"key": "absent", "operator": "DoesNotExist"}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, False),
    ],
    ids=str,
)
def test_expressions_mean_what_kubernetes_means(
    expression: dict[str, object], *, matches: bool
) -> None:
    """An absent label is not in any list."""
    resources = {"selector": {"matchExpressions": [expression]}}
    found = select(application(resources=resources), [config_map("a", labels={"tier": "web"})])
    assert bool(found.members) is matches


def test_objects_of_other_namespaces_and_of_the_cluster_do_not_belong() -> None:
    """An application is one namespace; what it leads to beyond is in test_following."""
    others = [config_map("a", namespace="other"), make("v1", "Node", "n", namespace="")]
    found = select(application(), others)
    assert _names(found) == []
    assert _excluded(found) == {"ConfigMap a": "is in another namespace"}


def test_an_object_that_is_being_deleted_does_not_belong() -> None:
    """It would come back without anyone wanting it."""
    leaving = config_map("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert _excluded(select(application(), [leaving])) == {"ConfigMap a": "is being deleted"}


def test_state_that_a_controller_made_belongs_and_so_does_its_maker() -> None:
    """An operator that finds no Secret invents a password that fits no data."""
    cluster = make("acme.io/v1", "Database", "main")
    made = [secret("main-app", owner=cluster), claim("main-1", owner=cluster)]
    other = make("v1", "Service", "main-rw", owner=cluster, spec={})
    found = select(application(), [cluster, *made, other])
    assert _names(found) == ["Database main", "PersistentVolumeClaim main-1", "Secret main-app"]


def test_the_claim_of_an_ephemeral_volume_goes_with_its_pod() -> None:
    """It is scratch space with another name."""
    alone = pod("job", None, {"containers": []})
    found = select(application(), [alone, claim("job-scratch", owner=alone)])
    assert _names(found) == ["Pod job"]


def test_an_owner_that_is_no_controller_is_followed_too() -> None:
    """Garbage collection groups objects of one release."""
    release = config_map("release")
    child = config_map("child", labels=PART_OF)
    child["metadata"]["ownerReferences"] = [owner_reference(release, controller=False)]
    found = select(application(resources=BY_LABEL), [child, release])
    assert _why(found)["ConfigMap release"] == "owns ConfigMap child"


def test_endpoints_beside_a_service_without_selector_are_a_persons() -> None:
    """They say where something outside of the cluster is."""
    outside = [make("v1", "Service", "erp", spec={}), make("v1", "Endpoints", "erp")]
    assert _names(select(application(), outside)) == ["Endpoints erp", "Service erp"]


def test_the_order_of_the_objects_changes_nothing() -> None:
    """Two listings of one namespace make the same manifests."""
    objects = Shop().objects
    first = select(application(resources=BY_LABEL), objects)
    for seed in range(10):
        random.Random(seed).shuffle(objects)
        assert select(application(resources=BY_LABEL), objects) == first


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": None, "spec": None},
        {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"labels": 1}, "spec": []},
        {"kind": 1, "apiVersion": None, "metadata": {"ownerReferences": [1, {"kind": 1}]}},
    ],
    ids=["empty", "nulls", "wrong types", "wrong owners"],
)
def test_an_object_of_a_strange_shape_is_no_reason_to_fail(broken: Object) -> None:
    """Custom resources are of any shape."""
    assert select(application(), [broken, config_map("a")]).members


def _served(text: str) -> list[ServedKind]:
    made = []
    for line in text.split():
        group, kind, *scope = line.split("/")
        made.append(ServedKind(group, "v1", kind, plural_of(kind), namespaced=not scope))
    return made


def test_kinds_needed_are_those_that_could_belong_or_lie_between() -> None:
    """Measurements, events and cluster-wide kinds are not even listed."""
    served = _served(
        "/Pod /Event /Secret /ConfigMap /Node/cluster apps/Deployment apps/ReplicaSet acme.io/Thing"
        " metrics.k8s.io/PodMetrics coordination.k8s.io/Lease appshield.io/Application"
    )
    everything = kinds_needed(application(), served)
    assert [kind.kind for kind in everything] == [
        "Pod",
        "Secret",
        "ConfigMap",
        "Deployment",
        "ReplicaSet",
        "Thing",
    ]
    narrow = kinds_needed(
        application(resources={"include": ["*.acme.io"], "follow": False}), served
    )
    assert [kind.kind for kind in narrow] == ["Thing"]
    followed = kinds_needed(application(resources={"include": ["*.acme.io"]}), served)
    assert [kind.kind for kind in followed] == [
        "Secret",
        "ConfigMap",
        "Deployment",
        "ReplicaSet",
        "Thing",
    ]


@pytest.mark.parametrize(
    ("pattern", "group", "kind", "matches"),
    [
        ("deployments.apps", "apps", "Deployment", True),
        ("deployments", "apps", "Deployment", True),
        ("deployment.apps", "apps", "Deployment", True),
        ("deployments.acme.io", "apps", "Deployment", False),
        ("*.acme.io", "acme.io", "Thing", True),
        ("*.acme.io", "sub.acme.io", "Thing", False),
        ("*.*.acme.io", "sub.acme.io", "Thing", True),
        ("*", "", "Secret", True),
        ("ingresses", "networking.k8s.io", "Ingress", True),
        ("networkpolicies", "networking.k8s.io", "NetworkPolicy", True),
        ("endpoints", "", "Endpoints", True),
        ("gateways", "gateway.networking.k8s.io", "Gateway", True),
    ],
)
def test_patterns_name_kinds(pattern: str, group: str, kind: str, *, matches: bool) -> None:
    """Plurals and groups, with stars."""
    assert bool(matches_kind([pattern], group, kind)) is matches


def test_the_objects_of_appshield_are_its_own_in_every_version() -> None:
    """The group counts, not the version."""
    assert API_VERSION.startswith("appshield.io/")
    own = make("appshield.io/v9", "Anything", "x")
    assert not select(application(), [own]).members


def test_named_objects_belong_whatever_their_labels() -> None:
    """A document that names objects and selects nothing takes these and no others."""
    named = [{"kind": "Secret", "name": "unused"}]
    app = application(resources={"objects": named, "follow": False})
    assert _why(select(app, Shop().objects)) == {"Secret unused": "the document names it"}


def test_a_named_object_that_is_not_there_is_told() -> None:
    """A document of an adapter may be older than what was deleted since."""
    named = [{"kind": "Secret", "name": name} for name in ("unused", "gone")]
    app = application(resources={"objects": named})
    told = list(named_and_absent(app, Shop().objects))
    assert told == ["the document names Secret gone, which is not in namespace shop"]


def test_named_objects_come_on_top_of_what_a_selector_chooses() -> None:
    """Both ways of choosing add up, and the kinds of named objects are looked at."""
    named = [{"group": "networking.k8s.io", "kind": "Ingress", "name": "web"}]
    resources = {"selector": {"matchLabels": {"tier": "none"}}, "objects": named, "follow": False}
    app = application(resources={**resources, "include": ["secrets"]})
    ingress = ServedKind("networking.k8s.io", "v1", "Ingress", "ingresses", namespaced=True)
    assert kinds_needed(app, [ingress]) == [ingress]
    assert _names(select(app, Shop().objects)) == ["Ingress web"]
