"""`appshield validate` as people, editors and pre-commit hooks use it."""

from pathlib import Path

import pytest

from command_line import CommandLine

HEAD = "apiVersion: appshield.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
WEB = HEAD.format(kind="Application", name="web") + "spec: {type: web}\n"
WRONG = HEAD.format(kind="Application", name="shop") + "spec: {tpye: web}\n"
ODD = HEAD.format(kind="Application", name="odd") + "spec: {criticality: Gold}\n"
OTHERS = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"


@pytest.fixture
def appshield(tmp_path: Path) -> CommandLine:
    """A command line without any installation."""
    return CommandLine(tmp_path / "home")


async def test_other_tools_documents_are_passed_over_with_a_note(
    appshield: CommandLine, tmp_path: Path
) -> None:
    """Files of a repository hold all kinds of things."""
    file = tmp_path / "all.yaml"
    file.write_text(f"{OTHERS}---\n{WEB}")
    said = await appshield("validate", str(file))
    assert (said.code, said.out) == (0, f"{file}:5: Application web is valid\n")
    assert said.err == f"{file}:1: note: Deployment of apps/v1 passed over\n"


ARGO_CD = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: guestbook
  namespace: argocd
  annotations:
    appshield.io/criticality: gold
    appshield.io/schedule: "{schedule}"
spec:
  destination: {{ server: https://kubernetes.default.svc, namespace: guestbook }}
"""


async def test_what_documents_of_other_frameworks_ask_for_is_checked(
    appshield: CommandLine,
) -> None:
    """At the annotations that ask, as the watcher would refuse them, and what asks for nothing."""
    wrong = ARGO_CD.format(schedule="15 * * * * *")
    said = await appshield("validate", "-", stdin=wrong)
    assert said.code == 2
    told = said.err.splitlines()[-1]
    assert ":7:5: asks for protection: spec.protect[0].on.schedule: a schedule has five" in told
    assert (await appshield("validate", "-", stdin=ARGO_CD.format(schedule="@daily"))).code == 0
    shapeless = "apiVersion: gkebackup.gke.io/v1\nkind: ProtectedApplication\nmetadata: [a]\n"
    said = await appshield("validate", "-", stdin=shapeless)
    assert said.code == 2
    assert "is not of the shape of a ProtectedApplication of gkebackup.gke.io" in said.err
    silent = ARGO_CD.format(schedule="x").replace("appshield.io/", "example.org/")
    assert (await appshield("validate", "-", stdin=silent)).code == 0


async def test_a_profile_that_nobody_proved_is_noted(appshield: CommandLine) -> None:
    """Whoever chooses it has to know; nothing in the document could change it, so it is valid."""
    part = "{name: db, workload: {kind: StatefulSet, name: db}"
    both = f"[{part}, profile: database/mongodb}}, {part.replace('db', 'pg')}}}]"
    text = HEAD.format(kind="Application", name="web")
    text += f"spec:\n  type: database/postgresql\n  components: {both}\n"
    said = await appshield("validate", "--strict", "-", stdin=text)
    assert said.code == 0, said.err
    (told,) = [line for line in said.err.splitlines() if "proved" in line]
    assert "note: spec.components[0].profile: the profile database/mongodb was not proved" in told


async def test_a_warning_is_shown_at_its_place_and_fails_only_when_asked_to(
    appshield: CommandLine, tmp_path: Path
) -> None:
    """As compilers write it, so that editors find the place."""
    file = tmp_path / "odd.yaml"
    file.write_text(ODD)
    said = await appshield("validate", str(file))
    assert said.code == 0
    assert said.err.startswith(f"{file}:4:21: warning: spec.criticality: 'Gold' is nearly 'gold'")
    assert (await appshield("validate", "--strict", str(file))).code == 2


async def test_a_folder_is_looked_through_for_documents(
    appshield: CommandLine, tmp_path: Path
) -> None:
    """What does not speak of AppShield is not read, what is hidden is left alone."""
    below = tmp_path / "apps" / "deep"
    below.mkdir(parents=True)
    (tmp_path / "apps" / ".cache").mkdir()
    (below / "web.yaml").write_text(WEB)
    (below / "wrong.yml").write_text(WRONG)
    (below / "chart.yaml").write_text("{{ not: yaml }}\n")
    (tmp_path / "apps" / ".cache" / "old.yaml").write_text(WRONG)
    said = await appshield("validate", str(tmp_path / "apps"))
    assert said.code == 2
    assert said.out == f"{below / 'web.yaml'}:1: Application web is valid\n"
    wrong = f"{below / 'wrong.yml'}:4:8: spec.tpye: unknown field; did you mean type?\n"
    assert said.err == wrong


async def test_scripts_get_everything_as_json(appshield: CommandLine, tmp_path: Path) -> None:
    """The exit code is the same."""
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join((OTHERS, WEB, ODD, WRONG)))
    said = await appshield("validate", "-o", "json", str(file))
    report = said.json()
    assert said.code == 2
    assert [(one["kind"], one["line"]) for one in report["documents"]] == [
        ("Application", 5),
        ("Application", 10),
    ]
    (error,), (warning,) = report["errors"], report["warnings"]
    assert (error["line"], error["column"], error["field"]) == (18, 8, "spec.tpye")
    assert (error["wrong"], error["right"]) == ("unknown field", "did you mean type?")
    assert (warning["line"], warning["field"]) == (13, "spec.criticality")
    assert report["passed_over"][0]["kind"] == "Deployment"


async def test_how_long_a_backup_takes_can_be_said(appshield: CommandLine) -> None:
    """Then promises that cannot be kept are warned of."""
    text = HEAD.format(kind="Application", name="web")
    text += "spec: {protect: [{name: a, on: {rpo: 10m}}]}\n"
    said = await appshield("validate", "--backup-takes", "20m", "-", stdin=text)
    assert said.code == 0
    assert "wants a version every 10m, and a backup takes 20m" in said.err
    wrong = await appshield("validate", "--backup-takes", "soon", "-", stdin=text)
    assert (wrong.code, "is not a duration" in wrong.err) == (2, True)


async def test_what_is_too_large_is_refused_whatever_it_is(
    appshield: CommandLine,
) -> None:
    """Also what never ends."""
    said = await appshield("validate", "/dev/zero")
    assert said.code == 2
    assert "/dev/zero:1:1: document: has more than 1048576 bytes" in said.err


async def test_the_schema_is_printed_for_editors(appshield: CommandLine) -> None:
    """Of all kinds, of one, and an error that names the kinds."""
    everything, one = await appshield("schema"), await appshield("schema", "vault")
    assert everything.json()["title"] == "AppShield"
    assert one.json()["title"] == "Vault"
    unknown = await appshield("schema", "Valt")
    assert (unknown.code, "did you mean Vault?" in unknown.err) == (3, True)
