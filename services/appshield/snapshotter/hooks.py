"""Run hooks in containers: the pods of a component's workload, chosen as the hook says."""

from appshield.capture import CapturedComponent, CapturedHook
from appshield.errors import NotFoundError, RunFailedError
from appshield.kubernetes import Cluster, Object, PodRef
from appshield.podvolumes.components import container_of, running_pods
from appshield.service import together

_LEADER_LABELS = ("role", "app.kubernetes.io/role", "cnpg.io/instanceRole", "spilo-role")
_LEADER_VALUES = frozenset({"leader", "master", "primary"})
_WORDS_MAX = 400


class ContainerHooks:
    """Runs hooks by exec."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def run(self, namespace: str, component: CapturedComponent, hook: CapturedHook) -> None:
        """Run a hook in the pods that it names, in all of them at once.

        Raises:
            NotFoundError: no pod of the component runs.
            RunFailedError: it ended with another code than 0.
            DeadlineError: it did not end in its time.
        """
        pods = await running_pods(self._cluster, namespace, component)
        await together(
            self._run_one(namespace, pod, component, hook) for pod in chosen_pods(pods, hook)
        )

    async def _run_one(
        self, namespace: str, pod: Object, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        where = PodRef(namespace, pod["metadata"]["name"], container_of(pod, hook))
        done = await self._cluster.execute(where, hook.command, timeout_s=hook.timeout_s)
        if done.exit_code != 0:
            raise RunFailedError(
                f"a hook of component {component.name} in {where} ended with {done.exit_code}",
                why=done.stderr_tail.strip()[-_WORDS_MAX:],
                next_step="Correct the hook in the Application document, then back up again.",
            )


def chosen_pods(pods: list[Object], hook: CapturedHook) -> list[Object]:
    """Choose the pods in which a hook runs.

    Raises:
        NotFoundError: a leader is asked for and no pod is labelled as one.
    """
    if hook.pods == "all":
        return pods
    if hook.pods == "any":
        return pods[:1]
    leaders = [pod for pod in pods if _leads(pod)]
    if not leaders:
        raise NotFoundError(
            "no pod is labelled as the leader",
            why=f"none of the labels {', '.join(_LEADER_LABELS)} says so",
            next_step="Use `pods: any` or `pods: all` in the hook.",
        )
    return leaders[:1]


def _leads(pod: Object) -> bool:
    labels = pod["metadata"].get("labels", {})
    return any(labels.get(key) in _LEADER_VALUES for key in _LEADER_LABELS)
