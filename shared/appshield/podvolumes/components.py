"""The pods of a component: found through its workload, those that run."""

from appshield.capture import CapturedComponent, CapturedHook
from appshield.errors import NotFoundError
from appshield.kubernetes import Cluster, Object
from appshield.kubernetes.kinds import POD


class NoWorkloadError(NotFoundError):
    """The workload that a component names does not exist."""


RESOURCES_BY_KIND = {
    "StatefulSet": "statefulsets.apps",
    "Deployment": "deployments.apps",
    "DaemonSet": "daemonsets.apps",
    "ReplicaSet": "replicasets.apps",
    "Job": "jobs.batch",
}
"""Kinds of workloads in whose pods commands run, as `appshield.language.advising` warns."""


async def running_pods(
    cluster: Cluster, namespace: str, component: CapturedComponent
) -> list[Object]:
    """List the running pods of a component's workload, by name.

    Raises:
        NoWorkloadError: the workload is not there, or of a kind whose pods are not known.
        NotFoundError: none of its pods runs.
    """
    what = f"{component.workload_kind} {namespace}/{component.workload_name}"
    resource = RESOURCES_BY_KIND.get(component.workload_kind)
    if resource is None:
        raise NoWorkloadError(
            f"component {component.name} has no workload whose pods are known",
            why=f"commands run in the pods of {', '.join(RESOURCES_BY_KIND)}, and it names {what}",
            next_step="Let `workload` name what an operator makes for it, or remove the hooks.",
        )
    kind = await cluster.kind_named(resource)
    workload = await cluster.get(kind, component.workload_name, namespace)
    if workload is None:
        raise NoWorkloadError(
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
    """Name the container: the hook's, else the pod's first.

    Raises:
        NotFoundError: the pod has no container of that name.
    """
    names = [str(container["name"]) for container in pod["spec"]["containers"]]
    names += [
        str(container["name"])
        for container in pod["spec"].get("initContainers", ())
        if container.get("restartPolicy") == "Always"  # a sidecar, which runs as long as the pod
    ]
    if hook.container and hook.container not in names:
        where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        raise NotFoundError(
            f"pod {where} has no container {hook.container}",
            why=f"it has {', '.join(names)}",
            next_step="Correct `container` of the hook in the Application document.",
        )
    return hook.container or names[0]


def _runs(pod: Object) -> bool:
    going = "deletionTimestamp" in pod["metadata"]
    return pod.get("status", {}).get("phase") == "Running" and not going
