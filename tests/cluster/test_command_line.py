"""The command line on the real cluster: what a person does from a document to a restore."""

import asyncio
import shlex
from pathlib import Path

import msgspec
import pytest

from appshield.kubernetes.kinds import APPLICATION
from appshield.local.cluster import ClusterFacts
from appshield.vault.finding import ClusterVaults
from cluster_application import (
    NAME,
    deploy,
    document,
    namespace_of_its_own,
    remove_namespace,
    run_in,
    until_running,
)
from command_line import CommandLine
from installation import Installation
from restic_binary import Restic

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def appshield(installation: Installation) -> CommandLine:
    """The command line of the session's installation."""
    return CommandLine(installation.home.folder)


async def test_apply_back_up_destroy_restore_with_commands_alone(
    installation: Installation,
    appshield: CommandLine,
    local_cluster: ClusterFacts,
    tmp_path: Path,
    restic: Restic,
) -> None:
    """Each command ends when the next may begin; a stock restic reads with what is printed."""
    async with namespace_of_its_own(installation, "commands") as namespace:
        await deploy(installation, namespace, local_cluster.busybox_image)
        await installation.cluster.delete(APPLICATION, NAME, namespace=namespace)
        file = tmp_path / "app.json"
        file.write_bytes(msgspec.json.encode(document(namespace)))
        applied = await appshield("apply", "-f", str(file))
        assert applied.code == 0, applied.err
        assert applied.out == f"Application {namespace}/{NAME} applied\n"

        await run_in(installation, namespace, "echo kept > /data/kept && sync")
        app = f"{namespace}/{NAME}"
        saved = await appshield("backup", app, "--wait")
        assert saved.code == 0, saved.err
        assert saved.out.startswith(f"version 1 of {app}: ")
        assert "consistency: application, application quiesced for" in saved.out
        run = (await appshield("runs", app, "-o", "json")).json()[0]["id"]
        logged = await appshield("logs", run)
        for service in ("snapshotter", "uploader"):
            assert service in logged.out
        await _read_with_restic(appshield, restic, app)

        await remove_namespace(installation, namespace)
        planned = await appshield("restore", app, "1", "--dry-run")
        assert f"  StatefulSet {namespace}/db" in planned.out.splitlines()
        back = await appshield("restore", app, "1", "--wait")
        assert back.code == 0, back.err
        assert f"runs in namespace {namespace}: " in back.out
        await until_running(installation, namespace)
        assert await run_in(installation, namespace, "cat /data/kept") == "kept"
        refused = await appshield("restore", app, "1", "--wait")
        assert refused.code == 7
        assert f"StatefulSet {namespace}/db" in refused.err


async def test_a_document_that_the_cluster_refuses_names_the_cause(
    appshield: CommandLine, tmp_path: Path
) -> None:
    """A namespace that is not there: one line, nothing applied."""
    file = tmp_path / "app.json"
    file.write_bytes(msgspec.json.encode(document("nowhere-at-all")))
    said = await appshield("apply", "-f", str(file))
    assert said.code == 3, said
    assert "nowhere-at-all" in said.err
    assert said.err.count("\n") == 1


async def test_a_vault_is_checked_and_its_key_exported(appshield: CommandLine) -> None:
    """Each need has a line; the key is printed alone; an unknown Vault is named."""
    checked = await appshield("vault", "check", "primary")
    assert checked.code == 0, checked.out + checked.err
    assert "write only if absent" in checked.out
    key = await appshield("vault", "export-key", "primary")
    assert (key.code, key.out.count("\n"), key.err) == (0, 1, "")
    unknown = await appshield("vault", "check", "nothing")
    assert (unknown.code, "Vault nothing does not exist" in unknown.err) == (3, True)


async def test_a_vault_is_added_again_with_its_key_and_with_no_other(
    installation: Installation, appshield: CommandLine, tmp_path: Path
) -> None:
    """The same bucket and key give the same Vault; another key is refused and named."""
    access = await _primary(installation)
    place = ("--endpoint", access["endpoint"], "--bucket", access["bucket"], "--prefix", "second")
    appshield.environment["APPSHIELD_S3_ACCESS_KEY"] = access["access_key"]
    appshield.environment["APPSHIELD_S3_SECRET_KEY"] = access["secret_key"]
    made = await appshield("vault", "add", "second", *place)
    assert made.code == 0, made.err
    assert access["secret_key"] not in made.out + made.err
    key = tmp_path / "second.key"
    key.write_text((await appshield("vault", "export-key", "second")).out)
    again = await appshield("vault", "add", "second", *place, "--key-file", str(key))
    assert again.code == 0, again.err
    other = tmp_path / "other.key"
    other.write_text((await appshield("vault", "export-key", "primary")).out)
    refused = await appshield("vault", "add", "third", *place, "--key-file", str(other))
    assert refused.code == 6, refused.err
    appshield.environment["APPSHIELD_S3_SECRET_KEY"] = "wrong"
    denied = await appshield("vault", "add", "fourth", *place)
    assert denied.code == 6, denied.err
    rebuilt = await appshield("rebuild-catalog", "second", "--wait")
    assert rebuilt.code == 0, rebuilt.err


async def _primary(installation: Installation) -> dict[str, str]:
    access = await ClusterVaults(installation.cluster).access("primary")
    return {
        "endpoint": access.location.endpoint,
        "bucket": access.location.bucket,
        "access_key": access.credentials.access_key,
        "secret_key": access.credentials.secret_key,
    }


async def _read_with_restic(appshield: CommandLine, restic: Restic, app: str) -> None:
    """Let a stock restic read an application's versions with what is printed for a shell."""
    said = await appshield("vault", "password", app, "--credentials")
    assert said.code == 0, said.err
    assignments = (line.removeprefix("export ") for line in said.out.splitlines())
    environment = dict(shlex.split(line)[0].split("=", 1) for line in assignments)
    output = await asyncio.to_thread(
        restic.run,
        environment["RESTIC_REPOSITORY"],
        environment["RESTIC_PASSWORD"],
        "snapshots",
        environment=environment,
    )
    assert b"1 snapshots" in output
