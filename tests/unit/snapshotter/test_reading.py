"""Reading an application costs one request for each kind, whatever its size."""

from collections import Counter

import pytest

from appshield.contracts.identities import AppRef
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import APPLICATION
from appshield.snapshotter.reading import Reading, read_application
from fake_kubernetes import FakeKubernetes

NAMESPACE = "shop"


def in_namespace(api_version: str, kind: str, name: str, **fields: object) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def workload(number: int) -> list[Object]:
    """Describe a workload with everything of its own."""
    name = f"web-{number}"
    pod = {
        "serviceAccountName": name,
        "containers": [{"name": "web", "envFrom": [{"secretRef": {"name": name}}]}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    return [
        in_namespace("apps/v1", "Deployment", name, spec={"template": template}),
        in_namespace("v1", "Secret", name),
        in_namespace("v1", "ServiceAccount", name),
        in_namespace("v1", "Service", name, spec={"selector": {"app": name}}),
        in_namespace("v1", "PersistentVolumeClaim", name, spec={"storageClassName": "fast"}),
    ]


async def read(workloads: int) -> tuple[Reading, list[str]]:
    """Read an application of so many workloads; return the collections that were listed."""
    document = in_namespace("appshield.io/v1alpha1", "Application", "shop", spec={})
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        fake.serve(APPLICATION)
        objects = [one for number in range(workloads) for one in workload(number)]
        for obj in (namespace, document, *objects):
            fake.put(obj)
        fake.requests.clear()
        reading = await read_application(
            cluster, AppRef(cluster="test", namespace=NAMESPACE, name="shop")
        )
        return reading, [path for _, path in fake.requests]


@pytest.mark.parametrize("workloads", [1, 40])
async def test_requests_do_not_grow_with_the_objects(workloads: int) -> None:
    """No object is asked for by its name but the document and its namespace."""
    reading, paths = await read(workloads)
    members = Counter(obj["kind"] for obj in reading.membership.objects)
    assert members["Deployment"] == members["Secret"] == workloads
    _, few = await read(1)
    assert len(paths) == len(few)
    assert [path for path, times in Counter(paths).items() if times > 1] == []


async def test_a_kind_that_is_newer_than_the_last_look_is_not_missed() -> None:
    """Operators come and go while the snapshotter runs."""
    app = AppRef(cluster="test", namespace=NAMESPACE, name="shop")
    thing = Kind("acme.io", "v1", "Thing", "things")
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        fake.serve(APPLICATION)
        fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        fake.put(in_namespace("appshield.io/v1alpha1", "Application", "shop", spec={}))
        assert (await read_application(cluster, app)).membership.objects == ()
        fake.serve(thing)
        fake.put(in_namespace("acme.io/v1", "Thing", "one"))
        (found,) = (await read_application(cluster, app)).membership.objects
        assert found["kind"] == "Thing"
