"""How well one object is, from its JSON alone. Pure.

The conventions of kstatus (`appshield.kubernetes.readiness`) say what is ready, on its way or
failed; those of Argo CD add what goes wrong in pods and CronJobs before a controller gives up. A
user's own rules in CEL, from Profiles, go before both for their kind.

Source: https://github.com/argoproj/argo-cd/tree/master/gitops-engine/pkg/health
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from appshield.kubernetes import Object, ready
from appshield.language.expression_errors import UndecidedError
from appshield.language.expressions import HEALTH, Condition
from appshield.manifests.objects import entries, group_of, kind_of, mapping, metadata

State = Literal["Healthy", "Progressing", "Degraded"]
_STATES: Mapping[str, State] = {
    "ready": "Healthy",
    "progressing": "Progressing",
    "failed": "Degraded",
}


class Assessment(msgspec.Struct, frozen=True):
    """How an object is, and why in words for a person."""

    state: State
    why: str


class HealthRule(msgspec.Struct, frozen=True):
    """A user's rule: objects are in this state while the condition holds."""

    state: State
    condition: Condition
    why: str


def assess(obj: Object, rules: Sequence[HealthRule] = ()) -> Assessment:
    """Say how an object is; of a user's `rules` for its kind the first that holds decides."""
    if metadata(obj).get("deletionTimestamp"):
        return Assessment("Progressing", "it is being deleted")
    if rules:
        own = _by_rules(obj, rules)
        if own is not None:
            return own
    special = _SPECIAL.get((group_of(obj), kind_of(obj)))
    found = special(mapping(obj, "spec"), mapping(obj, "status")) if special else None
    if found is not None:
        return found
    readiness = ready(obj)
    return Assessment(_STATES[readiness.state], readiness.reason)


def _by_rules(obj: Object, rules: Sequence[HealthRule]) -> Assessment | None:
    values = HEALTH.values(object=obj)
    for rule in rules:
        try:
            if rule.condition.holds(values):
                return Assessment(rule.state, rule.why or f"{rule.condition.text} holds")
        except UndecidedError:
            continue  # what the rule asks for is not there yet
    return None


def _pod(spec: dict[str, Any], status: dict[str, Any]) -> Assessment | None:
    """Find a container that does not come up; only of pods that are to run for ever."""
    if spec.get("restartPolicy", "Always") != "Always":
        return None
    containers = entries(status, "initContainerStatuses") + entries(status, "containerStatuses")
    for container in containers:
        waiting = mapping(mapping(container, "state"), "waiting")
        reason = str(waiting.get("reason") or "")
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff", "InvalidImageName")):
            said = ": ".join(filter(None, (reason, str(waiting.get("message") or ""))))
            return Assessment("Degraded", f"container {container.get('name')}: {said}")
    is_ready = any(
        one.get("type") == "Ready" and one.get("status") == "True"
        for one in entries(status, "conditions")
    )
    if is_ready or status.get("phase") != "Running":
        return None
    for container in entries(status, "containerStatuses"):
        ended = mapping(mapping(container, "lastState"), "terminated")
        if ended:
            code = ended.get("exitCode", "unknown")
            why = f"container {container.get('name')} ended with exit code {code} and is not ready"
            return Assessment("Degraded", why)
    return None


def _cron_job(spec: dict[str, Any], status: dict[str, Any]) -> Assessment:
    if spec.get("suspend"):
        return Assessment("Healthy", "it is suspended, as its spec asks")
    scheduled = str(status.get("lastScheduleTime") or "")
    succeeded = str(status.get("lastSuccessfulTime") or "")
    if succeeded and succeeded < scheduled and not status.get("active"):
        return Assessment("Degraded", "its last job did not succeed")
    return Assessment("Healthy", "its last job succeeded" if succeeded else "no job has ended yet")


_SPECIAL = {("", "Pod"): _pod, ("batch", "CronJob"): _cron_job}
