"""Two Vaults: what is saved is copied, and comes back from the second when the first is lost."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from appshield.contracts.catalog import VersionRecord
from appshield.contracts.streams import CATALOG
from appshield.kubernetes.kinds import VAULT
from appshield.local.cluster import ClusterFacts
from appshield.vault import open_vault
from appshield.vault.finding import ClusterVaults
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

pytestmark = pytest.mark.timeout(420)


async def test_what_was_copied_comes_back_when_the_first_bucket_is_lost(
    installation: Installation, local_cluster: ClusterFacts, restic: Restic
) -> None:
    """By itself, with the uploader killed while it copies; a stock restic is content with both.

    Damage in the first is healed from the second as soon as a check has found it.
    """
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

        await _damage(installation, app_id, first)
        found = await appshield("vault", "check", first, "--contents", "all")
        assert (found.code, "damaged: version 1: " in found.out) == (8, True)
        await _healed(installation, app_id)
        _well(await appshield("vault", "check", first, "--contents", "all"))
        repaired = _well(await appshield("vault", "repair", first, "--wait"))
        assert "all data was read: no damage" in repaired.out
        await installation.restic(
            restic, app_id, "check", "--read-data", "--retry-lock", "60s", vault=first
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


async def _damage(installation: Installation, app_id: str, vault: str) -> None:
    """Flip a bit in each pack of the application's repository."""
    access = await ClusterVaults(installation.cluster).access(vault)
    store = open_vault(access).application(app_id).repository_store

    def flip() -> None:
        for pack in list(store.list("data")):
            stored = bytearray(store.get(pack.name))
            stored[len(stored) // 2] ^= 1
            store.put(pack.name, bytes(stored))

    await asyncio.to_thread(flip)


async def _healed(installation: Installation, app_id: str) -> None:
    """Wait until the damage that was found is no longer known: a repair follows by itself."""
    bucket = installation.bus.bucket(CATALOG, VersionRecord)

    async def is_good() -> bool:
        versions = [entry.value async for entry in bucket.items(f"{app_id}.")]
        return len(versions) == 2 and all(one.damage is None for one in versions)

    await wait_until(is_good, deadline_s=90, what="both versions healed")


def _well(said: Said) -> Said:
    assert said.code == 0, said.err
    return said
