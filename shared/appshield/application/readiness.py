"""Whether an application can be saved as it stands, and what of it. Pure."""

from appshield.application.capturing import captured_hook
from appshield.application.reading import Reading
from appshield.errors import NotFoundError, RefusedError
from appshield.kubernetes import Object
from appshield.language.resolved import ResolvedComponent
from appshield.manifests.volumes import VolumePlanning, volume_plan
from appshield.manifests.workloads import pods_by_workload
from appshield.podvolumes.components import container_of
from appshield.podvolumes.hooks import chosen_pods


def plan_of(reading: Reading) -> VolumePlanning:
    """Decide how each volume is read.

    Raises:
        RefusedError: names everything that cannot be saved, and why.
    """
    planning = planning_of(reading)
    refusals = obstacles(reading, planning)
    if refusals:
        raise RefusedError(
            f"application {reading.application.namespace}/{reading.application.name} "
            "cannot be backed up as its document stands",
            why="; ".join(refusals),
            next_step="Correct the document or what it names, then back up again.",
        )
    return planning


def planning_of(reading: Reading) -> VolumePlanning:
    """Decide about every volume, refusals included."""
    return volume_plan(
        reading.application,
        members=reading.membership.objects,
        pods=reading.pods,
        claims=reading.claims,
        volumes=reading.volumes,
        snapshot_classes=reading.snapshot_classes,
        objects=reading.objects,
    )


def obstacles(reading: Reading, planning: VolumePlanning) -> list[str]:
    """Name everything because of which the application cannot be saved."""
    components = reading.application.components
    found = [f"{one.name}: {one.reason}" for one in planning.refusals]
    found += [
        f"component {part.name}: its {part.workload.kind} {part.workload.name} does not exist"
        for part in components
        if not _has_workload(reading, part)
    ]
    found += [
        f"component {part.name}: strategy dump, and neither the document nor profile "
        f"{part.profile} has a dump"
        for part in components
        if part.strategy == "dump" and part.dump is None
    ]
    return found


def hooks_without_place(reading: Reading) -> list[str]:
    """Name every hook that has no running pod, or no container of its name, to run in."""
    pods = pods_by_workload(list(reading.pods), list(reading.objects))
    found = []
    for part in reading.application.components:
        its = [
            pod
            for workload, made in pods.items()
            if (workload.kind, workload.name) == (part.workload.kind, part.workload.name)
            for pod in made
            if pod.get("status", {}).get("phase") == "Running"
        ]
        if part.strategy != "none" and _has_workload(reading, part):
            found += _without_place(part, its)
    return found


def _without_place(part: ResolvedComponent, pods: list[Object]) -> list[str]:
    found = []
    for name, hook in (("quiesce", part.quiesce), ("dump", part.dump)):
        wanted = captured_hook(hook)
        if wanted is None:
            continue
        where = f"component {part.name}: its {name} has no place to run in"
        if not pods:
            found.append(f"{where}, as no pod of {part.workload.kind} {part.workload.name} runs")
            continue
        try:
            for pod in chosen_pods(pods, wanted):
                container_of(pod, wanted)
        except NotFoundError as error:
            found.append(f"{where}: {error}")
    return found


def _has_workload(reading: Reading, part: ResolvedComponent) -> bool:
    wanted = (part.workload.kind, part.workload.name)
    return any((obj["kind"], obj["metadata"]["name"]) == wanted for obj in reading.objects)
