"""Versions on the real cluster: looked into, forgotten, pruned, checked; damage is never silent."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from appshield.kubernetes.kinds import SECRET
from appshield.local.cluster import ClusterFacts
from appshield.local.up import PRIMARY
from appshield.repository import Reader, Repository
from cluster_application import deploy, namespace_of_its_own, run_in, until_running
from command_line import CommandLine, Said
from installation import Installation
from restic_binary import Restic

pytestmark = pytest.mark.timeout(420)

CLAIM_FOLDER = "volumes/data-db-0"
PASSWORDS = ("first-password", "second-password")


@pytest.fixture
def appshield(installation: Installation) -> CommandLine:
    """The command line of the session's installation."""
    return CommandLine(installation.home.folder)


async def test_versions_are_looked_into_forgotten_pruned_and_their_damage_is_found(
    installation: Installation,
    appshield: CommandLine,
    local_cluster: ClusterFacts,
    restic: Restic,
    tmp_path: Path,
) -> None:
    """All by commands; a stock restic finds everything in order in between."""
    async with (
        namespace_of_its_own(installation, "keeping") as namespace,
        namespace_of_its_own(installation, "beside") as beside,
    ):
        app = f"{namespace}/app"
        await _three_versions(installation, appshield, local_cluster, namespace)
        await _looked_into(appshield, app, tmp_path)
        app_id = await _forgotten_and_pruned(installation, appshield, restic, app)
        await _flip_a_bit(installation, app_id, 3, f"{CLAIM_FOLDER}/precious")
        try:
            await _damage_is_found_and_told(appshield, app, beside)
        finally:
            await _flip_a_bit(installation, app_id, 3, f"{CLAIM_FOLDER}/precious")
        await until_running(installation, beside)
        assert await run_in(installation, beside, "cat /data/kept") == "kept"
        assert await run_in(installation, beside, "ls /data/precious || echo none") == "none"
        healed = await appshield("vault", "check", PRIMARY, "--contents", "all", "--app", app)
        assert "no damage is known" in _well(healed).out


async def _three_versions(
    installation: Installation, appshield: CommandLine, facts: ClusterFacts, namespace: str
) -> None:
    """Make versions that differ in a large file, a Secret and a precious file."""
    await deploy(installation, namespace, facts.busybox_image, secret=PASSWORDS[0])
    await installation.known(installation.app(namespace))
    changes = (
        "dd if=/dev/urandom of=/data/big bs=1M count=8 2>/dev/null; echo kept > /data/kept",
        "rm /data/big; chmod 600 /data/kept",
        "dd if=/dev/urandom of=/data/precious bs=1M count=1 2>/dev/null; echo new > /data/kept.2",
    )
    for number, change in enumerate(changes, start=1):
        await run_in(installation, namespace, f"{change}; sync")
        if number == 3:
            found = await installation.cluster.get(SECRET, "credentials", namespace)
            assert found is not None
            changed = base64.b64encode(PASSWORDS[1].encode()).decode()
            values = dict.fromkeys(found["data"], changed)
            await installation.cluster.apply(
                SECRET,
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "credentials", "namespace": namespace},
                    "data": values,
                },
            )
        _well(await appshield("backup", f"{namespace}/app", "--wait"))


async def _looked_into(appshield: CommandLine, app: str, folder: Path) -> None:
    """List, find, compare and take out, without a restore."""
    listed = _well(await appshield("ls", app, "1", CLAIM_FOLDER, "-o", "json"))
    assert '"path":"volumes/data-db-0/big"' in listed.out
    found = _well(await appshield("find", app, "precious"))
    assert found.out.startswith("version 3:\n")
    assert found.out.count("precious") == 1
    assert (await appshield("find", app, "nowhere")).code == 3

    told = _well(await appshield("diff", app, "1", "2", "--path", CLAIM_FOLDER)).out.splitlines()
    assert f"- {CLAIM_FOLDER}/big" in told
    assert f"M {CLAIM_FOLDER}/kept  (mode)" in told
    told = _well(await appshield("diff", app, "2", "3")).out.splitlines()
    assert f"+ {CLAIM_FOLDER}/precious" in told
    assert "M manifests/secret/credentials.json  (content)" in told
    assert any(line.startswith("    /data/") and "(digest " in line for line in told)
    hidden = [*PASSWORDS, *(base64.b64encode(one.encode()).decode() for one in PASSWORDS)]
    assert [word for word in hidden if any(word in line for line in told)] == []

    kept = _well(await appshield("dump", app, "1", f"{CLAIM_FOLDER}/kept"))
    assert kept.out == "kept\n"
    archive = folder / "claim.tar"
    _well(await appshield("dump", app, "1", CLAIM_FOLDER, "-o", str(archive)))
    assert archive.stat().st_size > 8 << 20

    sizes = _well(await appshield("versions", app, "--size", "-o", "json")).json()
    assert sizes[0]["alone_bytes"] > 8_000_000
    assert sizes[2]["added_bytes"] > 1_000_000


async def _forgotten_and_pruned(
    installation: Installation, appshield: CommandLine, restic: Restic, app: str
) -> str:
    """Forget the first version and free what it had alone."""
    _well(await appshield("pin", app, "1"))
    refused = await appshield("forget", app, "1", "--wait")
    assert refused.code == 7
    assert f"version 1 of {app} is pinned" in refused.err
    _well(await appshield("unpin", app, "1"))
    before = (await _stats(appshield, app))["size_bytes"]
    assert "forgotten: version 1\n" in _well(await appshield("forget", app, "1", "--wait")).out
    pruned = await appshield("vault", "prune", PRIMARY, "--app", app, "--grace", "0s", "--wait")
    assert "freed" in _well(pruned).out
    after = await _stats(appshield, app)
    assert after["size_bytes"] < before - 8_000_000
    assert (after["versions"], after["damaged_versions"]) == (2, 0)
    app_id = str(after["history"])
    await installation.restic(restic, app_id, "check", "--read-data", "--retry-lock", "60s")
    whole = await appshield("vault", "check", PRIMARY, "--contents", "all", "--app", app)
    assert "no damage is known" in _well(whole).out
    return app_id


async def _damage_is_found_and_told(appshield: CommandLine, app: str, beside: str) -> None:
    """By the check, by the list of versions, by the restore that refuses, by one that goes on."""
    checked = await appshield("vault", "check", PRIMARY, "--contents", "all", "--app", app)
    assert checked.code == 8
    assert f"damaged: version 3: {CLAIM_FOLDER}/precious" in checked.out
    listed = _well(await appshield("versions", app)).out.splitlines()
    assert [line for line in listed if line.endswith("damaged")] == [listed[2]]
    shown = _well(await appshield("version", app, "3")).out
    assert f"damaged: {CLAIM_FOLDER}/precious" in shown
    refused = await appshield("restore", app, "3", "--to", beside, "--wait")
    assert refused.code == 7
    assert f"these cannot be read back: {CLAIM_FOLDER}/precious" in refused.err
    going = await appshield("restore", app, "3", "--to", beside, "--keep-going", "--wait")
    assert going.code == 10, going.err
    assert f"lost: {CLAIM_FOLDER}/precious" in going.out


async def _flip_a_bit(installation: Installation, app_id: str, version: int, path: str) -> None:
    """Damage a file of one version in the bucket; once more, and it is whole again."""
    shelf = (await installation.vault()).application(app_id)

    def flip() -> None:
        store = shelf.repository_store
        repository = Repository.open(store, shelf.repository_password())
        tag = f"appshield:version={version}"
        [(_, document)] = repository.snapshots_with_tag(tag)
        node = Reader(repository).find(document.tree_id, path)
        place = repository.index.lookup("data", (node.content or ())[0])
        assert place is not None
        name = f"data/{place.pack_id[:2]}/{place.pack_id}"
        stored = bytearray(store.get(name))
        stored[place.entry.offset + 100] ^= 1
        store.put(name, bytes(stored))

    await asyncio.to_thread(flip)


async def _stats(appshield: CommandLine, app: str) -> dict[str, Any]:
    said = _well(await appshield("vault", "stats", PRIMARY, "--app", app, "-o", "json"))
    [found] = said.json()
    return dict(found)


def _well(said: Said) -> Said:
    assert said.code == 0, said.err
    return said
