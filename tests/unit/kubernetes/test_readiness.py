"""Readiness is read from an object alone, by the rules of its kind."""

from typing import Any

import pytest

from appshield.kubernetes import Object, Readiness, ready


def obj(
    kind: str,
    api_version: str = "apps/v1",
    *,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **metadata: str,
) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x", "generation": 2, **metadata},
        "spec": spec or {},
        "status": status or {},
    }


def condition(name: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": status, "reason": reason, "message": message}]}


ROLLED_OUT = {
    "observedGeneration": 2,
    "replicas": 2,
    "updatedReplicas": 2,
    "availableReplicas": 2,
    "readyReplicas": 2,
}
DAEMONS = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 3,
    "currentNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberAvailable": 3,
    "numberReady": 3,
}
TWO = {"replicas": 2}
CRASHING = {
    "phase": "Running",
    "containerStatuses": [
        {"name": "ok", "state": {"running": {}}},
        {"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "again"}}},
    ],
}
PULLING = {
    "phase": "Pending",
    "initContainerStatuses": [
        {"name": "init", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    ],
    "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "PodInitializing"}}}],
}

CASES = [
    ("a deployment without status", obj("Deployment"), "progressing", "not seen it yet"),
    (
        "a deployment whose controller lags",
        obj("Deployment", spec=TWO, status={**ROLLED_OUT, "observedGeneration": 1}),
        "progressing",
        "newest change",
    ),
    ("a deployment", obj("Deployment", spec=TWO, status=ROLLED_OUT), "ready", "2 replicas"),
    (
        "a deployment of none",
        obj("Deployment", spec={"replicas": 0}, status={"observedGeneration": 2}),
        "ready",
        "0 replicas",
    ),
    (
        "a deployment with one pod missing",
        obj("Deployment", spec=TWO, status={**ROLLED_OUT, "availableReplicas": 1}),
        "progressing",
        "1 of 2 replicas are available",
    ),
    (
        "a deployment with an old pod",
        obj("Deployment", spec=TWO, status={**ROLLED_OUT, "replicas": 3}),
        "progressing",
        "1 old replicas",
    ),
    (
        "a deployment that gave up",
        obj(
            "Deployment",
            spec=TWO,
            status={
                **ROLLED_OUT,
                **condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out"),
            },
        ),
        "failed",
        "timed out",
    ),
    ("a stateful set", obj("StatefulSet", spec=TWO, status=ROLLED_OUT), "ready", "2 replicas"),
    (
        "a stateful set that updates",
        obj("StatefulSet", spec=TWO, status={**ROLLED_OUT, "updatedReplicas": 1}),
        "progressing",
        "1 of 2 replicas are updated",
    ),
    (
        "a stateful set that updates by hand",
        obj(
            "StatefulSet",
            spec={**TWO, "updateStrategy": {"type": "OnDelete"}},
            status={**ROLLED_OUT, "updatedReplicas": 1},
        ),
        "ready",
        "2 replicas",
    ),
    (
        "a stateful set updated up to its partition",
        obj(
            "StatefulSet",
            spec={**TWO, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            status={**ROLLED_OUT, "updatedReplicas": 1},
        ),
        "ready",
        "2 replicas",
    ),
    ("a replica set", obj("ReplicaSet", status={"observedGeneration": 2}), "progressing", "0 of"),
    ("a daemon set", obj("DaemonSet", status=DAEMONS), "ready", "3 pods"),
    (
        "a daemon set with a pod that is not ready",
        obj("DaemonSet", status={**DAEMONS, "numberAvailable": 2}),
        "progressing",
        "2 of 3",
    ),
    (
        "a job that runs",
        obj("Job", "batch/v1", status={"active": 1}),
        "progressing",
        "1 active",
    ),
    ("a job", obj("Job", "batch/v1", status=condition("Complete", "True")), "ready", "complete"),
    (
        "a job that failed",
        obj("Job", "batch/v1", status=condition("Failed", "True", "BackoffLimitExceeded")),
        "failed",
        "BackoffLimitExceeded",
    ),
    ("a suspended job", obj("Job", "batch/v1", spec={"suspend": True}), "ready", "suspended"),
    (
        "a pod",
        obj("Pod", "v1", status={"phase": "Running", **condition("Ready", "True")}),
        "ready",
        "ready",
    ),
    ("a pod that ended", obj("Pod", "v1", status={"phase": "Succeeded"}), "ready", "success"),
    (
        "a pod that was evicted",
        obj("Pod", "v1", status={"phase": "Failed", "reason": "Evicted"}),
        "failed",
        "Evicted",
    ),
    ("a pod that crashes", obj("Pod", "v1", status=CRASHING), "failed", "container web: Crash"),
    ("a pod without image", obj("Pod", "v1", status=PULLING), "progressing", "container init:"),
    (
        "a pod without node",
        obj(
            "Pod",
            "v1",
            status={"phase": "Pending", **condition("PodScheduled", "False", "Unschedulable")},
        ),
        "progressing",
        "Unschedulable",
    ),
    (
        "a bound claim",
        obj("PersistentVolumeClaim", "v1", status={"phase": "Bound"}),
        "ready",
        "bound",
    ),
    ("a claim", obj("PersistentVolumeClaim", "v1"), "progressing", "not bound"),
    (
        "a claim without its volume",
        obj("PersistentVolumeClaim", "v1", status={"phase": "Lost"}),
        "failed",
        "gone",
    ),
    ("a service", obj("Service", "v1"), "ready", "served"),
    (
        "a balancer without address",
        obj("Service", "v1", spec={"type": "LoadBalancer"}),
        "progressing",
        "no cluster address",
    ),
    ("a namespace", obj("Namespace", "v1", status={"phase": "Active"}), "ready", "active"),
    (
        "a namespace that goes",
        obj("Namespace", "v1", status={"phase": "Terminating"}),
        "progressing",
        "deleted",
    ),
    (
        "an object that goes",
        obj("Deployment", spec=TWO, status=ROLLED_OUT, deletionTimestamp="2026-01-01T00:00:00Z"),
        "progressing",
        "being deleted",
    ),
    (
        "a definition",
        obj(
            "CustomResourceDefinition",
            "apiextensions.k8s.io/v1",
            status=condition("Established", "True"),
        ),
        "ready",
        "established",
    ),
    ("a config map", obj("ConfigMap", "v1"), "ready", "exists"),
    ("a custom object", obj("A", "b.c/v1", status=condition("Ready", "True")), "ready", "ready"),
    (
        "a custom object that is not ready",
        obj("A", "b.c/v1", status=condition("Ready", "Unknown", "Waiting", "for the sun")),
        "progressing",
        "Waiting: for the sun",
    ),
    (
        "a stalled custom object",
        obj("A", "b.c/v1", status=condition("Stalled", "True", "NoQuota")),
        "failed",
        "NoQuota",
    ),
    (
        "a custom object at work",
        obj("A", "b.c/v1", status=condition("Reconciling", "True")),
        "progressing",
        "reconciled",
    ),
    (
        "a custom object of a kind that has rules in another group",
        obj("Deployment", "b.c/v1"),
        "ready",
        "exists",
    ),
]


@pytest.mark.parametrize(
    ("given", "state", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_state_has_its_reason(given: Object, state: str, reason: str) -> None:
    """The state follows from spec and status, and the reason says why."""
    found = ready(given)
    assert found.state == state
    assert reason in found.reason


def test_an_empty_object_exists() -> None:
    """Nothing is required of an object."""
    assert ready({}) == Readiness("ready", "it exists")
