"""What an application needs of the whole cluster goes with it, and is never overwritten."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import CRD, CRON_JOB, SERVICE_ACCOUNT
from appshield.local.cluster import STORAGE_CLASS, ClusterFacts
from cluster_application import deploy, namespace_of_its_own
from installation import Installation

RBAC = "rbac.authorization.k8s.io"
ROLE = Kind(RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False)
BINDING = Kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
PRIORITY = Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False)


def definition(kind: Kind) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": kind.version, "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"kind": kind.kind, "plural": kind.plural},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def role(name: str, *verbs: str) -> Object:
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": list(verbs)}]
    meta = {"name": name}
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules}


def binding(name: str, namespace: str) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": namespace}],
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
    }


def cron_job(priority: str) -> Object:
    """Describe a job that never runs and that needs an account and a class."""
    pod = {
        "serviceAccountName": "app",
        "priorityClassName": priority,
        "restartPolicy": "Never",
        "containers": [{"name": "a", "image": "none"}],
    }
    job = {"spec": {"template": {"spec": pod}}}
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": job}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": spec}


@asynccontextmanager
async def of_the_cluster(
    installation: Installation, namespace: str, thing: Kind, name: str
) -> AsyncIterator[None]:
    """Make what the application needs of the cluster, and leave nothing of it."""
    cluster = installation.cluster
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 7}
    objects: list[tuple[Kind, Object]] = [
        (CRD, definition(thing)),
        (ROLE, role(name, "get")),
        (BINDING, binding(name, namespace)),
        (PRIORITY, {**priority, "metadata": {"name": name}}),
    ]
    try:
        for kind, obj in objects:
            await cluster.create(kind, obj)
        yield
    finally:
        for kind, obj in objects:
            await cluster.delete(kind, obj["metadata"]["name"])


async def test_an_application_comes_back_with_what_it_needs_of_the_cluster(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """A missing definition is made before its objects; a changed role stays as it is.

    What the accounts may do in the whole cluster, those of the copy may do by a binding of its own.
    """
    cluster, mark = installation.cluster, uuid4().hex[:6]
    name = f"test-{mark}"
    thing = Kind(f"acme-{mark}.example", "v1", "Thing", "things")
    async with (
        namespace_of_its_own(installation, "needs") as namespace,
        namespace_of_its_own(installation, "needs-copy") as target,
        of_the_cluster(installation, namespace, thing, name),
    ):
        await deploy(installation, namespace, local_cluster.busybox_image)
        account: Object = {"apiVersion": "v1", "kind": "ServiceAccount"}
        await cluster.create(
            SERVICE_ACCOUNT, {**account, "metadata": {"name": "app"}}, namespace=namespace
        )
        await cluster.create(CRON_JOB, cron_job(name), namespace=namespace)
        one = {"apiVersion": thing.api_version, "kind": thing.kind, "spec": {"size": 3}}
        await cluster.create(thing, {**one, "metadata": {"name": "one"}}, namespace=namespace)
        app = installation.app(namespace)
        saved = await installation.back_up(app)
        assert (saved.state, saved.failure) == ("succeeded", None)

        await cluster.delete(CRD, thing.resource)
        await cluster.wait_for(
            CRD, thing.resource, "", lambda obj: obj is None, timeout_s=60, what="kind gone"
        )
        await cluster.apply(ROLE, role(name, "get", "list"))
        restored = await installation.restore(app, 1, to=target)
        assert (restored.state, restored.failure) == ("succeeded", None)

        found = await cluster.get(thing, "one", target)
        assert found is not None
        assert found["spec"] == {"size": 3}
        kept = await cluster.get(ROLE, name)
        assert kept is not None
        assert kept["rules"][0]["verbs"] == ["get", "list"]
        copied = await cluster.get(BINDING, f"{name}-{target}")
        assert copied is not None
        assert [subject["namespace"] for subject in copied["subjects"]] == [target]
        first = await cluster.get(BINDING, name)
        assert first is not None
        assert [subject["namespace"] for subject in first["subjects"]] == [namespace]
        await cluster.delete(BINDING, f"{name}-{target}")

        assert restored.restore
        assert restored.restore.planned
        told = "\n".join(restored.restore.planned.warnings)
        assert f"ClusterRole {name} is there already, differs" in told
        assert f"StorageClass {STORAGE_CLASS}" not in told  # it is there, and equal
        made = restored.restore.planned.objects
        assert f"CustomResourceDefinition {thing.resource}" in made
        assert f"ClusterRole {name}" not in made
