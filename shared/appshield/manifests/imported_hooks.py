"""Hooks that teams have written as annotations of pods for Velero or K8up, taken over. Pure.

What a document says itself always wins, a profile never. A workload with such annotations that no
component names becomes one. Annotations count that all running pods of a workload carry, wherever
they were written, or else those of its template; where no pod runs, no command could. A dump
without a load could not be restored, so K8up's is taken only where the component has a load. What
else the two read and AppShield does not is told.
`appshield.io/imported-hooks: ignore` on the Application takes none.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from appshield.language import defaults
from appshield.language.component_spec import RUNNABLE, Workload
from appshield.language.resolved import Origin, ResolvedApplication, ResolvedComponent, ResolvedHook
from appshield.manifests.k8up_hooks import HOOK_PREFIXES as K8UP_PREFIXES
from appshield.manifests.k8up_hooks import k8up_dump, k8up_left_out
from appshield.manifests.objects import (
    Object,
    Reference,
    annotations_of,
    by_reference,
    kind_of,
    mapping,
    name_of,
    reference_of,
)
from appshield.manifests.velero_hooks import HOOK_PREFIXES as VELERO_PREFIXES
from appshield.manifests.velero_hooks import velero_hooks, velero_left_out
from appshield.manifests.workloads import owners_of, pod_template

IMPORTED_HOOKS = "appshield.io/imported-hooks"
_PREFIXES = (*VELERO_PREFIXES, *K8UP_PREFIXES)
_COMMANDS = ("/command", "/backupcommand")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_IMPORTED: Origin = "annotation"
_FIELDS = (
    "profile",
    "strategy",
    "volumes.method",
    "volumes.exclude",
    "volumes.single",
    "allowLive",
)
"""Fields of a component that is made for imported hooks alone."""


class Imported(msgspec.Struct, frozen=True):
    """The application with the hooks that were found, and what there is to say about them."""

    application: ResolvedApplication
    notes: tuple[str, ...] = ()


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """The hooks of one workload's pods."""

    workload: Workload
    quiesce: ResolvedHook | None
    resume: ResolvedHook | None
    dump: ResolvedHook | None


def import_hooks(
    application: ResolvedApplication, members: Iterable[Object], pods: Iterable[Object]
) -> Imported:
    """Add the hooks that the members' pods are annotated with.

    Args:
        application: the resolved document.
        members: the objects that belong to it.
        pods: all pods of its namespace.
    """
    if application.annotations.get(IMPORTED_HOOKS) == "ignore":
        return Imported(application)
    notes: list[str] = []
    known = by_reference(members)
    running = _running(pods, known)
    components = {(part.workload.kind, part.workload.name): part for part in application.components}
    for reference, obj in known.items():
        notes += (*velero_left_out(obj), *k8up_left_out(obj))
        found = _find(obj, running.get(reference, ()), notes)
        if found is None:
            continue
        key = (found.workload.kind, found.workload.name)
        part = components.get(key) or _new_component(application, found.workload, notes)
        if part is not None:
            components[key] = _with(part, found, notes)
    return Imported(replace(application, components=tuple(components.values())), tuple(notes))


def _running(
    pods: Iterable[Object], known: Mapping[Reference, Object]
) -> dict[Reference, list[Object]]:
    """Return the running pods of each member that makes some."""
    found: dict[Reference, list[Object]] = {}
    for pod in by_reference(pods).values():
        if mapping(pod, "status").get("phase") == "Running":
            for owner in owners_of(pod, known):
                found.setdefault(owner, []).append(pod)
    return found


def _find(obj: Object, pods: Sequence[Object], notes: list[str]) -> _Found | None:
    template = pod_template(obj)
    if template is None:
        return None
    written = _hook_annotations(template.template)
    carried = [_hook_annotations(pod) for pod in pods]
    if not written and not any(carried):
        return None
    alike = bool(carried) and carried.count(carried[0]) == len(carried)
    try:
        found = _read(obj, carried[0] if alike else written)
    except ValueError as error:
        why = str(error)
    else:
        why = _obstacle(found, pods)
        if found is not None and not why:
            return found
    notes.append(f"hooks of {reference_of(obj)} are not imported: {why}")
    return None


def _read(obj: Object, annotations: Mapping[str, str]) -> _Found | None:
    quiesce, resume = velero_hooks(annotations)
    dump = k8up_dump(annotations)
    if quiesce is None and dump is None:
        return None
    workload = Workload(kind=kind_of(obj), name=name_of(obj))
    return _Found(workload=workload, quiesce=quiesce, resume=resume, dump=dump)


def _obstacle(found: _Found | None, pods: Sequence[Object]) -> str:
    if found is None:
        return "not all of its pods carry the same command; write it into its template"
    if found.workload.kind not in RUNNABLE:
        return f"commands run in pods of {', '.join(RUNNABLE)}"
    return "" if pods else "no pod of it runs"


def _hook_annotations(obj: Object) -> dict[str, str]:
    """Return what the two read, where a command is among it."""
    annotations = annotations_of(obj)
    found = {name: text for name, text in annotations.items() if name.startswith(_PREFIXES)}
    commands = [text for name, text in found.items() if name.endswith(_COMMANDS)]
    return found if any(text.strip() for text in commands) else {}


def _new_component(
    application: ResolvedApplication, workload: Workload, notes: list[str]
) -> ResolvedComponent | None:
    taken = {part.name for part in application.components}
    name = (
        workload.name if workload.name not in taken else f"{workload.kind.lower()}-{workload.name}"
    )
    if not _LABEL.fullmatch(name):
        notes.append(f"hooks of {workload.kind} {workload.name} need a component that names it")
        return None
    return ResolvedComponent(
        name=name,
        workload=workload,
        profile=application.type,
        strategy=defaults.STRATEGY,
        quiesce=None,
        resume=None,
        dump=None,
        load=None,
        volume_method=defaults.VOLUME_METHOD,
        excluded_volumes=(),
        single_volume=defaults.SINGLE_VOLUME,
        allow_live=defaults.ALLOW_LIVE,
        origins=dict.fromkeys(_FIELDS, "default"),
    )


def _with(part: ResolvedComponent, found: _Found, notes: list[str]) -> ResolvedComponent:
    if found.quiesce is not None:
        if part.quiesce is None or part.origins["quiesce"] == "profile":
            origins = {**part.origins, "quiesce": _IMPORTED, "resume": _IMPORTED}
            part = replace(part, quiesce=found.quiesce, resume=found.resume, origins=origins)
            notes.append(f"component {part.name} is quiesced by hooks written for Velero")
        else:
            notes.append(f"component {part.name} has hooks of its own; those for Velero do not run")
    if found.dump is not None and part.dump is None:
        if part.load is None:
            notes.append(
                f"the dump of component {part.name} written for K8up is not made: without a load "
                "it could not be restored"
            )
        else:
            origins = {**part.origins, "dump": _IMPORTED}
            part = replace(part, dump=found.dump, origins=origins)
            notes.append(f"component {part.name} is dumped by the command written for K8up")
    return part
