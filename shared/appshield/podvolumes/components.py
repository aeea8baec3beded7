"""The pods of a component: found through its workload, those that run."""

from appshield.capture import CapturedComponent, CapturedHook
from appshield.errors import NotFoundError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import POD

_RESOURCES = {
    "StatefulSet": "statefulsets.apps",
    "Deployment": "deployments.apps",
    "DaemonSet": "daemonsets.apps",
    "ReplicaSet": "replicasets.apps",
    "Job": "jobs.batch",
}


async def running_pods(
    cluster: Cluster, namespace: str, component: CapturedComponent
) -> list[Object]:
    """List the running pods of a component's workload, by name.

    Raises:
        NotFoundError: the workload is not there, or none of its pods runs.
    """
    kind = await cluster.kind_named(_RESOURCES.get(component.workload_kind, "statefulsets.apps"))
    workload = await cluster.get(kind, component.workload_name, namespace)
    what = f"{component.workload_kind} {namespace}/{component.workload_name}"
    if workload is None:
        raise NotFoundError(
            f"component {component.name} has no workload",
            why=f"{what} does not exist",
            next_step="Correct `workload` in the Application document.",
        )
    labels = workload["spec"].get("selector", {}).get("matchLabels", {})
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    pods = await cluster.list(POD, namespace=namespace, label_selector=selector)
    running = [pod for pod in pods if _runs(pod)]
    if not running:
        raise NotFoundError(
            f"no pod of component {component.name} runs",
            why=f"{what} has {len(pods)} pods, none of them running",
            next_step="Bring the component up, then back up again.",
        )
    return sorted(running, key=lambda pod: str(pod["metadata"]["name"]))


def container_of(pod: Object, hook: CapturedHook) -> str:
    """Name the container: the hook's, else the pod's first."""
    return hook.container or str(pod["spec"]["containers"][0]["name"])


def _runs(pod: Object) -> bool:
    going = "deletionTimestamp" in pod["metadata"]
    return pod.get("status", {}).get("phase") == "Running" and not going
