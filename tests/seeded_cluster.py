"""Objects of an application, and workloads that nothing protects, in a fake cluster."""

from typing import Any

from appshield.kubernetes import Object, kinds
from fake_kubernetes import FakeKubernetes

SHOP = {"app.kubernetes.io/part-of": "shop"}


def seed_cluster(fake: FakeKubernetes) -> None:
    """Put the shop, and two namespaces that nobody thought of."""
    fake.serve(kinds.APPLICATION, kinds.POLICY, kinds.PROFILE, kinds.VAULT)
    for namespace in ("shop", "metrics", "legacy"):
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for obj in (*_shop(), *_unprotected()):
        fake.put(obj)


def _shop() -> list[Object]:
    database, web = _workload("StatefulSet", "shop", "db"), _workload("Deployment", "shop", "web")
    database["spec"]["volumeClaimTemplates"] = [
        {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "20Gi"}}}}
    ]
    database["spec"]["template"]["spec"]["containers"][0]["image"] = "postgres:16"
    database["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"secretRef": {"name": "db-password"}}
    ]
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "settings"}},
        {"secretRef": {"name": "db-password"}},
    ]
    return [
        _object(
            "appshield.io/v1alpha1",
            "Application",
            "shop",
            "shop",
            spec={
                "type": "database/postgresql",
                "criticality": "gold",
                "resources": {"selector": {"matchLabels": SHOP}},
                "components": [
                    {
                        "name": "db",
                        "workload": {"kind": "StatefulSet", "name": "db"},
                        "profile": "database/postgresql",
                    },
                    {"name": "web", "workload": {"kind": "Deployment", "name": "web"}},
                ],
            },
        ),
        database,
        web,
        _pod("shop", "db-0", owner=database),
        _pod("shop", "web-6f9c7", owner=web),
        _object("v1", "PersistentVolumeClaim", "shop", "data-db-0", **_claim("20Gi")),
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "pv-1", "uid": "pv-1"},
            "spec": {
                "capacity": {"storage": "20Gi"},
                "storageClassName": "fast",
                "csi": {"driver": "csi.example", "volumeHandle": "v-1"},
                "claimRef": {"namespace": "shop", "name": "data-db-0"},
            },
        },
        _object("v1", "Service", "shop", "db", spec={"selector": {"app": "db"}}),
        _object("v1", "Service", "shop", "web", spec={"selector": {"app": "web"}}),
        _object("v1", "ConfigMap", "shop", "settings", data={"currency": "EUR"}),
        _object("v1", "Secret", "shop", "db-password", data={}),
    ]


def _unprotected() -> list[Object]:
    metrics = _workload("StatefulSet", "metrics", "prometheus")
    metrics["spec"]["volumeClaimTemplates"] = [
        {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "8Gi"}}}}
    ]
    legacy = _workload("StatefulSet", "legacy", "mariadb")
    legacy["spec"]["template"]["spec"]["containers"][0]["image"] = "mariadb:11"
    legacy["spec"]["volumeClaimTemplates"] = [
        {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "8Gi"}}}}
    ]
    return [metrics, legacy, _workload("Deployment", "legacy", "phpmyadmin")]


def _object(api_version: str, kind: str, namespace: str, name: str, **content: Any) -> Object:
    labels = SHOP if namespace == "shop" else {"app": name}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "uid": f"{kind}-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _workload(kind: str, namespace: str, name: str) -> Object:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "image": f"{name}:1"}]},
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "serviceName": name,
        "template": template,
    }
    status = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
    return _object("apps/v1", kind, namespace, name, spec=spec, status=status)


def _pod(namespace: str, name: str, *, owner: Object) -> Object:
    pod = _object(
        "v1",
        "Pod",
        namespace,
        name,
        spec={**owner["spec"]["template"]["spec"], "nodeName": "node-1"},
        status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    )
    pod["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
    ]
    if owner["kind"] == "StatefulSet":
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}
        pod["spec"]["volumes"] = [claim]
    return pod


def _claim(size: str) -> dict[str, Any]:
    return {
        "spec": {
            "storageClassName": "fast",
            "resources": {"requests": {"storage": size}},
            "volumeName": "pv-1",
        },
        "status": {"phase": "Bound", "capacity": {"storage": size}},
    }
