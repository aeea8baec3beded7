"""The objects that a snapshot makes: named after run and claim, found by their label."""

import pytest

from appshield.kubernetes import Object
from appshield.podvolumes import RUN_LABEL, holder_pod
from appshield.snapshotter import bodies

RUN = "b-0123456789abcdef0123"
LONGEST_CLAIM = "c" * 253


def content(**spec: object) -> Object:
    return {
        "metadata": {"name": "content-1"},
        "spec": {"driver": "btrfs.csi", **spec},
        "status": {"snapshotHandle": "handle-1"},
    }


def claim(**status: object) -> Object:
    return {
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": "1Gi"}},
        },
        "status": status,
    }


def every_body() -> list[Object]:
    return [
        bodies.snapshot(RUN, "data", "shop", "snap"),
        bodies.exposed_content(RUN, "data", "system", content()),
        bodies.exposed_snapshot(RUN, "data", "system"),
        bodies.exposed_claim(RUN, "system", claim(), "2Gi", "node-1"),
        holder_pod(
            name=bodies.name_of(RUN, "data"),
            namespace="system",
            claim="data",
            image="pause",
            run=RUN,
            read_only=True,
        ),
    ]


def test_a_second_attempt_finds_the_work_of_the_first() -> None:
    """Same run and claim, same name; another of either, another name that any object may have."""
    assert bodies.name_of(RUN, "data") == bodies.name_of(RUN, "data")
    others = {bodies.name_of(RUN, "data-2"), bodies.name_of("b-2", "data")}
    assert len({bodies.name_of(RUN, "data"), *others}) == 3
    assert len(bodies.name_of(RUN, LONGEST_CLAIM)) <= 63


@pytest.mark.parametrize("body", every_body(), ids=lambda body: body["kind"])
def test_everything_carries_the_label_of_its_run_and_one_name(body: Object) -> None:
    """Releasing finds all of it by that label, and nothing else."""
    assert body["metadata"]["labels"][RUN_LABEL] == RUN
    assert body["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "appshield"
    assert body["metadata"]["name"] == bodies.name_of(RUN, "data")


def test_the_static_content_names_the_same_snapshot_and_does_not_delete_it() -> None:
    """While both pairs are there, the removal of one must not take the data along."""
    made = bodies.exposed_content(RUN, "data", "system", content(sourceVolumeMode="Filesystem"))
    assert made["spec"]["source"] == {"snapshotHandle": "handle-1"}
    assert made["spec"]["deletionPolicy"] == "Retain"
    assert made["spec"]["sourceVolumeMode"] == "Filesystem"
    assert "volumeSnapshotClassName" not in made["spec"]
    assert "namespace" not in made["metadata"]


@pytest.mark.parametrize(
    ("status", "restore_size", "expected"),
    [
        ({"capacity": {"storage": "3Gi"}}, "2Gi", "3Gi"),
        ({}, "2Gi", "2Gi"),
        ({}, "", "1Gi"),
    ],
)
def test_the_copy_is_as_large_as_the_volume_has_become(
    status: Object, restore_size: str, expected: str
) -> None:
    """A volume that was grown does not fit into what was once asked for."""
    made = bodies.exposed_claim(RUN, "system", claim(**status), restore_size, "")
    assert made["spec"]["resources"]["requests"]["storage"] == expected
    assert made["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert bodies.SELECTED_NODE not in made["metadata"]["annotations"]
    assert made["spec"]["dataSource"]["name"] == bodies.name_of(RUN, "data")


def test_the_pod_that_holds_a_copy_has_no_rights_and_cannot_write() -> None:
    """It only keeps the volume mounted."""
    spec = every_body()[-1]["spec"]
    [container] = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["volumeMounts"][0]["readOnly"] is True
