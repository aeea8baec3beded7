"""Reading an application costs one request for each kind, whatever its size."""

from collections import Counter

import pytest

from appshield.application.reading import Reading, of_one_moment, read_application
from appshield.contracts.identities import AppRef
from appshield.kubernetes import Kind, Object
from appshield.kubernetes.kinds import APPLICATION
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


def _written(version: str) -> Object:
    return {"metadata": {"name": "one", "resourceVersion": version}}


@pytest.mark.parametrize(
    ("objects", "moments", "one"),
    [
        (["7", "12"], ["12", "13", "20"], True),
        (["7", "13"], ["12", "13", "20"], False),
        (["7"], ["12", ""], True),
        (["7", "100"], ["20", "101"], False),
        (["seven"], ["12"], False),
        ([""], ["12"], False),
        (["7"], ["twelve"], False),
    ],
)
def test_lists_are_of_one_moment_when_nothing_was_written_since_the_first(
    objects: list[str], moments: list[str], one: bool
) -> None:
    """Versions are compared as numbers, and only where all of them are."""
    assert of_one_moment(map(_written, objects), moments) is one


async def test_what_stands_still_is_of_one_moment() -> None:
    """By the API server's own versions."""
    reading, _ = await read(3)
    assert reading.of_one_moment
    assert reading.membership.missing == ()


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
