"""Annotations written for Velero and K8up become hooks; what a document says itself wins."""

from typing import Any

import pytest

from appshield.language.resolved import ResolvedComponent
from appshield.manifests.imported_hooks import IMPORTED_HOOKS, Imported, import_hooks
from appshield.manifests.objects import Object
from unit.manifests.shop import application, component

BEFORE = {
    "pre.hook.backup.velero.io/command": '["/sbin/fsfreeze", "--freeze", "/var/log/nginx"]',
    "pre.hook.backup.velero.io/container": "fsfreeze",
    "pre.hook.backup.velero.io/timeout": "1m30s",
    "pre.hook.backup.velero.io/on-error": "Continue",
}
AFTER = {"post.hook.backup.velero.io/command": "/unfreeze"}
DUMP = {
    "k8up.io/backupcommand": "sh -c 'PGDATABASE=shop pg_dump --clean'",
    "k8up.io/backupcommand-container": "postgres",
    "k8up.io/file-extension": ".sql",
}
HOOK = {"command": ["own"]}


def workload(kind: str = "StatefulSet", name: str = "db", **annotations: str) -> Object:
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": []}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": template},
    }


def imported(annotations: dict[str, str], *components: dict[str, Any]) -> Imported:
    return import_hooks(application(components=list(components)), [workload(**annotations)])


def the_component(found: Imported) -> ResolvedComponent:
    (part,) = found.application.components
    return part


def test_hooks_of_velero_quiesce_and_resume_a_new_component() -> None:
    """In each pod, in the container and the time that were asked for."""
    found = imported(BEFORE | AFTER)
    part = the_component(found)
    assert (part.name, part.workload.kind, part.workload.name) == ("db", "StatefulSet", "db")
    assert part.quiesce
    assert part.resume
    assert part.quiesce.command == ("/sbin/fsfreeze", "--freeze", "/var/log/nginx")
    assert (part.quiesce.container, part.quiesce.timeout_s) == ("fsfreeze", 90)
    assert (part.quiesce.on_error, part.quiesce.pods) == ("continue", "all")
    assert (part.resume.command, part.resume.timeout_s) == (("/unfreeze",), 30)
    assert found.notes == ("component db is quiesced by hooks written for Velero",)


def test_hooks_written_for_velero_of_old_run_before() -> None:
    """Annotations without a phase; one with its phase goes before them."""
    of_old = {name.removeprefix("pre."): text for name, text in BEFORE.items()}
    assert imported(of_old | AFTER) == imported(BEFORE | AFTER)
    other = {"hook.backup.velero.io/command": "/other"}
    assert imported(other | BEFORE | AFTER) == imported(BEFORE | AFTER)


@pytest.mark.parametrize("annotations", [BEFORE, AFTER])
def test_a_hook_alone_gets_a_partner_that_does_nothing(annotations: dict[str, str]) -> None:
    """Ours come in pairs: what is quiesced is resumed."""
    part = the_component(imported(annotations))
    assert part.quiesce
    assert part.resume
    assert ("true",) in (part.quiesce.command, part.resume.command)
    assert part.quiesce.container == part.resume.container


def test_the_documents_own_hooks_win() -> None:
    """They were written for this tool."""
    found = imported(BEFORE, component("db", quiesce=HOOK, resume=HOOK))
    part = the_component(found)
    assert part.quiesce
    assert part.quiesce.command == ("own",)
    assert "hooks of its own" in found.notes[0]


def test_a_dump_of_k8up_is_made_where_it_can_be_loaded() -> None:
    """Its words are those of a shell, without a shell."""
    part = the_component(imported(DUMP, component("db", load=HOOK)))
    assert part.dump
    assert part.dump.command == ("sh", "-c", "PGDATABASE=shop pg_dump --clean")
    assert (part.dump.container, part.dump.pods) == ("postgres", "any")


def test_a_dump_that_could_not_be_restored_is_not_made() -> None:
    """And somebody is told."""
    found = imported(DUMP, component("db"))
    assert the_component(found).dump is None
    assert "without a load it could not be restored" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pre.hook.backup.velero.io/command", '["unfinished'),
        ("pre.hook.backup.velero.io/command", "[]"),
        ("pre.hook.backup.velero.io/timeout", "soon"),
        ("k8up.io/backupcommand", "sh -c 'unfinished"),
    ],
)
def test_what_cannot_be_read_is_told_and_changes_nothing(name: str, text: str) -> None:
    """A backup does not fail by somebody else's annotation."""
    found = imported({**BEFORE, **DUMP, name: text})
    assert found.application.components == ()
    assert found.notes[0].startswith("hooks of StatefulSet db are not imported: ")


def test_an_application_may_ignore_all_annotations() -> None:
    """While both tools still run, say."""
    app = application()
    app.annotations[IMPORTED_HOOKS] = "ignore"
    assert import_hooks(app, [workload(**BEFORE)]) == Imported(app)


def test_workloads_without_annotations_stay_as_they_are() -> None:
    """No component appears from nowhere."""
    app = application(components=[component("db")])
    assert import_hooks(app, [workload(), workload("Deployment", "web")]) == Imported(app)


def test_a_name_that_is_taken_gets_the_kind_in_front() -> None:
    """A component of that name may run another workload."""
    app = application(components=[component("web", "Deployment")])
    found = import_hooks(app, [workload("StatefulSet", "web", **AFTER)])
    assert [part.name for part in found.application.components] == ["web", "statefulset-web"]
