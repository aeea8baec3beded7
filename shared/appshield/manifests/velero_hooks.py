"""Backup hooks as Velero reads them from a pod's annotations, and what else it reads there. Pure.

`pre|post.hook.backup.velero.io/{command, container, on-error, timeout}`, of old without `pre.`. A
command is a JSON list or one program, without a shell; a timeout that is none is Velero's default.
Source: velero-io/velero, internal/hook/item_hook_handler.go, pkg/podexec/pod_command_executor.go,
pkg/apis/velero/v1/labels_annotations.go.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from appshield.language.component_spec import HookPods, OnError
from appshield.language.resolved import ResolvedHook
from appshield.manifests.objects import Object, annotations_of, entries, labels_of, reference_of
from appshield.manifests.workloads import pod_template

_BEFORE, _AFTER = "pre.hook.backup.velero.io", "post.hook.backup.velero.io"
_BEFORE_OF_OLD = "hook.backup.velero.io"
HOOK_PREFIXES = (f"{_BEFORE}/", f"{_AFTER}/", f"{_BEFORE_OF_OLD}/")
_RESTORE_HOOKS = (
    "post.hook.restore.velero.io/command",
    "init.hook.restore.velero.io/container-image",
)
_EXCLUDED_VOLUMES = "backup.velero.io/backup-volumes-excludes"
_EXCLUDED = "velero.io/exclude-from-backup"
_TIMEOUT_S, _TIMEOUT_MAX_S = 30, 4 * 3600
_DURATION_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"\+?(?:{_DURATION_PART}){{1,20}}")
_SECONDS_BY_UNIT = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600,
}  # fmt: skip


def velero_hooks(
    annotations: Mapping[str, str],
) -> tuple[ResolvedHook | None, ResolvedHook | None]:
    """Return what runs before and after the cut; the missing one of a pair does nothing.

    Raises:
        ValueError: a command that is no list of texts, which Velero could not run either.
    """
    before = _hook(annotations, _BEFORE) or _hook(annotations, _BEFORE_OF_OLD)
    after = _hook(annotations, _AFTER)
    return before or _nothing(after), after or _nothing(before)


def velero_left_out(obj: Object) -> Iterator[str]:
    """Tell what Velero would do with a member, and AppShield does not."""
    if labels_of(obj).get(_EXCLUDED) == "true":
        yield f"{reference_of(obj)} is saved, whatever the label {_EXCLUDED} says to Velero"
    template = pod_template(obj)
    if template is None:
        return
    annotations = annotations_of(template.template)
    if any(name in annotations for name in _RESTORE_HOOKS):
        yield (
            f"the restore hook of {reference_of(obj)} written for Velero does not run; what is to "
            "run after a restore is the load of a component"
        )
    claimed = {
        str(one.get("name"))
        for one in (
            *(one for one in entries(template.spec, "volumes") if "persistentVolumeClaim" in one),
            *(one["metadata"] for one in _claim_templates(obj)),
        )
    }
    excluded = {one.strip() for one in annotations.get(_EXCLUDED_VOLUMES, "").split(",")}
    if names := ", ".join(sorted(claimed & excluded)):
        yield (
            f"volumes {names} of {reference_of(obj)}: what {_EXCLUDED_VOLUMES} says to Velero is "
            "not taken over; volumes.exclude of a component leaves them out"
        )


def _claim_templates(obj: Object) -> list[Object]:
    spec = obj.get("spec")
    return [
        one
        for one in entries(spec, "volumeClaimTemplates")
        if isinstance(one.get("metadata"), dict)
    ]


def _hook(annotations: Mapping[str, str], prefix: str) -> ResolvedHook | None:
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
    """Read a duration as Go writes it, in whole seconds."""
    if not _DURATION.fullmatch(text):
        return _TIMEOUT_S
    parts = re.findall(_DURATION_PART, text)
    total = sum(float(number) * _SECONDS_BY_UNIT[unit] for number, unit in parts)
    return min(math.ceil(total), _TIMEOUT_MAX_S) if 0 < total < math.inf else _TIMEOUT_S


def _nothing(other: ResolvedHook | None) -> ResolvedHook | None:
    """Our hooks come in pairs: the missing one does nothing, where the other one runs."""
    return None if other is None else replace(other, command=("true",))
