"""The shop's objects, as an API server gives them, for the tests of the manifests."""

from typing import Any

from appshield.language.kinds import API_VERSION, Application
from appshield.language.object_reading import read_object
from appshield.language.resolved import ResolvedApplication
from appshield.language.resolving import resolve
from appshield.manifests.objects import Object

NAMESPACE = "shop"
DIGEST_DB = "sha256:" + "1" * 64
DIGEST_WEB = "sha256:" + "2" * 64
PART_OF = {"app.kubernetes.io/part-of": "shop"}


def application(**spec: object) -> ResolvedApplication:
    """Return the resolved application with this spec."""
    read = read_object(
        {
            "apiVersion": API_VERSION,
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": NAMESPACE},
            "spec": spec,
        }
    )
    assert isinstance(read, Application)
    return resolve(read)


def component(name: str, kind: str = "StatefulSet", /, **fields: object) -> dict[str, Any]:
    """Return a component whose workload has its name."""
    return {"name": name, "workload": {"kind": kind, "name": name}, **fields}


def make(
    api_version: str,
    kind: str,
    name: str,
    *,
    labels: dict[str, str] | None = None,
    owner: Object | None = None,
    namespace: str = NAMESPACE,
    **fields: object,
) -> Object:
    """Return an object with everything that an API server adds."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-of-{kind}-{name}",
        "resourceVersion": "1000",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {}}],
    }
    if not namespace:
        del metadata["namespace"]
    if labels:
        metadata["labels"] = dict(labels)
    if owner is not None:
        metadata["ownerReferences"] = [owner_reference(owner)]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def owner_reference(owner: Object, *, controller: bool = True) -> dict[str, Any]:
    """Return a reference to an owner."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def config_map(name: str, **fields: Any) -> Object:
    """Return a ConfigMap."""
    return make("v1", "ConfigMap", name, data={"key": "value"}, **fields)


def secret(name: str, **fields: Any) -> Object:
    """Return a Secret."""
    return make("v1", "Secret", name, type="Opaque", data={"password": "aHVudGVyMg=="}, **fields)


def claim(name: str, *, volume: str = "", **fields: Any) -> Object:
    """Return a claim, bound if a volume is named."""
    spec = {"storageClassName": "fast", "volumeName": volume} if volume else {}
    phase = "Bound" if volume else "Pending"
    return make("v1", "PersistentVolumeClaim", name, spec=spec, status={"phase": phase}, **fields)


def volume(name: str, driver: str = "btrfs.csi", **source: object) -> Object:
    """Return a PersistentVolume of a driver, or of another source."""
    spec: dict[str, Any] = {"storageClassName": "fast", "capacity": {"storage": "1Gi"}}
    spec |= source or {"csi": {"driver": driver, "volumeHandle": f"handle-{name}"}}
    return make("v1", "PersistentVolume", name, namespace="", spec=spec)


def snapshot_class(name: str, driver: str = "btrfs.csi", *, default: bool = False) -> Object:
    """Return a VolumeSnapshotClass."""
    made = make("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", name, namespace="")
    if default:
        key = "snapshot.storage.kubernetes.io/is-default-class"
        made["metadata"]["annotations"] = {key: "true"}
    return made | {"driver": driver}


def pod(
    name: str,
    owner: Object | None,
    spec: dict[str, Any],
    *,
    image_id: str = "",
    phase: str = "Running",
    **fields: Any,
) -> Object:
    """Return a pod that runs on a node, with the image that the node says it runs."""
    statuses = [{"name": one["name"], "imageID": image_id} for one in spec.get("containers", [])]
    return make(
        "v1",
        "Pod",
        name,
        owner=owner,
        spec={**spec, "nodeName": "node-1"},
        status={"phase": phase, "containerStatuses": statuses},
        **fields,
    )


def container(name: str, image: str, **fields: object) -> dict[str, Any]:
    """Return a container."""
    return {"name": name, "image": image, **fields}


class Shop:
    """A database in a StatefulSet and a web Deployment, with all that hangs on them."""

    def __init__(self) -> None:
        self.database = make(
            "apps/v1",
            "StatefulSet",
            "db",
            labels=PART_OF,
            spec={
                "serviceName": "db",
                "replicas": 2,
                "template": {
                    "metadata": {"labels": {"app": "db"}, "creationTimestamp": None},
                    "spec": {
                        "serviceAccountName": "db",
                        "containers": [
                            container(
                                "postgres",
                                "registry.local:5000/postgres:15",
                                envFrom=[{"secretRef": {"name": "db-password"}}],
                            )
                        ],
                        "volumes": [{"name": "run", "emptyDir": {}}],
                    },
                },
                "volumeClaimTemplates": [
                    {"metadata": {"name": "data", "creationTimestamp": None}, "status": {}}
                ],
            },
            status={"replicas": 2},
        )
        web_spec = {
            "containers": [
                container(
                    "web",
                    "registry.local:5000/web:1",
                    env=[
                        {
                            "name": "MODE",
                            "valueFrom": {"configMapKeyRef": {"name": "web", "key": "mode"}},
                        },
                        {
                            "name": "EXTRA",
                            "valueFrom": {
                                "secretKeyRef": {"name": "extra", "key": "a", "optional": True}
                            },
                        },
                    ],
                )
            ],
            "imagePullSecrets": [{"name": "pull"}],
            "volumes": [
                {"name": "uploads", "persistentVolumeClaim": {"claimName": "uploads"}},
                {"name": "tls", "projected": {"sources": [{"secret": {"name": "web-tls"}}]}},
            ],
        }
        self.web = make(
            "apps/v1",
            "Deployment",
            "web",
            labels=PART_OF,
            spec={"template": {"metadata": {"labels": {"app": "web"}}, "spec": web_spec}},
            status={"readyReplicas": 1},
        )
        self.web["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3"}
        self.replica_set = make("apps/v1", "ReplicaSet", "web-abc12", owner=self.web, spec={})
        self.pods = [
            *(
                pod(
                    f"db-{ordinal}",
                    self.database,
                    {
                        **self.database["spec"]["template"]["spec"],
                        "volumes": [
                            {"name": "run", "emptyDir": {}},
                            {
                                "name": "data",
                                "persistentVolumeClaim": {"claimName": f"data-db-{ordinal}"},
                            },
                        ],
                    },
                    image_id=f"registry.local:5000/postgres@{DIGEST_DB}",
                )
                for ordinal in range(2)
            ),
            pod(
                "web-abc12-x1",
                self.replica_set,
                web_spec,
                image_id=f"docker-pullable://other/name@{DIGEST_WEB}",
                labels={"pod-template-hash": "abc12"},
            ),
        ]
        self.claims = [
            claim("data-db-0", volume="pv-0"),
            claim("data-db-1", volume="pv-1"),
            claim("uploads", volume="pv-2"),
        ]
        self.volumes = [volume("pv-0"), volume("pv-1"), volume("pv-2")]
        self.snapshot_classes = [snapshot_class("snap")]
        self.account = make("v1", "ServiceAccount", "db")
        rbac = "rbac.authorization.k8s.io/v1"
        self.role = make(rbac, "Role", "db-reader", rules=[])
        self.binding = make(
            rbac,
            "RoleBinding",
            "db-reader",
            subjects=[{"kind": "ServiceAccount", "name": "db", "namespace": NAMESPACE}],
            roleRef={"kind": "Role", "name": "db-reader"},
        )
        self.service = make(
            "v1",
            "Service",
            "db",
            spec={"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]},
        )
        self.ingress = make(
            "networking.k8s.io/v1",
            "Ingress",
            "web",
            labels=PART_OF,
            spec={
                "tls": [{"secretName": "ingress-tls"}],
                "rules": [
                    {
                        "host": "shop.example.org",
                        "http": {"paths": [{"backend": {"service": {"name": "web"}}}]},
                    }
                ],
            },
        )
        self.others = [
            secret("db-password"),
            secret("pull"),
            secret("web-tls"),
            secret("ingress-tls"),
            secret("unused"),
            config_map("web"),
            config_map("kube-root-ca.crt"),
            make("v1", "ServiceAccount", "default"),
            make("v1", "Event", "web.1", labels=PART_OF),
            make("coordination.k8s.io/v1", "Lease", "leader", labels=PART_OF),
            make("apps/v1", "ControllerRevision", "db-1", owner=self.database),
            make("discovery.k8s.io/v1", "EndpointSlice", "db-x", owner=self.service),
            make("v1", "Endpoints", "db"),
            make("v1", "Secret", "db-token", type="kubernetes.io/service-account-token"),
            make(f"{API_VERSION}", "Application", "shop"),
            config_map("exposer", labels={"app.kubernetes.io/managed-by": "appshield"}),
            config_map("kept-out", labels={**PART_OF, "appshield.io/exclude": "true"}),
        ]

    @property
    def objects(self) -> list[Object]:
        """Everything in the namespace."""
        return [
            self.database,
            self.web,
            self.replica_set,
            *self.pods,
            *self.claims,
            self.account,
            self.role,
            self.binding,
            self.service,
            self.ingress,
            *self.others,
        ]
