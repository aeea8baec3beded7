"""Backup for GKE's ProtectedApplication: a selector, and a strategy with hooks per component.

| there | here |
| --- | --- |
| BackupAllRestoreAll | strategy snapshot; pre and post hooks are quiesce and resume |
| BackupOneRestoreAll | strategy one-replica of the target, hooks in the pod that is saved; the |
|                     | others get its data |
| DumpAndLoad | the dump hooks quiesce the dump target, whose chosen volumes are saved, the post |
|             | hooks resume it; the load target gets the data, then the load hooks run there |

Every named workload becomes a component. Several hooks of one list run one after the other in a
shell, which is possible in one container only. What runs in one pod runs in the first that is up;
Backup for GKE dumps in the second one of a single StatefulSet of three or more. Source: the
references of `gkebackup.gke.io/v1` in Google's documentation of GKE and of Distributed Cloud.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from appshield.language.adapters.adapter import (
    Adapted,
    Adapter,
    ForeignKind,
    Object,
    Place,
    application,
)
from appshield.language.adapters.annotations import is_protected, spec_of
from appshield.language.component_spec import HookPods
from appshield.language.problems import DocumentError

_NAME = "gke"
_STRATEGIES = {
    "BackupAllRestoreAll": "backupAllRestoreAll",
    "BackupOneRestoreAll": "backupOneRestoreAll",
    "DumpAndLoad": "dumpAndLoad",
}


def _place(document: Object) -> Place | None:
    metadata = document["metadata"]
    annotations = metadata.get("annotations") or {}
    if not is_protected({"appshield.io/protect": "true", **annotations}):
        return None
    return Place(metadata["namespace"], metadata["name"])


def _adapt(document: Object, _: Sequence[Object]) -> Adapted:
    metadata, spec = document["metadata"], document.get("spec") or {}
    selection = spec.get("resourceSelection") or {}
    asked = spec_of(metadata.get("annotations") or {})
    if selection.get("selector"):
        asked["resources"] = {"selector": selection["selector"]}
    components = [part for one in spec.get("components") or () for part in _components(one)]
    if components:
        asked["components"] = components
    place = Place(metadata["namespace"], metadata["name"])
    return Adapted(application(_NAME, document, place, asked))


def _components(component: Object) -> Iterator[Object]:
    """Make a component of ours for each workload that a foreign one names."""
    kind, names = component.get("resourceKind"), component.get("resourceNames") or ()
    strategy = component.get("strategy") or {}
    wanted = str(strategy.get("type") or "BackupAllRestoreAll")
    if wanted not in _STRATEGIES:
        known = f"write one of {', '.join(_STRATEGIES)}"
        name = component.get("name")
        raise DocumentError([f"component {name}: strategy {wanted} is not known; {known}"])
    detail = strategy.get(_STRATEGIES[wanted]) or {}
    for name in names:
        part: Object = {
            "name": _name(component, name),
            "workload": {"kind": kind, "name": name},
        }
        yield part | _READERS[wanted](component, detail, name)


def _name(component: Object, workload: str) -> str:
    """Name a component of ours; a foreign one of several workloads becomes several."""
    alone = len(component.get("resourceNames") or ()) == 1
    return str(component["name"]) if alone else f"{component['name']}-{workload}"[:63]


def _data_of(component: Object, target: object) -> Object:
    """Say that a workload comes back with the data of the one that was saved."""
    saved = next(
        (one for one in component["resourceNames"] if _is_target(target, one, component)), None
    )
    return {"dataOf": _name(component, saved)} if saved else {"strategy": "none"}


def _backup_all(component: Object, detail: Object, _: str) -> Object:
    return {"strategy": "snapshot", **_hot(component, detail, pods="all"), **_volumes(detail)}


def _backup_one(component: Object, detail: Object, name: str) -> Object:
    if not _is_target(detail.get("backupTargetName"), name, component):
        return _data_of(component, detail.get("backupTargetName"))
    return {"strategy": "one-replica", **_hot(component, detail, pods="any"), **_volumes(detail)}


def _dump_and_load(component: Object, detail: Object, name: str) -> Object:
    dumps = _is_target(detail.get("dumpTarget"), name, component)
    loads = _is_target(detail.get("loadTarget") or detail.get("dumpTarget"), name, component)
    if dumps:
        # The dump is written to a volume before the cut, so this is what quiesce means here.
        hot = _hot(component, detail, pods="any", first="dumpHooks")
        part: Object = {"strategy": "snapshot", **hot, **_volumes(detail)}
    else:
        part = _data_of(component, detail.get("dumpTarget")) if loads else {"strategy": "none"}
    if loads and (hook := _hook(component, "loadHooks", detail, pods="any")):
        part["load"] = hook
    return part


_READERS = {
    "BackupAllRestoreAll": _backup_all,
    "BackupOneRestoreAll": _backup_one,
    "DumpAndLoad": _dump_and_load,
}


def _is_target(target: object, name: str, component: Object) -> bool:
    """Whether a target names this workload; it may also name one of its pods, or nothing."""
    names = component.get("resourceNames") or ()
    wanted = str(target or "")
    by_pod = [one for one in names if wanted.startswith(f"{one}-")]
    return wanted == name or not wanted or (wanted not in names and by_pod[:1] == [name])


def _hot(
    component: Object, detail: Object, *, pods: HookPods, first: str = "backupPreHooks"
) -> Object:
    """Map the hooks around the cut; ours come in pairs."""
    before = _hook(component, first, detail, pods=pods)
    after = _hook(component, "backupPostHooks", detail, pods=pods)
    if before is None and after is None:
        return {}
    nothing = _nothing_in(before or after or {})
    return {"quiesce": before or nothing, "resume": after or nothing}


def _nothing_in(hook: Object) -> Object:
    """Make a hook that does nothing, in the container and the pods of another."""
    return {"command": ["true"], **{key: hook[key] for key in ("container", "pods") if key in hook}}


def _hook(
    component: Object, field: str, detail: Object, *, pods: HookPods
) -> dict[str, Any] | None:
    hooks = detail.get(field) or []
    if not hooks:
        return None
    containers = {str(one.get("container") or "") for one in hooks}
    if len(containers) > 1:
        where = ", ".join(sorted(containers))
        right = "AppShield runs one list in one container"
        raise DocumentError([f"component {component.get('name')}: {field} run in {where}; {right}"])
    commands = [[str(word) for word in one["command"]] for one in hooks]
    joined = " && ".join(f"( {shlex.join(words)} )" for words in commands)
    hook: dict[str, Any] = {
        "command": commands[0] if len(commands) == 1 else ["/bin/sh", "-c", joined],
        "container": containers.pop(),
        "timeout": f"{sum(int(one.get('timeoutSeconds') or 30) for one in hooks)}s",
        "pods": pods,
    }
    if all(one.get("onError") == "Ignore" for one in hooks):
        hook["onError"] = "continue"
    if not hook["container"]:
        del hook["container"]
    return hook


def _volumes(detail: Object) -> Object:
    selector = detail.get("volumeSelector")
    return {"volumes": {"selector": selector}} if selector else {}


ADAPTER = Adapter(
    name=_NAME,
    kind=ForeignKind("gkebackup.gke.io", "v1", "ProtectedApplication", "protectedapplications"),
    place=_place,
    adapt=_adapt,
)
