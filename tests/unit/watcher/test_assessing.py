"""How well one object is: the conventions of kstatus and Argo CD, and a user's own rules."""

from typing import Any

import pytest

from appshield.kubernetes import Object
from appshield.language.expressions import HEALTH
from appshield.watcher.assessing import HealthRule, assess


def made(api_version: str, kind: str, spec: Any = None, status: Any = None, **meta: Any) -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "one", "namespace": "shop", "generation": 2, **meta},
        "spec": spec or {},
        "status": status or {},
    }


def pod(
    phase: str = "Running", *, ready: bool = False, policy: str = "Always", **container: Any
) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": []}
    if container:
        status["containerStatuses"] = [{"name": "web", **container}]
    return made("v1", "Pod", {"restartPolicy": policy}, status)


def waiting(reason: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": "because"}}}


COUNTS = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2}
ALL_UP = {**COUNTS, "availableReplicas": 2, "readyReplicas": 2}
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
SET_UP = {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
NODES = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 2,
    "currentNumberScheduled": 2,
    "updatedNumberScheduled": 2,
    "numberAvailable": 2,
    "numberReady": 2,
}
SCHEDULED = {"lastScheduleTime": "2026-11-24T02:00:00Z"}
WELL_BEFORE = {**SCHEDULED, "lastSuccessfulTime": "2026-11-24T01:00:10Z"}

TABLE: list[tuple[str, Object, str]] = [
    ("all replicas", made("apps/v1", "Deployment", {"replicas": 2}, ALL_UP), "Healthy"),
    ("scaled to zero", made("apps/v1", "Deployment", {"replicas": 0}, COUNTS | dict.fromkeys(
        ("replicas", "updatedReplicas"), 0)), "Healthy"),
    ("some replicas", made("apps/v1", "Deployment", {"replicas": 2}, COUNTS), "Progressing"),
    ("unseen", made("apps/v1", "Deployment", {"replicas": 2}, ALL_UP | {"observedGeneration": 1}),
     "Progressing"),
    ("stuck", made("apps/v1", "Deployment", {"replicas": 2}, COUNTS | {"conditions": [STUCK]}),
     "Degraded"),
    ("set", made("apps/v1", "StatefulSet", {"replicas": 1}, SET_UP), "Healthy"),
    ("set short", made("apps/v1", "StatefulSet", {"replicas": 2}, SET_UP), "Progressing"),
    ("daemons", made("apps/v1", "DaemonSet", {}, NODES), "Healthy"),
    ("daemon down", made("apps/v1", "DaemonSet", {}, NODES | {"numberReady": 1}), "Progressing"),
    ("replica set", made("apps/v1", "ReplicaSet", {"replicas": 2},
                         ALL_UP | {"fullyLabeledReplicas": 2}), "Healthy"),
    ("job", made("batch/v1", "Job", {}, {"active": 1}), "Progressing"),
    ("job done", made("batch/v1", "Job", {}, {"conditions": [
        {"type": "Complete", "status": "True"}]}), "Healthy"),
    ("job failed", made("batch/v1", "Job", {}, {"conditions": [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}), "Degraded"),
    ("cron job new", made("batch/v1", "CronJob"), "Healthy"),
    ("cron job failed", made("batch/v1", "CronJob", {}, WELL_BEFORE), "Degraded"),
    ("cron job runs", made("batch/v1", "CronJob", {}, WELL_BEFORE | {"active": [{}]}), "Healthy"),
    ("cron job suspended", made("batch/v1", "CronJob", {"suspend": True}, WELL_BEFORE), "Healthy"),
    ("pod ready", pod(ready=True), "Healthy"),
    ("pod starts", pod(), "Progressing"),
    ("pod pends", pod("Pending", **waiting("ContainerCreating")), "Progressing"),
    ("no image", pod("Pending", **waiting("ImagePullBackOff")), "Degraded"),
    ("no image yet", pod("Pending", **waiting("ErrImagePull")), "Degraded"),
    ("crashes", pod(**waiting("CrashLoopBackOff")), "Degraded"),
    ("crashed", pod(state={"running": {}}, lastState={"terminated": {"exitCode": 3}}), "Degraded"),
    ("hook pod", pod("Pending", policy="Never", **waiting("ImagePullBackOff")), "Progressing"),
    ("pod failed", pod("Failed"), "Degraded"),
    ("pod ended", pod("Succeeded", policy="Never"), "Healthy"),
    ("claim", made("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}), "Healthy"),
    ("claim pends", made("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}), "Progressing"),
    ("claim lost", made("v1", "PersistentVolumeClaim", {}, {"phase": "Lost"}), "Degraded"),
    ("service", made("v1", "Service", {"type": "ClusterIP"}), "Healthy"),
    ("ingress", made("networking.k8s.io/v1", "Ingress"), "Healthy"),
    ("custom", made("acme.io/v1", "Widget"), "Healthy"),
    ("custom stalled", made("acme.io/v1", "Widget", {}, {"conditions": [
        {"type": "Stalled", "status": "True", "reason": "Broken"}]}), "Degraded"),
    ("custom reconciles", made("acme.io/v1", "Widget", {}, {"conditions": [
        {"type": "Reconciling", "status": "True"}]}), "Progressing"),
    ("custom not ready", made("acme.io/v1", "Widget", {}, {"conditions": [
        {"type": "Ready", "status": "False"}]}), "Progressing"),
    ("custom unseen", made("acme.io/v1", "Widget", {}, {"observedGeneration": 1}), "Progressing"),
    ("going", made("acme.io/v1", "Widget", deletionTimestamp="2026-11-24T00:00:00Z"),
     "Progressing"),
]  # fmt: skip


@pytest.mark.parametrize(("obj", "state"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_an_object_is_as_the_conventions_say(obj: Object, state: str) -> None:
    found = assess(obj)
    assert found.state == state
    assert found.why


def test_the_reason_says_which_container_and_why() -> None:
    found = assess(pod("Pending", **waiting("ImagePullBackOff")))
    assert found.why == "container web: ImagePullBackOff: because"


RULES = (
    HealthRule("Degraded", HEALTH.condition("object.status.phase == 'Broken'"), "it broke"),
    HealthRule("Healthy", HEALTH.condition("object.status.phase == 'Fine'"), ""),
)


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [
        ({"phase": "Broken"}, "Degraded", "it broke"),
        ({"phase": "Fine", "conditions": [{"type": "Stalled", "status": "True"}]}, "Healthy",
         "object.status.phase == 'Fine' holds"),
        ({"phase": "Other"}, "Healthy", "it exists"),
        ({}, "Healthy", "it exists"),
    ],
    ids=["first that holds", "before conventions", "none holds", "no answer"],
)  # fmt: skip
def test_rules_of_a_user_go_before_the_conventions(status: Any, state: str, why: str) -> None:
    found = assess(made("acme.io/v1", "Widget", {}, status), RULES)
    assert (found.state, found.why) == (state, why)
