"""From what was read to what is kept: the captured application. Pure."""

from collections.abc import Iterable

from appshield.application.reading import Reading
from appshield.capture import (
    CapturedApplication,
    CapturedComponent,
    CapturedHook,
    CapturedImage,
    CapturedVolume,
)
from appshield.contracts.backups import DocumentRevision
from appshield.kubernetes import Object
from appshield.language.resolved import ResolvedComponent, ResolvedHook
from appshield.language.resolving import revision
from appshield.manifests.cleaning import clean
from appshield.manifests.images import image_digests, pin_images
from appshield.manifests.objects import group_of, kind_of
from appshield.manifests.volumes import VolumePlan


def capture(reading: Reading, plan: tuple[VolumePlan, ...]) -> CapturedApplication:
    """Clean the members, pin their images, and write down how the state is kept."""
    application = reading.application
    members = [obj for obj in reading.membership.objects if not is_finished_job(obj)]
    digests = image_digests(reading.objects, reading.pods)
    pinned = pin_images([clean(obj) for obj in members], digests.pinned)
    return CapturedApplication(
        namespace=application.namespace,
        name=application.name,
        uid=application.uid,
        revision=application.revision,
        document=clean(reading.document),
        objects=(clean(reading.namespace), *pinned.objects),
        components=tuple(_component(part) for part in application.components),
        volumes=tuple(
            CapturedVolume(
                claim=volume.claim,
                component=volume.component,
                method=volume.method,
                reason=volume.reason,
            )
            for volume in plan
        ),
        images=tuple(
            CapturedImage(
                workload=str(key.workload),
                container=key.container,
                image=key.image,
                digest=image.partition("@")[2],
            )
            for key, image in sorted(digests.pinned.items())
        ),
        warnings=(
            *reading.notes,
            *digests.warnings,
            *pinned.warnings,
            *reading.membership.missing,
        ),
    )


def profiles_of(reading: Reading) -> tuple[DocumentRevision, ...]:
    """Name the content of each profile that a component takes a value from."""
    parts = reading.application.components
    named = {part.profile for part in parts if "profile" in part.origins.values()}
    taken = [profile for name in named if (profile := reading.profiles.of(name))]
    return tuple(
        DocumentRevision(kind="Profile", name=one.metadata.name, revision=revision(one.spec))
        for one in sorted(taken, key=lambda one: one.metadata.name)
    )


def kinds_of(objects: Iterable[Object]) -> tuple[str, ...]:
    """Name the kinds of objects as `Kind.group`, without a group those of the core one."""
    named = {(kind_of(obj), group_of(obj)) for obj in objects}
    return tuple(sorted(f"{kind}.{group}" if group else kind for kind, group in named))


def is_finished_job(obj: Object) -> bool:
    """Say whether an object is a Job that has ended: restored, it would run again."""
    if obj.get("kind") != "Job" or not str(obj.get("apiVersion", "")).startswith("batch/"):
        return False
    conditions = obj.get("status", {}).get("conditions") or []
    return any(c["type"] in {"Complete", "Failed"} and c["status"] == "True" for c in conditions)


def _component(part: ResolvedComponent) -> CapturedComponent:
    return CapturedComponent(
        name=part.name,
        workload_kind=part.workload.kind,
        workload_name=part.workload.name,
        strategy=part.strategy,
        quiesce=captured_hook(part.quiesce),
        resume=captured_hook(part.resume),
        dump=captured_hook(part.dump),
        load=captured_hook(part.load),
        data_of=part.data_of,
    )


def captured_hook(hook: ResolvedHook | None) -> CapturedHook | None:
    """Return the hook as it is written into a version."""
    if hook is None:
        return None
    return CapturedHook(
        command=hook.command,
        container=hook.container,
        timeout_s=hook.timeout_s,
        on_error=hook.on_error,
        pods=hook.pods,
    )
