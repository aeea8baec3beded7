"""Whether an object is as its spec asks, from its JSON alone. Pure.

Follows the conventions of kstatus: a controller that has not seen the newest generation says
nothing yet; then each kind has its own rules; kinds without rules are read by their conditions.
Differences, both on purpose: a Job is ready when it is complete (kstatus: when it started), and
an object that is being deleted is `progressing`.
Source: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from appshield.kubernetes.kinds import Object

State = Literal["ready", "progressing", "failed"]


class Readiness(msgspec.Struct, frozen=True):
    """The state and its reason, in words for a person."""

    state: State
    reason: str


def ready(obj: Object) -> Readiness:
    """Return how far the object is from what its spec asks."""
    metadata = obj.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return Readiness("progressing", "it is being deleted")
    status = obj.get("status") or {}
    seen = status.get("observedGeneration")
    if seen is not None and seen < metadata.get("generation", 0):
        return Readiness("progressing", "its controller has not seen the newest change")
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    rule = _RULES.get((group, str(obj.get("kind", ""))), _by_conditions)
    return rule(obj.get("spec") or {}, status)


Rule = Callable[[dict[str, Any], dict[str, Any]], Readiness]


def _deployment(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Readiness("failed", _said(progressing, "it made no progress in time"))
    wanted = spec.get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    return (
        _unseen(status)
        or _short("updated", updated, wanted)
        or _surplus(status.get("replicas", 0), updated)
        or _short("available", status.get("availableReplicas", 0), wanted)
        or _short("ready", status.get("readyReplicas", 0), wanted)
        or Readiness("ready", f"{wanted} replicas are available")
    )


def _replica_set(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted = spec.get("replicas", 1)
    return (
        _unseen(status)
        or _short("labelled", status.get("fullyLabeledReplicas", 0), wanted)
        or _short("available", status.get("availableReplicas", 0), wanted)
        or _short("ready", status.get("readyReplicas", 0), wanted)
        or _surplus(status.get("replicas", 0), wanted)
        or Readiness("ready", f"{wanted} replicas are available")
    )


def _stateful_set(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted = spec.get("replicas", 1)
    strategy = spec.get("updateStrategy") or {}
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    to_update = 0 if strategy.get("type") == "OnDelete" else max(0, wanted - partition)
    return (
        _unseen(status)
        or _short("created", status.get("replicas", 0), wanted)
        or _short("ready", status.get("readyReplicas", 0), wanted)
        or _surplus(status.get("replicas", 0), wanted)
        or _short("updated", status.get("updatedReplicas", 0), to_update)
        or Readiness("ready", f"{wanted} replicas are ready")
    )


def _daemon_set(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted = status.get("desiredNumberScheduled", 0)
    on_delete = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    return (
        _unseen(status)
        or _short("scheduled", status.get("currentNumberScheduled", 0), wanted)
        or _short("updated", status.get("updatedNumberScheduled", 0), 0 if on_delete else wanted)
        or _short("available", status.get("numberAvailable", 0), wanted)
        or _short("ready", status.get("numberReady", 0), wanted)
        or Readiness("ready", f"{wanted} pods are available")
    )


def _job(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    failed = _condition(status, "Failed")
    if failed.get("status") == "True":
        return Readiness("failed", _said(failed, "it failed"))
    if _condition(status, "Complete").get("status") == "True":
        return Readiness("ready", "it is complete")
    if spec.get("suspend"):
        return Readiness("ready", "it is suspended, as its spec asks")
    counts = f"{status.get('active', 0)} active, {status.get('succeeded', 0)} succeeded"
    return Readiness("progressing", f"it is not complete: {counts}")


def _pod(_spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    phase = status.get("phase", "Pending")
    if phase == "Succeeded":
        return Readiness("ready", "it ended with success")
    if phase == "Failed":
        return Readiness("failed", _said(status, "it ended without success"))
    if _condition(status, "Ready").get("status") == "True":
        return Readiness("ready", "it is ready")
    return _unready_pod(status, phase)


def _unready_pod(status: dict[str, Any], phase: str) -> Readiness:
    container, waiting = _waiting_container(status)
    if waiting:
        lasting = waiting["reason"] in {"CrashLoopBackOff", "InvalidImageName"}
        text = f"container {container}: {_said(waiting, '')}"
        return Readiness("failed" if lasting else "progressing", text)
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return Readiness("progressing", _said(scheduled, "it has no node"))
    return Readiness("progressing", _said(_condition(status, "Ready"), f"it is {phase.lower()}"))


def _waiting_container(status: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the container that waits for the most telling reason, and its waiting state."""
    ordinary = {"ContainerCreating", "PodInitializing"}
    found: tuple[str, dict[str, Any]] = ("", {})
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or []:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") and waiting["reason"] not in ordinary:
                return container["name"], waiting
            if waiting.get("reason") and not found[0]:
                found = container["name"], waiting
    return found


def _claim(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    phase = status.get("phase", "Pending")
    if phase == "Bound":
        return Readiness("ready", f"it is bound to {spec.get('volumeName', 'a volume')}")
    if phase == "Lost":
        return Readiness("failed", f"its volume {spec.get('volumeName', '')} is gone")
    return Readiness("progressing", "it is not bound to a volume")


def _service(spec: dict[str, Any], _status: dict[str, Any]) -> Readiness:
    # An outside address depends on the surroundings; inside, the application works without.
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return Readiness("progressing", "it has no cluster address")
    return Readiness("ready", "it is served")


def _namespace(_spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    if status.get("phase") == "Terminating":
        return Readiness("progressing", "it is being deleted")
    return Readiness("ready", "it is active")


def _definition(_spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    accepted = _condition(status, "NamesAccepted")
    if accepted.get("status") == "False":
        return Readiness("failed", _said(accepted, "its names are taken"))
    if _condition(status, "Established").get("status") == "True":
        return Readiness("ready", "it is established")
    return Readiness("progressing", "it is not established")


def _by_conditions(_spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    stalled = _condition(status, "Stalled")
    if stalled.get("status") == "True":
        return Readiness("failed", _said(stalled, "it is stalled"))
    reconciling = _condition(status, "Reconciling")
    if reconciling.get("status") == "True":
        return Readiness("progressing", _said(reconciling, "it is being reconciled"))
    condition = _condition(status, "Ready")
    if condition and condition.get("status") != "True":
        return Readiness("progressing", _said(condition, "it is not ready"))
    return Readiness("ready", "it is ready" if condition else "it exists")


_RULES: dict[tuple[str, str], Rule] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}


def _condition(status: dict[str, Any], name: str) -> dict[str, Any]:
    for condition in status.get("conditions") or []:
        if condition.get("type") == name:
            found: dict[str, Any] = condition
            return found
    return {}


def _said(source: dict[str, Any], otherwise: str) -> str:
    parts = [str(source[key]) for key in ("reason", "message") if source.get(key)]
    return ": ".join(parts) or otherwise


def _unseen(status: dict[str, Any]) -> Readiness | None:
    if "observedGeneration" in status:
        return None
    return Readiness("progressing", "its controller has not seen it yet")


def _short(what: str, have: int, wanted: int) -> Readiness | None:
    if have >= wanted:
        return None
    return Readiness("progressing", f"{have} of {wanted} replicas are {what}")


def _surplus(have: int, wanted: int) -> Readiness | None:
    if have <= wanted:
        return None
    return Readiness("progressing", f"{have - wanted} old replicas are still ending")
