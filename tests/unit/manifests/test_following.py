"""What `follow` finds beyond names in pods: what is made for a member, and what the cluster has."""

import random
from typing import Any

import pytest

from appshield.manifests.kinds import ServedKind, plural_of
from appshield.manifests.membership import Membership, cluster_kinds_needed, select
from appshield.manifests.objects import Object, reference_of
from unit.manifests.shop import PART_OF, Shop, application, claim, make, secret

SELECTED = application(resources={"selector": {"matchLabels": PART_OF}})
RBAC = "rbac.authorization.k8s.io/v1"
POD_LABELS = {"app": "web"}
SELECTOR = {"selector": {"matchLabels": POD_LABELS}}


def cluster_wide(api_version: str, kind: str, name: str, **fields: Any) -> Object:
    return make(api_version, kind, name, namespace="", **fields)


def definition(plural: str, group: str, kind: str) -> Object:
    spec = {"group": group, "names": {"kind": kind, "plural": plural}}
    return cluster_wide(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.{group}", spec=spec
    )


def for_accounts(kind: str, name: str, role: str, *subjects: dict[str, str], **more: Any) -> Object:
    reference = {"kind": "ClusterRole", "name": role}
    return make(RBAC, kind, name, subjects=list(subjects), roleRef=reference, **more)


def account(name: str, namespace: str = "shop") -> dict[str, str]:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def chosen(*more: Object, without: tuple[str, ...] = ()) -> Membership:
    """Select by labels among the shop's objects and more."""
    objects = [obj for obj in Shop().objects if obj["metadata"]["name"] not in without]
    return select(SELECTED, [*objects, *more])


def why(found: Membership) -> dict[str, str]:
    return {str(reference_of(member.object)): member.why for member in found.members}


MADE_FOR_PODS = [
    (make("v1", "Service", "front", spec={"selector": POD_LABELS}), "leads to the pods of"),
    (
        make("policy/v1", "PodDisruptionBudget", "a", spec=SELECTOR),
        "limits disruptions of",
    ),
    (
        make(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "a",
            spec={"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
        ),
        "says who may talk with",
    ),
    (
        make(
            "monitoring.coreos.com/v1",
            "PodMonitor",
            "a",
            spec=SELECTOR,
        ),
        "monitors",
    ),
    (
        make(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "a",
            spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
        ),
        "scales",
    ),
]


@pytest.mark.parametrize(
    ("made", "does"), MADE_FOR_PODS, ids=[made["kind"] for made, _ in MADE_FOR_PODS]
)
def test_what_is_made_for_a_member_belongs(made: Object, does: str) -> None:
    """It carries no label of the application and is named by nothing of it."""
    reason = why(chosen(made))[str(reference_of(made))]
    assert reason.startswith(does)
    assert reason.removeprefix(does).strip() in {"Deployment web", "StatefulSet db"}


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {}},
        {},
        {"podSelector": {"matchLabels": {"app": "another"}}},
        {"podSelector": {"matchExpressions": "not a list"}},
    ],
    ids=["every pod", "nothing", "others", "strange"],
)
def test_what_is_for_all_of_a_namespace_or_for_others_does_not_belong(spec: object) -> None:
    """A rule for everybody is no application's own."""
    policy = make("networking.k8s.io/v1", "NetworkPolicy", "rule", spec=spec)
    assert "NetworkPolicy rule" not in why(chosen(policy))


def test_a_monitor_of_a_members_service_belongs_unless_it_looks_elsewhere() -> None:
    """Monitors select Services by their labels, in their own namespace or in others."""
    front = make("v1", "Service", "front", labels={"tier": "web"}, spec={"selector": POD_LABELS})
    group = "monitoring.coreos.com/v1"
    selector = {"matchLabels": {"tier": "web"}}
    here = make(group, "ServiceMonitor", "here", spec={"selector": selector})
    everywhere = {"selector": selector, "namespaceSelector": {"any": True}}
    elsewhere = make(group, "ServiceMonitor", "elsewhere", spec=everywhere)
    found = why(chosen(front, here, elsewhere))
    assert found["ServiceMonitor here"] == "monitors Service front"
    assert "ServiceMonitor elsewhere" not in found


def test_the_rights_of_a_members_account_belong_with_the_roles_that_they_name() -> None:
    """In its namespace, in the whole cluster, for the account alone or for all of a namespace."""
    found = chosen(
        for_accounts("ClusterRoleBinding", "all-nodes", "node-reader", account("db"), namespace=""),
        for_accounts("ClusterRoleBinding", "others", "secret", account("db", "x"), namespace=""),
        for_accounts(
            "RoleBinding", "group", "view", {"kind": "Group", "name": "system:serviceaccounts:shop"}
        ),
        cluster_wide(RBAC, "ClusterRole", "node-reader", rules=[]),
        cluster_wide(RBAC, "ClusterRole", "secret", rules=[]),
        cluster_wide(RBAC, "ClusterRole", "unused", rules=[]),
        cluster_wide(
            RBAC, "ClusterRole", "view", labels={"kubernetes.io/bootstrapping": "rbac-defaults"}
        ),
    )
    reasons = why(found)
    assert reasons["ClusterRoleBinding all-nodes"] == "gives rights to ServiceAccount db"
    assert reasons["RoleBinding group"].startswith("gives rights to ServiceAccount ")
    assert (
        reasons["ClusterRole node-reader"] == "ClusterRoleBinding all-nodes refers to it (roleRef)"
    )
    assert not reasons.keys() & {
        "ClusterRoleBinding others",
        "ClusterRole secret",
        "ClusterRole unused",
        "ClusterRole view",
    }
    left_out = {str(one.reference): one.why for one in found.excluded}
    assert left_out["ClusterRole view"] == "every cluster has it"
    assert "ClusterRole unused" not in left_out  # nothing has asked for it


def test_the_rights_of_the_default_account_belong_though_the_account_does_not() -> None:
    """Pods that name no account use it."""
    found = why(chosen(for_accounts("RoleBinding", "of-default", "view", account("default"))))
    assert found["RoleBinding of-default"] == "gives rights to ServiceAccount default"
    assert "ServiceAccount default" not in found


def test_a_role_that_is_put_together_from_others_brings_them() -> None:
    """The control plane fills it in from roles with a label."""
    rule = {"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]}
    found = chosen(
        for_accounts("ClusterRoleBinding", "b", "whole", account("db"), namespace=""),
        cluster_wide(RBAC, "ClusterRole", "whole", aggregationRule=rule),
        cluster_wide(RBAC, "ClusterRole", "part", labels={"part": "yes"}),
        cluster_wide(RBAC, "ClusterRole", "no-part", labels={"part": "no"}),
    )
    assert why(found)["ClusterRole part"] == "is a part of ClusterRole whole"
    assert "ClusterRole no-part" not in why(found)


def test_a_custom_resource_brings_its_definition_and_what_its_fields_name() -> None:
    """Nobody knows its shape; what a field calls a Secret is one."""
    spec = {
        "auth": {"secretName": "db-auth"},
        "tls": [{"secretRef": {"name": "tls", "key": "a"}}],
        "imagePullSecrets": ["pull"],
        "bootstrap": {"configMapRef": {"name": "absent"}},
    }
    database = make("acme.io/v1", "Database", "main", labels=PART_OF, spec=spec)
    found = chosen(
        database,
        definition("databases", "acme.io", "Database"),
        definition("others", "acme.io", "Other"),
        secret("db-auth"),
        secret("tls"),
    )
    reasons = why(found)
    assert (
        reasons["CustomResourceDefinition databases.acme.io"] == "defines the kind of Database main"
    )
    assert reasons["Secret db-auth"] == "Database main refers to it (field secretName)"
    assert reasons["Secret tls"] == "Database main refers to it (field secretRef)"
    assert "CustomResourceDefinition others.acme.io" not in reasons
    assert [text for text in found.missing if "absent" in text] == []


def test_the_definitions_of_appshield_are_never_taken_in() -> None:
    """What describes an application is no part of it."""
    own = make("appshield.io/v1alpha1", "Application", "other", labels=PART_OF)
    found = why(chosen(own, definition("applications", "appshield.io", "Application")))
    assert [name for name in found if "pplication" in name] == []


def test_classes_that_members_name_belong_and_what_every_cluster_has_does_not() -> None:
    """Priorities, runtimes, ways in, storage and what makes its snapshots."""
    shop = Shop()
    spec = shop.web["spec"]["template"]["spec"]
    spec |= {"priorityClassName": "important", "runtimeClassName": "sandbox"}
    shop.database["spec"]["template"]["spec"]["priorityClassName"] = "system-node-critical"
    shop.ingress["spec"]["ingressClassName"] = "outside"
    scheduling, snapshots = "scheduling.k8s.io/v1", "snapshot.storage.k8s.io/v1"
    found = select(
        SELECTED,
        [
            *shop.objects,
            cluster_wide(scheduling, "PriorityClass", "important"),
            cluster_wide(scheduling, "PriorityClass", "unimportant"),
            cluster_wide(scheduling, "PriorityClass", "system-node-critical"),
            cluster_wide("node.k8s.io/v1", "RuntimeClass", "sandbox"),
            cluster_wide("networking.k8s.io/v1", "IngressClass", "outside"),
            cluster_wide("storage.k8s.io/v1", "StorageClass", "fast", provisioner="btrfs.csi"),
            cluster_wide(snapshots, "VolumeSnapshotClass", "snap", driver="btrfs.csi"),
            cluster_wide(snapshots, "VolumeSnapshotClass", "other", driver="other.csi"),
        ],
    )
    reasons = why(found)
    assert reasons["PriorityClass important"] == "Deployment web refers to it (its class)"
    assert reasons["VolumeSnapshotClass snap"] == "makes snapshots for StorageClass fast"
    assert {"RuntimeClass sandbox", "IngressClass outside", "StorageClass fast"} <= reasons.keys()
    assert not reasons.keys() & {
        "PriorityClass unimportant",
        "PriorityClass system-node-critical",
        "VolumeSnapshotClass other",
    }


def test_a_class_that_is_not_there_is_missing_only_where_pods_need_it() -> None:
    """A claim may name a class that never was; a pod with an unknown priority is refused."""
    shop = Shop()
    shop.web["spec"]["template"]["spec"]["priorityClassName"] = "gone"
    found = select(SELECTED, shop.objects)
    assert (
        "Deployment web refers to PriorityClass gone (its class), which is not there"
        in found.missing
    )
    assert [text for text in found.missing if "StorageClass" in text] == []


def test_gateways_and_routes_lead_to_what_they_serve() -> None:
    """A route is made for its Service, and its gateway is named by nobody."""
    group = "gateway.networking.k8s.io/v1"
    route = make(group, "HTTPRoute", "web", spec={"rules": [{"backendRefs": [{"name": "front"}]}]})
    front = make("v1", "Service", "front", spec={"selector": POD_LABELS})
    assert why(chosen(route, front))["HTTPRoute web"] == "leads to Service front"


def test_without_follow_nothing_of_the_cluster_belongs() -> None:
    """The document decides."""
    alone = application(resources={"selector": {"matchLabels": PART_OF}, "follow": False})
    storage = cluster_wide("storage.k8s.io/v1", "StorageClass", "fast")
    assert "StorageClass fast" not in why(select(alone, [*Shop().objects, storage]))
    assert cluster_kinds_needed(alone, SERVED, Shop().objects) == []


def served(*names: str) -> list[ServedKind]:
    made = [name.rpartition("/") for name in names]
    return [
        ServedKind(group, "v1", kind, plural_of(kind), namespaced=False) for group, _, kind in made
    ]


SERVED = served(
    "apiextensions.k8s.io/CustomResourceDefinition",
    "rbac.authorization.k8s.io/ClusterRole",
    "rbac.authorization.k8s.io/ClusterRoleBinding",
    "storage.k8s.io/StorageClass",
    "scheduling.k8s.io/PriorityClass",
    "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
    "/Node",
)


def test_only_kinds_of_the_cluster_that_an_object_leads_to_are_listed() -> None:
    """A cluster may have thousands of definitions; who uses none of them does not read them."""

    def names(*objects: Object) -> list[str]:
        return [kind.kind for kind in cluster_kinds_needed(SELECTED, SERVED, objects)]

    assert names(secret("a")) == []
    assert names(make("v1", "ServiceAccount", "a")) == ["ClusterRole", "ClusterRoleBinding"]
    assert names(claim("a", volume="pv")) == ["StorageClass"]
    assert names(make("acme.io/v1", "Thing", "a")) == ["CustomResourceDefinition"]
    assert names(make("appshield.io/v1alpha1", "Application", "a")) == []


def test_what_is_found_by_following_does_not_depend_on_the_order_of_the_objects() -> None:
    """Members, reasons and all, whatever the order of a listing and of labels."""
    thing = make("acme.io/v1", "Thing", "a", labels=PART_OF, spec={"secretName": "pull"})
    objects = [
        *Shop().objects,
        *(made for made, _ in MADE_FOR_PODS),
        thing,
        definition("things", "acme.io", "Thing"),
        for_accounts("ClusterRoleBinding", "b", "r", account("db"), namespace=""),
        cluster_wide(RBAC, "ClusterRole", "r"),
        cluster_wide("storage.k8s.io/v1", "StorageClass", "fast", provisioner="btrfs.csi"),
    ]
    first = select(SELECTED, objects)
    for seed in range(10):
        random.Random(seed).shuffle(objects)
        assert select(SELECTED, objects) == first


def test_the_label_and_the_document_keep_objects_of_the_cluster_out_too() -> None:
    """What is excluded is excluded, wherever it lives."""
    bound = for_accounts("ClusterRoleBinding", "b", "r", account("db"), namespace="")
    role = cluster_wide(RBAC, "ClusterRole", "r", labels={"appshield.io/exclude": "true"})
    found = chosen(bound, role)
    assert "ClusterRoleBinding b" in why(found)
    left_out = {str(one.reference): one.why for one in found.excluded}
    assert left_out["ClusterRole r"] == "the label appshield.io/exclude keeps it out"
    without = application(
        resources={"selector": {"matchLabels": PART_OF}, "exclude": ["clusterrolebindings"]}
    )
    assert "ClusterRoleBinding b" not in why(select(without, [*Shop().objects, bound]))


def operated() -> list[Object]:
    """Make what an operator makes for a database: only the custom resource is the team's."""

    def owned_by(owner: Object, made: Object) -> Object:
        name, kind = owner["metadata"]["name"], owner["kind"]
        one = {"apiVersion": owner["apiVersion"], "kind": kind, "name": name, "controller": True}
        made["metadata"]["ownerReferences"] = [one]
        return made

    database = make("acme.io/v1", "Database", "main", labels=PART_OF)
    spec = {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    stateful = owned_by(database, make("apps/v1", "StatefulSet", "main", spec=spec))
    apart = owned_by(database, make("apps/v1", "StatefulSet", "cache", spec=spec))
    apart["metadata"]["labels"] = {"appshield.io/exclude": "true"}
    return [
        database,
        stateful,
        apart,
        owned_by(database, secret("main-password")),
        owned_by(database, make("v1", "Service", "main")),
        owned_by(database, claim("main-backup", volume="pv-1")),
        claim("data-main-0", volume="pv-2"),
        claim("data-cache-0", volume="pv-3"),
    ]


def test_the_state_that_an_operator_keeps_for_a_member_belongs() -> None:
    """Claims and secrets, whatever their labels; what the operator remakes does not."""
    found = select(SELECTED, operated())
    assert why(found) == {
        "PersistentVolumeClaim data-main-0": "StatefulSet main refers to it "
        "(volumeClaimTemplates data)",
        "PersistentVolumeClaim main-backup": "Database main owns it",
        "Secret main-password": "Database main owns it",
        "Database main": "its labels match app.kubernetes.io/part-of=shop",
    }
    without = application(resources={"selector": {"matchLabels": PART_OF}, "follow": False})
    assert len(select(without, operated()).members) == 1


def test_what_an_operator_makes_is_found_whatever_was_met_before() -> None:
    """Its own set may be selected too, and be met as something that is not stored."""
    objects = operated()
    objects[1]["metadata"]["labels"] = PART_OF
    first = select(SELECTED, objects)
    assert "PersistentVolumeClaim data-main-0" in why(first)
    for seed in range(10):
        random.Random(seed).shuffle(objects)
        assert select(SELECTED, objects) == first
