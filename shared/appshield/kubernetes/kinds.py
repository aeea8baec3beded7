"""Kinds of objects and where the API server keeps them.

A `Kind` is all that a caller needs to read or write objects without a generated model; the kinds
that AppShield works with by name are constants here, every other one comes from discovery.
"""

from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from appshield.errors import InvalidInputError

Object: TypeAlias = dict[str, Any]
"""One Kubernetes object as the API server's JSON says it, nothing added and nothing lost."""


class Kind(msgspec.Struct, frozen=True):
    """One resource of the API: its group (empty for core), version, kind and plural."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` in the core group: the value of an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, or `pods` in the core group: how people and rights name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of a collection, an object or its subresource.

        Raises InvalidInputError when one object of a namespaced kind is meant and no namespace
        was given.
        """
        if name and self.namespaced and not namespace:
            raise InvalidInputError(
                f"{self.kind} {name} lives in a namespace, and none was given",
                next_step="Name the namespace.",
            )
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def described(self, name: str = "", namespace: str = "") -> str:
        """Return the object or collection in words: `deployments.apps web in namespace shop`."""
        text = f"{self.resource} {name}" if name else self.resource
        return f"{text} in namespace {namespace}" if self.namespaced and namespace else text


class ObjectRef(msgspec.Struct, frozen=True):
    """Names one object well enough to attach an event to it."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""

    @classmethod
    def of(cls, obj: Object) -> "ObjectRef":
        """Return the reference to `obj`, which must carry its `apiVersion` and `kind`."""
        metadata = obj["metadata"]
        return cls(
            api_version=obj["apiVersion"],
            kind=obj["kind"],
            name=metadata["name"],
            namespace=metadata.get("namespace", ""),
            uid=metadata.get("uid", ""),
        )


NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
POD = Kind("", "v1", "Pod", "pods")
SECRET = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SERVICE = Kind("", "v1", "Service", "services")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
PVC = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
PV = Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)
EVENT = Kind("", "v1", "Event", "events")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps", "v1", "StatefulSet", "statefulsets")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
CONTROLLER_REVISION = Kind("apps", "v1", "ControllerRevision", "controllerrevisions")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
JOB = Kind("batch", "v1", "Job", "jobs")
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs")
STORAGE_CLASS = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
CRD = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
CLUSTER_ROLE = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False
)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
ADMISSION_POLICY = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    namespaced=False,
)
ADMISSION_POLICY_BINDING = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    namespaced=False,
)
WEBHOOK_CONFIGURATION = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
MUTATING_WEBHOOK_CONFIGURATION = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    namespaced=False,
)
VOLUME_SNAPSHOT = Kind("snapshot.storage.k8s.io", "v1", "VolumeSnapshot", "volumesnapshots")
VOLUME_SNAPSHOT_CONTENT = Kind(
    "snapshot.storage.k8s.io",
    "v1",
    "VolumeSnapshotContent",
    "volumesnapshotcontents",
    namespaced=False,
)
VOLUME_SNAPSHOT_CLASS = Kind(
    "snapshot.storage.k8s.io",
    "v1",
    "VolumeSnapshotClass",
    "volumesnapshotclasses",
    namespaced=False,
)
APPLICATION = Kind("appshield.io", "v1alpha1", "Application", "applications")
POLICY = Kind("appshield.io", "v1alpha1", "Policy", "policies", namespaced=False)
PROFILE = Kind("appshield.io", "v1alpha1", "Profile", "profiles", namespaced=False)
VAULT = Kind("appshield.io", "v1alpha1", "Vault", "vaults", namespaced=False)
BACKUP = Kind("appshield.io", "v1alpha1", "Backup", "backups")
RESTORE = Kind("appshield.io", "v1alpha1", "Restore", "restores")
