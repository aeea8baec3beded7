"""Backup commands as K8up reads them from a pod's annotations, and what else it reads. Pure.

`k8up.io/{backupcommand, backupcommand-container}`; version 1 wrote `k8up.syn.tools/`, those before
it `appuio.ch/`. A command is split at blanks; quotes hold words together where a word begins, and
mean nothing elsewhere. Source: k8up-io/k8up, restic/kubernetes/pod_{list,exec}.go,
operator/backupcontroller/executor.go; firepear/qsplit.
"""

import re
from collections.abc import Iterator, Mapping

from appshield.language import defaults
from appshield.language.resolved import ResolvedHook
from appshield.language.values import seconds
from appshield.manifests.objects import Object, annotations_of, group_of, kind_of, reference_of

_PREFIXES = ("k8up.io", "k8up.syn.tools", "appuio.ch")
HOOK_PREFIXES = tuple(f"{prefix}/backupcommand" for prefix in _PREFIXES)
_GROUPS = ("k8up.io", "backup.appuio.ch")
_WORD = re.compile(r"""'([^']*)(?:'|$)|"([^"]*)(?:"|$)|([^ \t'"][^ \t]*)""")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})


def k8up_dump(annotations: Mapping[str, str]) -> ResolvedHook | None:
    """Return the command whose output is a dump; it runs in one pod."""
    for prefix in _PREFIXES:
        if words := _words(annotations.get(f"{prefix}/backupcommand", "")):
            return ResolvedHook(
                command=words,
                container=annotations.get(f"{prefix}/backupcommand-container", ""),
                timeout_s=seconds(defaults.COPY_TIMEOUT),
                on_error="fail",
                pods=defaults.COPY_PODS,
            )
    return None


def k8up_left_out(obj: Object) -> Iterator[str]:
    """Tell what K8up would do with a member, and AppShield does not."""
    if group_of(obj) in _GROUPS and kind_of(obj) == "PreBackupPod":
        yield f"{reference_of(obj)} of K8up is not run; dumps are made in pods of the application"
    if kind_of(obj) != "PersistentVolumeClaim":
        return
    for prefix in _PREFIXES:
        wanted = annotations_of(obj).get(f"{prefix}/backup")
        if wanted is not None and wanted not in _TRUE:
            yield (
                f"{reference_of(obj)} is saved, whatever {prefix}/backup says to K8up; the label "
                "appshield.io/exclude leaves it out"
            )


def _words(text: str) -> tuple[str, ...]:
    found = _WORD.finditer(text.strip())
    return tuple(next(part for part in one.groups() if part is not None) for one in found)
