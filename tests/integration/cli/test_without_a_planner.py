"""What the command line says where something it needs is not there."""

from pathlib import Path

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.identities import AppRef
from appshield.local.connection import read_connection, write_connection
from command_line import CommandLine, backstage

RECORD = ApplicationRecord(
    app_id="a-1",
    app=AppRef(cluster="test", namespace="shop", name="web"),
    uid="1",
    vault="primary",
    state="active",
)


async def test_a_request_without_a_planner_is_stored_and_said_to_wait(tmp_path: Path) -> None:
    """With --wait that is exit code 5; without, a warning; the run is done later all the same."""
    async with backstage(tmp_path) as behind:
        bucket = behind.bus.bucket(streams.APPLICATIONS, ApplicationRecord)
        await bucket.put(RECORD.app_id, RECORD)
        waited = await behind.command_line("backup", "web", "--wait")
        assert waited.code == 5
        assert "the request is stored, but no planner has taken it up" in waited.err
        asked = await behind.command_line("backup", "web")
        assert asked.code == 0
        assert "no planner has taken it up" in asked.err
        run = asked.out.strip()
        stored = [one async for one in behind.bus.read(streams.REQUESTS)]
        assert len(stored) == 2
        unknown = await behind.command_line("run", run)
        assert (unknown.code, f"run {run} is unknown" in unknown.err) == (3, True)
        async with behind.planning():
            done = await behind.command_line("run", run, "--wait")
        assert done.code == 0, done.err
        assert done.out.startswith("version ")


async def test_a_bus_that_is_down_is_named_with_what_starts_it(tmp_path: Path) -> None:
    """The connection file is there and nobody answers: exit code 5."""
    async with backstage(tmp_path) as behind:
        home = behind.home
    said = await CommandLine(home.folder)("apps")
    assert said.code == 5
    assert read_connection(home).nats_url in said.err
    assert "`appshield up`" in said.err
    assert "Traceback" not in said.err


async def test_a_key_that_the_bus_does_not_know_is_refused(tmp_path: Path) -> None:
    """Exit code 6, and the key file is named, never its content."""
    async with backstage(tmp_path / "one") as here, backstage(tmp_path / "two") as there:
        ours, theirs = read_connection(here.home), read_connection(there.home)
        strange = type(ours)(
            nats_url=ours.nats_url,
            users_folder=theirs.users_folder,
            kubeconfig="",
            context="",
            cluster="test",
        )
        write_connection(here.home, strange)
        said = await here.command_line("apps")
    assert said.code == 6
    assert "person.nk" in said.err
    assert (Path(theirs.users_folder) / "person.nk").read_text().strip() not in said.err


async def test_without_an_installation_it_says_what_to_run(tmp_path: Path) -> None:
    """Exit code 3 and the next step, for every command that needs the bus."""
    appshield = CommandLine(tmp_path)
    for command in ("apps", "runs", "backup web", "versions web", "events", "dead list"):
        said = await appshield(*command.split())
        assert (command, said.code) == (command, 3)
        assert "Run `appshield up`" in said.err


async def test_without_a_cluster_up_says_what_to_do(tmp_path: Path) -> None:
    """It names the command that makes one."""
    said = await CommandLine(tmp_path)("up")
    assert said.code == 3
    assert "`appshield cluster up`" in said.err


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nothing is started before the cluster answers."""
    missing = tmp_path / "nothing"
    said = await CommandLine(tmp_path)("up", "--kubeconfig", str(missing))
    assert said.code == 2, said.err
    assert str(missing) in said.err
    assert "Traceback" not in said.err


async def test_wrong_documents_are_refused_with_every_error(tmp_path: Path) -> None:
    """All files, all errors, file and line, with -f or without; no cluster is asked."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("apiVersion: appshield.io/v1alpha1\nkind: Application\nspec: { tpye: web }\n")
    second.write_text("kind: Nothing\n")
    for command in (("validate",), ("validate", "-f"), ("apply",), ("apply", "-f")):
        said = await CommandLine(tmp_path)(*command, str(first), str(second))
        assert said.code == 2, said
        assert f"{first}:3:9: spec.tpye" in said.err
        assert f"{second}:1:" in said.err


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """One line, exit code 2."""
    said = await CommandLine(tmp_path)("validate", "/nothing/there.yaml")
    assert (said.code, said.err) == (
        2,
        "error: /nothing/there.yaml cannot be read: No such file or directory\n",
    )


async def test_a_valid_document_from_standard_input_is_accepted(tmp_path: Path) -> None:
    """`-` reads standard input, with -f or without."""
    text = "apiVersion: appshield.io/v1alpha1\nkind: Application\nmetadata: { name: shop }\n"
    text += "spec: { type: web }\n"
    for command in (("validate", "-"), ("validate", "-f", "-")):
        said = await CommandLine(tmp_path)(*command, stdin=text)
        assert (said.code, said.out) == (0, "standard input:1: Application shop is valid\n")


async def test_credentials_of_a_vault_are_never_taken_from_arguments(tmp_path: Path) -> None:
    """Without a terminal they come from the environment, and their absence is said."""
    place = ("--endpoint", "http://127.0.0.1:1", "--bucket", "somewhere")
    said = await CommandLine(tmp_path)("vault", "add", "other", *place)
    assert said.code == 2
    assert "APPSHIELD_S3_ACCESS_KEY" in said.err
    given = await CommandLine(tmp_path)("vault", "add", "other", *place, "--secret-key", "hush")
    assert given.code == 2
