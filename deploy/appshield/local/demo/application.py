"""The demo application `shop` as Kubernetes objects: a database and a web service with volumes.

Pure: images and a password go in, objects come out, in an order in which they can be applied.
"""

from appshield.kubernetes.kinds import Object
from appshield.local.demo import postgres_image, web_image

NAME = "shop"
NAMESPACE = "shop"
ROWS_CLAIM = "data-db-0"
"""The claim that holds the rows: PostgreSQL's, from the template of the StatefulSet."""
FILES_CLAIM = "uploads"
"""The claim that holds the files of the web service."""

DATABASE = "db"
WEB = "web"
WEB_PORT_NAME = "http"

MARK = {"appshield.io/demo": "true"}
"""The label of a namespace that the demo has made."""

_SECRET = "db-credentials"  # noqa: S105 - the name of an object
_SETTINGS = "web-settings"
_ACCOUNT = "web"
_POSTGRES_PORT = 5432


def shop_objects(
    *, namespace: str, database_image: str, web_image: str, password: str, greeting: str
) -> tuple[Object, ...]:
    """Return all objects but the namespace; images are references by digest."""
    return (
        _object("v1", "ServiceAccount", _ACCOUNT, namespace, automountServiceAccountToken=False),
        _object("v1", "ConfigMap", _SETTINGS, namespace, data={"greeting": greeting}),
        _object(
            "v1",
            "Secret",
            _SECRET,
            namespace,
            type="Opaque",
            stringData={"username": "postgres", "password": password},
        ),
        _object("v1", "Service", DATABASE, namespace, spec=_database_service()),
        _object("v1", "Service", WEB, namespace, spec=_web_service()),
        _object("v1", "PersistentVolumeClaim", FILES_CLAIM, namespace, spec=_claim("1Gi")),
        _object("apps/v1", "StatefulSet", DATABASE, namespace, spec=_database(database_image)),
        _object("apps/v1", "Deployment", WEB, namespace, spec=_web(web_image)),
    )


def shop_namespace(namespace: str) -> Object:
    """Return the namespace that the application lives in, marked as made by the demo."""
    metadata = {"name": namespace, "labels": dict(MARK)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def is_ours(namespace: Object) -> bool:
    """Tell whether a namespace was made by the demo."""
    labels: dict[str, str] = namespace["metadata"].get("labels", {})
    return MARK.items() <= labels.items()


def shop_document(namespace: str) -> Object:
    """Return what AppShield is told about the application (design/dsl.md)."""
    seconds = "30s"
    spec = {
        "type": "web+database",
        "criticality": "gold",
        "resources": {"selector": {"matchLabels": {"app.kubernetes.io/part-of": NAME}}},
        "components": [
            {
                "name": DATABASE,
                "workload": {"kind": "StatefulSet", "name": DATABASE},
                "profile": "database/postgresql",
                "strategy": "snapshot",
                "quiesce": {
                    "container": "postgres",
                    "command": ["psql", "-qc", "CHECKPOINT"],
                    "timeout": seconds,
                    "onError": "fail",
                },
                "resume": {"container": "postgres", "command": ["true"], "timeout": seconds},
            },
            {
                "name": WEB,
                "workload": {"kind": "Deployment", "name": WEB},
                "strategy": "snapshot",
            },
        ],
        "protect": [
            {
                "name": "nightly",
                "on": {"schedule": "30 2 * * *", "timezone": "UTC"},
                "keep": {"last": 7, "daily": 30},
            }
        ],
    }
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": spec,
    }


def _object(api_version: str, kind: str, name: str, namespace: str, **rest: object) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": _labels(name)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": NAME, "app.kubernetes.io/name": component}


def _selector(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": component}


def _database_service() -> Object:
    return {
        "selector": _selector(DATABASE),
        "ports": [{"name": "postgres", "port": _POSTGRES_PORT, "targetPort": "postgres"}],
    }


def _web_service() -> Object:
    """Return a Service that the node's address serves too: the writer is outside the cluster."""
    return {
        "type": "NodePort",
        "selector": _selector(WEB),
        "ports": [{"name": WEB_PORT_NAME, "port": 80, "targetPort": WEB_PORT_NAME}],
    }


def _claim(size: str) -> Object:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}


def _pod_security(user: int, group: int) -> Object:
    """Return whom the pod runs as; a used volume keeps the owners and modes that it has."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": group,
        "fsGroupChangePolicy": "OnRootMismatch",
    }


def _container(name: str, image: str, **rest: object) -> Object:
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return {
        "name": name,
        "image": image,
        "securityContext": security,
        # what keeps an application answering while others want the processors
        "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}},
        **rest,
    }


def _from_secret(variable: str, key: str) -> Object:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": _SECRET, "key": key}}}


def _database(image: str) -> Object:
    container = _container(
        "postgres",
        image,
        env=[_from_secret("POSTGRES_PASSWORD", "password")],
        ports=[{"name": "postgres", "containerPort": _POSTGRES_PORT}],
        # By itself PostgreSQL would wait for its clients to leave.
        lifecycle={"preStop": {"exec": {"command": ["pg_ctl", "stop", "--mode", "fast"]}}},
        readinessProbe={
            "exec": {"command": ["pg_isready", "--quiet"]},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        },
        volumeMounts=[
            {"name": "data", "mountPath": postgres_image.DATA_MOUNT},
            {"name": "sockets", "mountPath": postgres_image.SOCKET_FOLDER},
        ],
    )
    pod = {
        "securityContext": _pod_security(postgres_image.USER, postgres_image.GROUP),
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "sockets", "emptyDir": {}}],
    }
    return {
        "replicas": 1,
        "serviceName": DATABASE,
        "selector": {"matchLabels": _selector(DATABASE)},
        "template": {"metadata": {"labels": _labels(DATABASE)}, "spec": pod},
        "volumeClaimTemplates": [
            {"metadata": {"name": "data", "labels": _labels(DATABASE)}, "spec": _claim("2Gi")}
        ],
    }


def _web(image: str) -> Object:
    container = _container(
        "web",
        image,
        env=[
            {"name": "DATABASE_HOST", "value": DATABASE},
            _from_secret("DATABASE_USER", "username"),
            _from_secret("DATABASE_PASSWORD", "password"),
        ],
        ports=[{"name": WEB_PORT_NAME, "containerPort": web_image.PORT}],
        readinessProbe={
            "httpGet": {"path": "/healthz", "port": WEB_PORT_NAME},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
        },
        volumeMounts=[
            {"name": "uploads", "mountPath": web_image.UPLOADS_MOUNT},
            {"name": "settings", "mountPath": web_image.SETTINGS_MOUNT, "readOnly": True},
        ],
    )
    pod = {
        "serviceAccountName": _ACCOUNT,
        "securityContext": _pod_security(web_image.USER, web_image.GROUP),
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [
            {"name": "uploads", "persistentVolumeClaim": {"claimName": FILES_CLAIM}},
            {"name": "settings", "configMap": {"name": _SETTINGS}},
        ],
    }
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _selector(WEB)},
        "template": {"metadata": {"labels": _labels(WEB)}, "spec": pod},
    }
