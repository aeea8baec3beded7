"""Two Vaults: what is saved is copied, and comes back from the second when the first is lost."""

from typing import Any
from uuid import uuid4

import pytest

from appshield.contracts.catalog import VersionRecord
from appshield.contracts.streams import CATALOG
from appshield.kubernetes.kinds import VAULT
from appshield.local.cluster import ClusterFacts
from cluster_application import (
    deploy,
    namespace_of_its_own,
    remove_namespace,
    run_in,
    until_running,
)
from command_line import CommandLine, Said
from installation import Installation
from restic_binary import Restic
from vaults import vault_at
from waiting import wait_until

pytestmark = pytest.mark.timeout(300)


async def test_what_was_copied_comes_back_when_the_first_bucket_is_lost(
    installation: Installation, local_cluster: ClusterFacts, restic: Restic
) -> None:
    """By itself, with the uploader killed while it copies; a stock restic is content with both."""
    appshield = CommandLine(installation.home.folder)
    async with (
        vault_at(installation, "", purpose="first") as first,
        vault_at(installation, "", purpose="second") as second,
        namespace_of_its_own(installation, "targets") as namespace,
        namespace_of_its_own(installation, "beside") as beside,
    ):
        targets = {"targets": [first, second]}
        await deploy(installation, namespace, local_cluster.busybox_image, spec=targets)
        app = f"{namespace}/app"
        app_id = (await installation.known(installation.app(namespace))).app_id
        fill = "dd if=/dev/urandom of=/data/big bs=1M count=24 2>/dev/null; echo one > /data/kept"
        await run_in(installation, namespace, f"{fill}; sync")
        await installation.ended(await _asked(appshield, app))
        await installation.kill("uploader")
        await _copied(installation, app_id, first, second)

        _well(await appshield("backup", app, "--wait"))
        copied = _well(await appshield("copy", app, "2", "--to", second, "--wait"))
        assert f"version 2 of {app} is in Vault {second}" in copied.out
        listed = _well(await appshield("versions", app)).out
        assert listed.count(f"{first}, {second}") == 2
        for vault in (first, second):
            await installation.restic(
                restic, app_id, "check", "--read-data", "--retry-lock", "60s", vault=vault
            )

        chosen = await appshield("restore", app, "1", "--from", second, "--to", beside, "--wait")
        _well(chosen)
        await until_running(installation, beside)
        assert await run_in(installation, beside, "cat /data/kept") == "one"

        await remove_namespace(installation, namespace)
        lost = {"spec": {"bucket": f"lost-{uuid4().hex[:8]}"}}
        await installation.cluster.merge_patch(VAULT, first, lost)
        read = _well(await appshield("dump", app, "2", "volumes/data-db-0/kept"))
        assert read.out == "one\n"
        assert f"Vault {first} is passed over" in read.err
        restored = _well(await appshield("restore", app, "2", "--wait"))
        assert f"read from Vault {second}" in restored.out
        assert f"not read from Vault {first}" in restored.out
        await until_running(installation, namespace)
        assert await run_in(installation, namespace, "cat /data/kept") == "one"


async def _asked(appshield: CommandLine, app: str) -> str:
    """Ask for a backup and return its run."""
    said: dict[str, Any] = _well(await appshield("backup", app, "-o", "json")).json()
    return str(said["run"])


async def _copied(installation: Installation, app_id: str, first: str, second: str) -> None:
    """Wait until the first version is in both Vaults."""
    bucket = installation.bus.bucket(CATALOG, VersionRecord)

    async def in_both() -> bool:
        entry = await bucket.get(f"{app_id}.1")
        return entry is not None and entry.value.vaults == (first, second)

    await wait_until(in_both, deadline_s=120, what="version 1 in both Vaults")


def _well(said: Said) -> Said:
    assert said.code == 0, said.err
    return said
