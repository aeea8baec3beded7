"""Commands about a whole Vault, one with object lock: every application in it, by name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.kubernetes.kinds import SECRET, SERVICE, VAULT
from appshield.local.cluster import ClusterFacts
from appshield.local.up import PRIMARY
from appshield.repository import Reader, Repository
from appshield.vault import ApplicationShelf, open_vault
from appshield.vault.finding import ClusterVaults
from cluster_application import deploy, namespace_of_its_own, run_in, until_running
from command_line import CommandLine, Said
from installation import Installation

pytestmark = pytest.mark.timeout(300)

MANIFEST = "manifests/service/db.json"


def well(said: Said) -> str:
    assert said.code == 0, said.err
    return said.out


@asynccontextmanager
async def locked_vault(installation: Installation) -> AsyncIterator[tuple[str, CommandLine]]:
    """Set a Vault with object lock up by the command, in a bucket of its own."""
    name = f"locked-{uuid4().hex[:6]}"
    access = await ClusterVaults(installation.cluster).access(PRIMARY)
    appshield = CommandLine(
        installation.home.folder,
        APPSHIELD_S3_ACCESS_KEY=access.credentials.access_key,
        APPSHIELD_S3_SECRET_KEY=access.credentials.secret_key,
    )
    place = ("--endpoint", access.location.endpoint, "--bucket", name, "--lock-days", "1")
    try:
        well(await appshield("vault", "add", name, *place))
        yield name, appshield
    finally:
        await installation.cluster.delete(VAULT, name)
        for secret in ("credentials", "key"):
            await installation.cluster.delete(
                SECRET, f"vault-{name}-{secret}", namespace=SYSTEM_NAMESPACE
            )


async def test_prune_check_and_repair_take_every_application_and_damage_names_one(
    installation: Installation, local_cluster: ClusterFacts
) -> None:
    """What object lock keeps waits and is told; a restore goes on without a damaged object."""
    async with (
        locked_vault(installation) as (vault, appshield),
        namespace_of_its_own(installation, "first") as first,
        namespace_of_its_own(installation, "second") as second,
        namespace_of_its_own(installation, "rest") as rest,
    ):
        for namespace in (first, second):
            spec = {"targets": [vault]}
            await deploy(installation, namespace, local_cluster.busybox_image, spec=spec)
            await installation.known(installation.app(namespace))
        fill = "dd if=/dev/urandom of=/data/big bs=1M count=2 2>/dev/null; sync"
        await run_in(installation, first, fill)
        await asyncio.gather(*(_back_up(appshield, one) for one in (first, second)))
        await run_in(installation, first, "rm /data/big; sync")
        await _back_up(appshield, first)

        forgotten = well(await appshield("forget", f"{first}/app", "1", "--wait"))
        assert "kept: version 1: " in forgotten
        assert "until" in forgotten
        pruned = well(await appshield("vault", "prune", vault, "--grace", "0s", "--wait"))
        checked = well(await appshield("vault", "check", vault, "--contents", "all"))
        repaired = well(await appshield("vault", "repair", vault, "--wait"))
        for namespace in (first, second):
            assert f"repository of {namespace}/app pruned" in pruned
            assert f"repository of {namespace}/app checked" in checked
            assert f"the index of {namespace}/app was whole" in repaired
        assert checked.count("no damage is known") == 2

        shelf = await _shelf(installation, vault, first)
        await asyncio.to_thread(_flip_a_bit, shelf, 2)
        found = await appshield("vault", "check", vault, "--contents", "all")
        assert found.code == 8
        assert f"1 of 2 applications in Vault {vault} have damage" in found.err
        assert f"damaged: version 2: {MANIFEST}" in found.out

        refused = await appshield("restore", f"{first}/app", "2", "--to", rest, "--wait")
        assert refused.code == 7
        assert MANIFEST in refused.err
        going = await appshield(
            "restore", f"{first}/app", "2", "--to", rest, "--keep-going", "--wait"
        )
        assert going.code == 10, going.err
        assert f"lost: {MANIFEST}" in going.out
        await until_running(installation, rest)
        assert await installation.cluster.get(SERVICE, "db", rest) is None
        assert await run_in(installation, rest, "ls /data/rows | wc -l") != "0"


async def _back_up(appshield: CommandLine, namespace: str) -> None:
    well(await appshield("backup", f"{namespace}/app", "--wait"))


async def _shelf(installation: Installation, vault: str, namespace: str) -> ApplicationShelf:
    record = await installation.known(installation.app(namespace))
    access = await ClusterVaults(installation.cluster).access(vault)
    return open_vault(access).application(record.app_id)


def _flip_a_bit(shelf: ApplicationShelf, version: int) -> None:
    """Put a damaged pack over the one that holds the manifest: object lock keeps the old one."""
    store = shelf.repository_store
    repository = Repository.open(store, shelf.repository_password())
    [(_, document)] = repository.snapshots_with_tag(f"appshield:version={version}")
    node = Reader(repository).find(document.tree_id, MANIFEST)
    place = repository.index.lookup("data", (node.content or ())[0])
    assert place is not None
    name = f"data/{place.pack_id[:2]}/{place.pack_id}"
    stored = bytearray(store.get(name))
    stored[place.entry.offset + 20] ^= 1
    store.put(name, bytes(stored))
