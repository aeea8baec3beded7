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


def pod_of(owner: Object, number: int = 0, /, phase: str = "Running", **by_hand: str) -> Object:
    """Return a pod that a workload has made, with what somebody annotated it with."""
    annotations = {**owner["spec"]["template"]["metadata"]["annotations"], **by_hand}
    kind, name = owner["kind"], owner["metadata"]["name"]
    controller = {"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{number}",
            "namespace": "shop",
            "annotations": annotations,
            "ownerReferences": [controller],
        },
        "status": {"phase": phase},
    }


def imported(annotations: dict[str, str], *components: dict[str, Any]) -> Imported:
    runs = workload(**annotations)
    return import_hooks(application(components=list(components)), [runs], [pod_of(runs)])


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
    ("command", "words"),
    [
        ("mysqldump -uroot -psecure --all-databases",
         ("mysqldump", "-uroot", "-psecure", "--all-databases")),
        ("""/bin/bash -c 'mysqldump -p"${PASSWORD}" --all-databases'""",
         ("/bin/bash", "-c", 'mysqldump -p"${PASSWORD}" --all-databases')),
        ("""sh -c "echo 'a  b' \\n" \t x""", ("sh", "-c", "echo 'a  b' \\n", "x")),
        ("""dump --user="a b" C:\\x""", ("dump", '--user="a', 'b"', "C:\\x")),
        ("sh -c 'a'b", ("sh", "-c", "a", "b")),
        ("sh -c 'unfinished", ("sh", "-c", "unfinished")),
        ("dump ''\n", ("dump", "")),
    ],
)  # fmt: skip
def test_a_command_of_k8up_is_split_as_k8up_splits_it(command: str, words: tuple[str, ...]) -> None:
    """Quotes count where a word begins; nothing else is special."""
    part = the_component(imported({"k8up.io/backupcommand": command}, component("db", load=HOOK)))
    assert part.dump
    assert part.dump.command == words


@pytest.mark.parametrize("prefix", ["k8up.syn.tools", "appuio.ch"])
def test_annotations_of_the_first_versions_of_k8up_are_read(prefix: str) -> None:
    """The newer ones go before them."""
    of_old = {name.replace("k8up.io", prefix): text for name, text in DUMP.items()}
    own = component("db", load=HOOK)
    assert imported(of_old, own) == imported(DUMP, own)
    of_old[f"{prefix}/backupcommand"] = "other"
    assert imported(of_old | DUMP, own) == imported(DUMP, own)


@pytest.mark.parametrize(
    ("text", "timeout_s"),
    [
        ("1.5h", 5400), ("1h2m3.5s", 3724), ("500ms", 1), ("+90s", 90), (".5m", 30),
        ("0s", 30), ("-5s", 30), ("30", 30), ("soon", 30), ("1d", 30), ("", 30),
        ("9999h", 4 * 3600), ("9" * 400 + "h", 30),
    ],
)  # fmt: skip
def test_a_timeout_is_read_as_velero_reads_it(text: str, timeout_s: int) -> None:
    """One that is none, or not above zero, is its default; four hours are the most."""
    part = the_component(imported({**BEFORE, "pre.hook.backup.velero.io/timeout": text}))
    assert part.quiesce
    assert part.quiesce.timeout_s == timeout_s


def test_annotations_that_pods_got_by_hand_count_where_all_carry_them() -> None:
    """As `kubectl annotate pod` writes them in Velero's documentation."""
    runs = workload("Deployment", "web")
    annotated = [pod_of(runs, number, **BEFORE) for number in range(2)]
    done = pod_of(runs, 2, phase="Succeeded")
    found = import_hooks(application(), [runs], [*annotated, done])
    assert found == import_hooks(
        application(), [workload("Deployment", "web", **BEFORE)], annotated
    )
    part = the_component(found)
    assert part.quiesce
    odd = import_hooks(application(), [runs], [annotated[0], pod_of(runs, 1)])
    assert odd.application.components == ()
    (note,) = odd.notes
    assert "Deployment web are not imported: not all of its pods carry the same command" in note


def test_while_pods_are_exchanged_the_template_counts() -> None:
    """The old ones carry the old annotations."""
    new = workload(**BEFORE)
    pods = [pod_of(new), pod_of(workload(**AFTER), 1)]
    assert import_hooks(application(), [new], pods) == imported(BEFORE)


@pytest.mark.parametrize(
    ("kind", "phase", "why"),
    [
        ("StatefulSet", "Pending", "no pod of it runs"),
        ("ReplicationController", "Running", "commands run in pods of StatefulSet, Deployment"),
    ],
)
def test_hooks_without_a_pod_to_run_in_are_told_and_change_nothing(
    kind: str, phase: str, why: str
) -> None:
    """Neither Velero nor K8up would run them; a backup does not fail by them."""
    runs = workload(kind, **BEFORE, **DUMP)
    if kind == "ReplicationController":
        runs["apiVersion"] = "v1"
    found = import_hooks(application(), [runs], [pod_of(runs, phase=phase)])
    assert found.application.components == ()
    (note,) = found.notes
    assert note.startswith(f"hooks of {kind} db are not imported: {why}")


def test_annotations_without_a_command_are_none() -> None:
    """A container alone asks for nothing."""
    assert imported({"pre.hook.backup.velero.io/container": "db"}) == Imported(application())


def claim(**metadata: dict[str, str]) -> Object:
    named = {"name": "data", "namespace": "shop", **metadata}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": named}


def restored_by(name: str) -> Object:
    return workload(**{name: "x"})


def excluding() -> Object:
    """Return a workload two of whose volumes Velero leaves out; one is on no claim."""
    runs = workload(**{"backup.velero.io/backup-volumes-excludes": "cache, data,scratch"})
    runs["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    runs["spec"]["template"]["spec"]["volumes"] = [
        {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}},
        {"name": "scratch", "emptyDir": {}},
    ]
    return runs


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (claim(labels={"velero.io/exclude-from-backup": "true"}),
         "PersistentVolumeClaim data is saved, whatever the label velero.io/exclude-from-backup"),
        (claim(annotations={"k8up.io/backup": "false"}),
         "PersistentVolumeClaim data is saved, whatever k8up.io/backup says to K8up"),
        (claim(annotations={"appuio.ch/backup": "no"}),
         "PersistentVolumeClaim data is saved, whatever appuio.ch/backup says to K8up"),
        (restored_by("post.hook.restore.velero.io/command"),
         "the restore hook of StatefulSet db written for Velero does not run"),
        (restored_by("init.hook.restore.velero.io/container-image"),
         "the restore hook of StatefulSet db written for Velero does not run"),
        (excluding(),
         "volumes cache, data of StatefulSet db: what backup.velero.io/backup-volumes-excludes"),
        ({"apiVersion": "k8up.io/v1", "kind": "PreBackupPod", "metadata": {"name": "dump"}},
         "PreBackupPod dump of K8up is not run"),
    ],
)  # fmt: skip
def test_what_is_not_taken_over_is_told(member: Object, expected: str) -> None:
    """Nothing is left out by a word to another tool, and nobody believes that it is."""
    (note,) = import_hooks(application(), [member], []).notes
    assert note.startswith(expected)
    ignoring = application()
    ignoring.annotations[IMPORTED_HOOKS] = "ignore"
    assert import_hooks(ignoring, [member], []) == Imported(ignoring)


def test_claims_that_the_two_save_as_well_are_not_spoken_of() -> None:
    """They are told to save them, or nothing."""
    included = {"k8up.io/backup": "true"}
    assert import_hooks(application(), [claim(annotations=included)], []).notes == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pre.hook.backup.velero.io/command", '["unfinished'),
        ("pre.hook.backup.velero.io/command", "[]"),
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
    runs = workload(**BEFORE)
    assert import_hooks(app, [runs], [pod_of(runs)]) == Imported(app)


def test_workloads_without_annotations_stay_as_they_are() -> None:
    """No component appears from nowhere."""
    app = application(components=[component("db")])
    members = [workload(), workload("Deployment", "web")]
    assert import_hooks(app, members, [pod_of(one) for one in members]) == Imported(app)


def test_a_name_that_is_taken_gets_the_kind_in_front() -> None:
    """A component of that name may run another workload."""
    app = application(components=[component("web", "Deployment")])
    runs = workload("StatefulSet", "web", **AFTER)
    found = import_hooks(app, [runs], [pod_of(runs)])
    assert [part.name for part in found.application.components] == ["web", "statefulset-web"]
