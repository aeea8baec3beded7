"""Hooks that teams have written as annotations of pods for Velero or K8up, taken over. Pure.

What a document says itself always wins, a profile never. A workload with such annotations that no
component names becomes one. A dump without a load could not be restored, so K8up's is taken only
where the component has a load. `appshield.io/imported-hooks: ignore` on the Application takes none.

Source: Velero's documentation of backup hooks (`pre|post.hook.backup.velero.io/{command, container,
on-error, timeout}`; of old without `pre.`) and K8up's of application-aware backups
(`k8up.io/backupcommand`, `k8up.io/backupcommand-container`).
"""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from appshield.language import defaults
from appshield.language.component_spec import HookPods, OnError, Workload
from appshield.language.resolved import Origin, ResolvedApplication, ResolvedComponent, ResolvedHook
from appshield.language.values import SECONDS_BY_UNIT, seconds
from appshield.manifests.objects import Object, annotations_of, kind_of, name_of
from appshield.manifests.workloads import pod_template

IMPORTED_HOOKS = "appshield.io/imported-hooks"
_BEFORE, _AFTER = "pre.hook.backup.velero.io", "post.hook.backup.velero.io"
_BEFORE_OF_OLD = "hook.backup.velero.io"
_DUMP, _DUMP_CONTAINER = "k8up.io/backupcommand", "k8up.io/backupcommand-container"
_ASKING = (*(f"{prefix}/command" for prefix in (_BEFORE, _BEFORE_OF_OLD, _AFTER)), _DUMP)
_GO_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VELERO_TIMEOUT_S = 30
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


def import_hooks(application: ResolvedApplication, members: Iterable[Object]) -> Imported:
    """Add the hooks that the members' pods are annotated with."""
    if application.annotations.get(IMPORTED_HOOKS) == "ignore":
        return Imported(application)
    notes: list[str] = []
    components = {(part.workload.kind, part.workload.name): part for part in application.components}
    for found in _find(members, notes):
        key = (found.workload.kind, found.workload.name)
        part = components.get(key) or _new_component(application, found.workload, notes)
        if part is not None:
            components[key] = _with(part, found, notes)
    return Imported(replace(application, components=tuple(components.values())), tuple(notes))


def _find(members: Iterable[Object], notes: list[str]) -> Iterator[_Found]:
    for obj in sorted(members, key=lambda one: (kind_of(one), name_of(one))):
        template = pod_template(obj)
        annotations = annotations_of(template.template) if template is not None else {}
        if not any(name in annotations for name in _ASKING):
            continue
        workload = Workload(kind=kind_of(obj), name=name_of(obj))
        try:
            yield _read(workload, annotations)
        except ValueError as error:
            notes.append(f"hooks of {workload.kind} {workload.name} are not imported: {error}")


def _read(workload: Workload, annotations: Mapping[str, str]) -> _Found:
    before = _velero(annotations, _BEFORE) or _velero(annotations, _BEFORE_OF_OLD)
    after = _velero(annotations, _AFTER)
    dump = None
    if text := annotations.get(_DUMP):
        dump = ResolvedHook(
            command=tuple(shlex.split(text)),
            container=annotations.get(_DUMP_CONTAINER, ""),
            timeout_s=seconds(defaults.COPY_TIMEOUT),
            on_error="fail",
            pods=defaults.COPY_PODS,
        )
    return _Found(
        workload=workload,
        quiesce=before or _nothing(after),
        resume=after or _nothing(before),
        dump=dump,
    )


def _velero(annotations: Mapping[str, str], prefix: str) -> ResolvedHook | None:
    text = annotations.get(f"{prefix}/command", "").strip()
    if not text:
        return None
    on_error: OnError = (
        "continue" if annotations.get(f"{prefix}/on-error") == "Continue" else "fail"
    )
    pods: HookPods = "all"  # each pod that carries the annotation
    return ResolvedHook(
        command=_argv(text),
        container=annotations.get(f"{prefix}/container", ""),
        timeout_s=_timeout_s(annotations.get(f"{prefix}/timeout", "")),
        on_error=on_error,
        pods=pods,
    )


def _argv(text: str) -> tuple[str, ...]:
    """Read a command: a JSON list of arguments, or one program; no shell either way."""
    if not text.startswith("["):
        return (text,)
    try:
        words = msgspec.json.decode(text, type=tuple[str, ...])
    except msgspec.MsgspecError as error:
        raise ValueError(f"{json.dumps(text[:80])} is no list of texts ({error})") from error
    if not words:
        raise ValueError("a command is an empty list")
    return words


def _timeout_s(text: str) -> int:
    """Read a duration as Go writes it; whole seconds are enough for a hook."""
    if not text:
        return _VELERO_TIMEOUT_S
    found = _GO_DURATION.fullmatch(text)
    units = zip((found.groups() if found else ()), "hms", strict=False)
    total = sum(int(number) * SECONDS_BY_UNIT[unit] for number, unit in units if number)
    if not total:
        raise ValueError(f"{text[:40]!r} is no timeout such as 30s or 5m")
    return total


def _nothing(other: ResolvedHook | None) -> ResolvedHook | None:
    """Our hooks come in pairs: the missing one does nothing, where the other one runs."""
    return None if other is None else replace(other, command=("true",))


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
