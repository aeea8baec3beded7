"""Run hooks in containers: the pods of a component's workload, chosen as the hook says."""

from appshield.capture import CapturedApplication, CapturedComponent, CapturedHook, Discretion
from appshield.errors import NotFoundError
from appshield.kubernetes import Cluster, Object, PodRef
from appshield.podvolumes.commands import run_command
from appshield.podvolumes.components import container_of, running_pods
from appshield.service import together

_LEADER_LABELS = ("role", "app.kubernetes.io/role", "cnpg.io/instanceRole", "spilo-role")
_LEADER_VALUES = frozenset({"leader", "master", "primary"})


class ContainerHooks:
    """Runs hooks by exec."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def ensure_possible(
        self, application: CapturedApplication, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        """Find what the hook would run in.

        Raises:
            NotFoundError: there is no such pod, or no such container in it.
        """
        await self._places(application.namespace, component, hook)

    async def run(
        self, application: CapturedApplication, component: CapturedComponent, hook: CapturedHook
    ) -> None:
        """Run a hook in the pods that it names, in all of them at once.

        Raises:
            NotFoundError: no pod of the component runs.
            RunFailedError: it ended with another code than 0, or not in its time.
            UnavailableError: the container cannot be reached now.
        """
        places = await self._places(application.namespace, component, hook)
        discretion = Discretion.of(application.objects, application.components)
        await together(self._run_in(place, component, hook, discretion) for place in places)

    async def _places(
        self, namespace: str, component: CapturedComponent, hook: CapturedHook
    ) -> list[PodRef]:
        pods = await running_pods(self._cluster, namespace, component)
        return [
            PodRef(namespace, pod["metadata"]["name"], container_of(pod, hook))
            for pod in chosen_pods(pods, hook)
        ]

    async def _run_in(
        self,
        place: PodRef,
        component: CapturedComponent,
        hook: CapturedHook,
        discretion: Discretion,
    ) -> None:
        kind = "quiesce" if hook is component.quiesce else "resume"
        await run_command(
            self._cluster,
            place,
            hook,
            what=f"the {kind} hook of component {component.name}",
            next_step="Correct the hook in the Application document, then try again.",
            discretion=discretion,
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
