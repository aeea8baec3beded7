"""Two installations and one cluster: the second leaves the Vault of the first alone."""

from pathlib import Path

from appshield.contracts.identities import SYSTEM_NAMESPACE
from appshield.kubernetes.kinds import SECRET, VAULT
from appshield.local.cluster import ClusterFacts
from appshield.local.up import PRIMARY
from appshield.vault.finding import ClusterVaults
from command_line import CommandLine
from installation import Installation


async def test_up_with_another_home_is_refused_and_says_whose_the_cluster_is(
    installation: Installation, local_cluster: ClusterFacts, tmp_path: Path
) -> None:
    """Its own store would take the name of the Vault from what has versions in it."""
    before = await _vault(installation)
    second = CommandLine(tmp_path / "second", KUBECONFIG=str(local_cluster.kubeconfig))
    said = await second("up")
    assert said.code == 4
    location = (await ClusterVaults(installation.cluster).access(PRIMARY)).location
    for named in (PRIMARY, str(location), str(installation.home.folder), "--take-over"):
        assert named in said.err
    assert "Traceback" not in said.err
    assert await _vault(installation) == before


async def _vault(installation: Installation) -> list[object]:
    """Return what makes the Vault: its object and its Secrets."""
    secrets = [f"vault-{PRIMARY}-{part}" for part in ("credentials", "key")]
    return [
        await installation.cluster.get(VAULT, PRIMARY),
        *[await installation.cluster.get(SECRET, name, SYSTEM_NAMESPACE) for name in secrets],
    ]
